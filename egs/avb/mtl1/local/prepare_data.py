#!/usr/bin/env python3
"""Make data/{train,dev,test} from the challenge's folder: labels/<task>_info.csv and audio/wav/.

Beside the usual files each set has `file_id2utt` (a line for every id, `-` where there is no wav) and `label_header`
(the columns of each label file as it spells them), which submissions need.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from label_tables import label_file, read_label_table, read_recordings

from espnet2_ext.data.csv_table import read_csv
from espnet2_ext.data.recording import BLIND, Recording, incomplete_tasks
from espnet2_ext.data.recording_dirs import Release, write_sets
from espnet2_ext.errors import run_cli
from espnet2_ext.mtl.task_spec import TaskSpec, load_task_spec

RELEASE = Release(rows={"train": 19990, "dev": 19396, "test": 19815}, speakers=1702)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder with audio/wav/ and labels/")
    parser.add_argument("--data_dir", type=Path, required=True, help="folder of the data directories")
    parser.add_argument("--tasks", type=Path, required=True, help="tasks.yaml, with the tasks that have a label file")
    parser.add_argument("--speaker_table", type=Path, help="a table with File_ID and Subject_ID")
    parser.add_argument("--allow_missing", choices=("true", "false"), default="true")
    arguments = parser.parse_args()
    spec = load_task_spec(arguments.tasks)
    tables = {task.name: read_label_table(label_file(arguments.root, task.name), task) for task in spec}
    speakers = read_csv(arguments.speaker_table) if arguments.speaker_table else None
    recordings = read_recordings(tables, spec, speakers, arguments.allow_missing == "true")
    further = {"label_header": {name: found.header_cells for name, found in tables.items()}}
    write_sets(recordings, spec.names, arguments.root / "audio/wav", arguments.data_dir, RELEASE, further)
    report_missing(recordings, spec)


def report_missing(recordings: Sequence[Recording], spec: TaskSpec) -> None:
    """Say in one line for each task how many recordings of Train and Val lack its label, or one of its dimensions."""
    labelled = [recording for recording in recordings if recording.set_name != BLIND]
    for name in spec.names:
        lacking = [recording for recording in labelled if name in incomplete_tasks(recording.labels, spec)]
        if lacking:
            print(
                f"warning: {name}: {len(lacking)} of {len(labelled)} recordings of Train and Val lack a label or part "
                f"of it, the first is {lacking[0].file_id}; what is missing is masked",
                file=sys.stderr,
            )


if __name__ == "__main__":
    run_cli(main)
