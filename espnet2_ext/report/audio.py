"""Audio inside a page."""

import base64
from pathlib import Path

# The first bytes of the formats that browsers play.
_TYPES = {b"RIFF": "audio/wav", b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"ID3": "audio/mpeg"}
# A larger file makes the page slow to open, bytes.
LARGEST = 200_000


def audio_uri(path: str | Path) -> str | None:
    """Return a small audio file as an address that holds it.

    Returns:
        None where the file is missing, not a regular file, of `LARGEST` bytes or more, or in no format that browsers
        play. A report does without a player then.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size >= LARGEST:
        return None
    content = path.read_bytes()
    kind = next((kind for start, kind in _TYPES.items() if content.startswith(start)), None)
    return kind and f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
