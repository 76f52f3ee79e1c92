"""What the header of an audio file says."""

import argparse
from pathlib import Path

import soundfile

from espnet2_ext.data.data_dir import read_rows
from espnet2_ext.errors import UserError, run_cli
from espnet2_ext.fileio.table import write_table


def duration(path: str | Path) -> float:
    """Return the length of an audio file in seconds, from its header.

    Raises:
        UserError: It is missing, no audio, or holds no sample.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such file; mend the path or remove the utterance")
    try:
        info = soundfile.info(str(path))
    except (RuntimeError, OSError) as error:
        raise UserError(f"{path}: no readable audio ({error}); copy it again or remove the utterance") from error
    if info.frames <= 0 or info.samplerate <= 0:
        raise UserError(f"{path}: holds no sample; copy it again or remove the utterance")
    return info.frames / info.samplerate


def main() -> int:
    """Write utt2dur of a data directory from the headers of the files in its wav.scp."""
    parser = argparse.ArgumentParser(prog="get_utt2dur.sh", description=main.__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    rows = {}
    for utt, path in read_rows(directory / "wav.scp").items():
        try:
            rows[utt] = f"{duration(path):.6g}"
        except UserError as error:
            raise UserError(f"{directory / 'wav.scp'}: {utt}: {error}") from error
    write_table(directory / "utt2dur", rows)
    print(f"{directory / 'utt2dur'}: {len(rows)} utterances")
    return 0


if __name__ == "__main__":
    run_cli(main)
