"""Further feature streams beside feats.scp, such as video: rows of bytes, cut at the same places as the features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from espnet2_ext.data.crop import Crop
from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader
from espnet2_ext.mtl.streams import lengths_name
from espnet2_ext.mtl.task import NAME, RESERVED


@dataclass(frozen=True)
class StreamOptions:
    """How a stream lies beside the features.

    Attributes:
        hop: Frames of the features for one row of the stream: 640 samples at 16 kHz for a picture of 25 a second.
    """

    hop: int


class CutRow(NamedTuple):
    """Where an utterance of a batch is cut: its id, its frames, those wanted, and `Crop.cut`'s position."""

    utt: str
    total: int
    frames: int
    position: float


def parse_streams(conf: Mapping[str, Any], task_names: Sequence[str], crop: Crop) -> dict[str, StreamOptions]:
    """Check the option `streams`.

    Args:
        conf: `hop` by stream.
        task_names: Names that no stream can have.
        crop: How utterances are cut.

    Raises:
        UserError: A name or an option is impossible, or crops do not start where rows of the stream do.
    """
    found = {}
    for name, options in conf.items():
        if not NAME.fullmatch(str(name)) or name in (*task_names, *RESERVED) or str(name).endswith("_lengths"):
            raise UserError(f"streams: {name!r}: no name for a stream; choose another")
        hop = options.get("hop") if isinstance(options, Mapping) and set(options) == {"hop"} else None
        if not isinstance(hop, int) or isinstance(hop, bool) or hop < 1:
            raise UserError(f"streams: {name}: {options!r}: give `hop` alone, the frames of the features for one row")
        if crop.align % hop:
            raise UserError(f"crop_conf: align {crop.align}: a row of stream {name} has {hop} frames; set align: {hop}")
        found[name] = StreamOptions(hop)
    return found


class Stream:
    """One stream of a dump directory; rows are read when a batch is made.

    Args:
        directory: `dump/<feature>/<set>`, which holds `<name>.scp`.
        name: Name of the stream.
        options: How it lies beside the features.
        required: Whether the file must be there; else all utterances may lack the stream.

    Attributes:
        width: Width D of a row; 0 where no utterance has the stream.

    Raises:
        UserError: The file is missing, or an archive is torn.
    """

    def __init__(self, directory: str | Path, name: str, options: StreamOptions, required: bool = True) -> None:
        self.path, self.name, self.hop = Path(directory) / f"{name}.scp", name, options.hop
        self.reader = None
        self.width = 0
        if self.path.exists():
            self.reader = ArkReader(self.path)
            self.width = self.reader.shape(next(iter(self.reader.keys())))[-1]
        elif required:
            raise UserError(f"{self.path}: no such file; make data/<set>/{name}.scp and run stages 1 to 3 again")

    def missing(self, utts: Sequence[str]) -> int:
        """Return how many utterances lack the stream."""
        return len(utts) if self.reader is None else sum(utt not in self.reader for utt in utts)

    def batch(self, rows: Sequence[CutRow], crop: Crop) -> dict[str, Tensor]:
        """Read the rows of a batch.

        Returns:
            The stream (B, T, D) uint8, 0 past an utterance's rows, and as `<name>_lengths` (B,) its rows: 0 where the
            utterance lacks the stream.

        Raises:
            UserError: An archive is torn, or has another number or width of rows than the features ask for.
        """
        count = -(-max(row.frames for row in rows) // self.hop)
        data = np.zeros((len(rows), count, self.width), dtype=np.uint8)
        lengths = np.zeros(len(rows), dtype=np.int64)
        for number, row in enumerate(rows):
            if self.reader is None or row.utt not in self.reader:
                continue
            wanted = crop.stream_rows(row.total, row.frames, row.position, self.hop)
            lengths[number] = len(wanted)
            data[number, : len(wanted)] = self._read(row, wanted)
        return {self.name: torch.from_numpy(data), lengths_name(self.name): torch.from_numpy(lengths)}

    def _read(self, row: CutRow, wanted: np.ndarray) -> np.ndarray:
        rows, width = self.reader.shape(row.utt) if len(self.reader.shape(row.utt)) == 2 else (0, 0)
        expected = -(-row.total // self.hop)
        # Audio and pictures end within one row of each other; the last one stands for one that is missing.
        if width != self.width or rows == 0 or abs(rows - expected) > 1:
            raise UserError(
                f"{self.path}: {row.utt}: {rows} rows of {width}, where {expected} of {self.width} are wanted for "
                f"{row.total} frames; make the stream again"
            )
        return self.reader.read_uint8(row.utt)[np.minimum(wanted, rows - 1)]
