"""The page as a browser lays it out, at the width of a phone and of a desk."""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_experiment import report, write_report_case

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server", "--virtual-time-budget=8000",
]  # fmt: skip
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH (Debian: apt-get install chromium)")

# A frame has exactly the width it is given; the page inside forbids scripts, so the measuring is done from outside.
PROBE = """<!DOCTYPE html><title>probe</title><style>iframe { width: WIDTHpx; height: 900px; border: 0 }</style>
<iframe id="f" src="report.html"></iframe><pre id="out">nothing</pre><script>
addEventListener("load", () => setTimeout(() => {
  const d = document.getElementById("f").contentDocument, w = d.defaultView, root = d.documentElement;
  d.querySelectorAll("details").forEach(e => e.open = true);
  const all = [...d.body.querySelectorAll("*")], seen = e => e.getClientRects().length > 0;
  const wide = all.filter(e => seen(e) && !e.closest(".scroll") && !e.closest(".skip")
    && e.getBoundingClientRect().right > root.clientWidth + 1);
  const texts = all.filter(e => seen(e) && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  const focusable = [...d.querySelectorAll("a[href], [tabindex='0'], summary, audio")].filter(e => !e.disabled);
  focusable.forEach(e => e.focus());
  const images = [...d.images];
  document.getElementById("out").textContent = JSON.stringify({
    width: root.clientWidth, page: root.scrollWidth, wide: wide.map(e => e.tagName + "." + e.className).slice(0, 5),
    smallest: Math.min(...texts.map(e => parseFloat(w.getComputedStyle(e).fontSize))),
    broken: images.filter(i => !i.complete || i.naturalWidth === 0).length, images: images.length,
    narrow: Math.min(...images.map(i => i.getBoundingClientRect().width)),
    unreachable: focusable.filter(e => { e.focus(); return d.activeElement !== e; }).length,
    focusable: focusable.length,
  });
}, 300));
</script>"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep requests out of the test's output."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The report and a probe for each width, served to this machine only."""
    root = tmp_path_factory.mktemp("browser")
    write_report_case(root)
    report(root, "--compare", str(root / "exp/equal"), "--audio-wav-scp", str(root / "wav/wav.scp"))
    for width in (390, 1280):
        (root / f"report/probe{width}.html").write_text(PROBE.replace("WIDTH", str(width)))
    handler = functools.partial(_Quiet, directory=str(root / "report"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _browse(profile: Path, *arguments: str) -> str:
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.parametrize("width", [390, 1280])
def test_page_fits_and_is_readable(address: str, tmp_path: Path, width: int) -> None:
    dom = _browse(tmp_path, "--window-size=1400,1000", "--dump-dom", f"{address}/probe{width}.html")
    found = json.loads(html.unescape(re.search(r'<pre id="out">(.*?)</pre>', dom, re.S)[1]))
    assert found["width"] == pytest.approx(width, abs=20)
    assert found["page"] <= found["width"], f"the page scrolls sideways: {found['wide']}"
    assert not found["wide"]
    assert found["smallest"] >= 11
    assert found["broken"] == 0
    assert found["images"] > 10
    assert found["narrow"] >= 140
    assert found["unreachable"] == 0
    assert found["focusable"] > 10


def test_page_prints(address: str, tmp_path: Path) -> None:
    _browse(tmp_path / "profile", f"--print-to-pdf={tmp_path / 'r.pdf'}", f"{address}/report.html")
    content = (tmp_path / "r.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(content) > 50_000
