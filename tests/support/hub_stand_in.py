"""The part of the Hugging Face hub's HTTP interface that model upload and download need, on this machine."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Files = dict[str, bytes]


class HubServer(ThreadingHTTPServer):
    """Repositories in memory; every commit is kept."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, dict[str, Files]] = {}
        self.private: dict[str, bool] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def revision(self, repo: str, name: str) -> str | None:
        """The commit that `main` or a commit's own name stands for."""
        commits = self.repos.get(repo, {})
        return list(commits)[-1] if name == "main" and commits else name if name in commits else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/([^/?]+)(\?.*)?", self.path)
        if self.headers.get("Authorization") != "Bearer stand-in":
            self._answer(401, {"error": "log in"})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            known = repo in self.server.repos
            self.server.repos.setdefault(repo, {"0" * 40: {}})
            # Versions of the package differ in how they ask.
            self.server.private.setdefault(repo, asked.get("private") is True or asked.get("visibility") == "private")
            self._answer(409 if known else 200, {"url": f"{self.server.url}/{repo}", "name": repo})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif match and match[2] == "preupload":
            files = [{"path": f["path"], "uploadMode": "regular"} for f in json.loads(body)["files"]]
            self._answer(200, {"files": [file | {"shouldIgnore": False} for file in files]})
        elif match:
            self._commit(match[1], match[3], body)
        else:
            self._answer(404, {"error": self.path})

    def _commit(self, repo: str, revision: str, body: bytes) -> None:
        parent = self.server.revision(repo, revision)
        files = dict(self.server.repos[repo][parent])
        for line in body.splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                files[item["value"]["path"]] = base64.b64decode(item["value"]["content"])
            elif item["key"] == "deletedFile":
                del files[item["value"]["path"]]
        sha = hashlib.sha1(body + parent.encode()).hexdigest()
        self.server.repos[repo][sha] = files
        self._answer(200, {"commitUrl": f"{self.server.url}/{repo}/commit/{sha}", "commitOid": sha})

    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?(/.*)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = match or file
        revision = (match[3] or "main") if match else file[2] if file else ""
        if not found or found[1] not in self.server.repos:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return
        sha = self.server.revision(found[1], revision)
        if sha is None:
            self._answer(404, {"error": f"Invalid rev id: {revision}"}, {"X-Error-Code": "RevisionNotFound"})
            return
        files = self.server.repos[found[1]][sha]
        if file:
            self._send_file(files, sha, file[3])
        elif match[2] == "tree":
            self._answer(200, [{"type": "file", "path": n, "size": len(d), "oid": _oid(d)} for n, d in files.items()])
        else:
            self._answer(200, {"id": found[1], "sha": sha, "siblings": [{"rfilename": name} for name in files]})

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send_file(self, files: Files, sha: str, name: str) -> None:
        if name not in files:
            self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        headers = {"ETag": f'"{_oid(files[name])}"', "X-Repo-Commit": sha}
        self._answer(200, files[name], headers)

    def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(content, bytes) else "application/json"
        sizes = {"Content-Type": kind, "Content-Length": str(len(data))}
        for name, value in (sizes | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


@contextmanager
def hub_stand_in() -> Iterator[HubServer]:
    """Serve until the block ends."""
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
