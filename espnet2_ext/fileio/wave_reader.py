"""Random reading of audio files that a script file names, as matrices of samples."""

import os
from collections.abc import KeysView
from types import TracebackType

import numpy as np

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.audio import load_audio
from espnet2_ext.fileio.table import read_table, write_table


class WaveReader:
    """Waves of a script file by utterance: as `ArkReader`, but decoded at each read.

    Args:
        scp_path: Script file with lines `<utterance> <path>`; its paths are relative to the working directory.
        sample_rate: Rate in Hz that files are brought to.

    Raises:
        UserError: The file is missing or no table, or names a shell pipe.
    """

    def __init__(self, scp_path: str | os.PathLike[str], sample_rate: int) -> None:
        self.scp_path, self.sample_rate = os.fspath(scp_path), sample_rate
        self._paths = read_table(scp_path)
        self._lengths: dict[str, int] = {}
        for utt, path in self._paths.items():
            if "|" in path:
                raise UserError(f"{scp_path}: {utt}: a shell pipe is not run; write its output to a file and name that")

    def keys(self) -> KeysView[str]:
        """Return the utterances in the order of the script file."""
        return self._paths.keys()

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, utterance: object) -> bool:
        return utterance in self._paths

    def shape(self, utterance: str) -> tuple[int, ...]:
        """Return ``(N, 1)``; the file is decoded when it is asked for the first time.

        Raises:
            UserError: See `__getitem__`.
        """
        if utterance not in self._lengths:
            self[utterance]
        return self._lengths[utterance], 1

    def __getitem__(self, utterance: str) -> np.ndarray:
        """Return a new float32 array of shape ``(N, 1)`` with samples in [-1, 1].

        Raises:
            UserError: The utterance is unknown, the file cannot be read, or it has another length than before.
        """
        if utterance not in self._paths:
            raise UserError(f"{self.scp_path}: no utterance {utterance}; run the feature stage for it")
        try:
            wave, _ = load_audio(self._paths[utterance], self.sample_rate)
        except UserError as error:
            raise UserError(f"{self.scp_path}: utterance {utterance}: {error}") from error
        if self._lengths.setdefault(utterance, len(wave)) != len(wave):
            raise UserError(
                f"{self.scp_path}: utterance {utterance}: {self._paths[utterance]}: the file changed while it was in "
                "use; run the feature stage again"
            )
        return wave[:, None]


class WaveWriter:
    """Writes such a script file: stands where an `ArkWriter` does, and keeps paths instead of matrices.

    Args:
        scp_path: Script file; it is there when the block has ended without an error.
        paths: Audio file by utterance.
    """

    def __init__(self, scp_path: str | os.PathLike[str], paths: dict[str, str]) -> None:
        self._scp_path, self._paths = scp_path, paths
        self._kept: dict[str, str] = {}

    def write(self, utterance: str, matrix: np.ndarray) -> None:  # noqa: ARG002 (ArkWriter's interface)
        """Keep the utterance's path; its samples stay in the file."""
        self._kept[utterance] = self._paths[utterance]

    def __enter__(self) -> "WaveWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            write_table(self._scp_path, self._kept)
