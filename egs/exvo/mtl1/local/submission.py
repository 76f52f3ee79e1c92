"""The form of the challenge's submission: `ExVo-Multi_<team>_<n>.csv`."""

import math
from pathlib import Path

from espnet2_ext.data.data_dir import read_rows
from espnet2_ext.errors import UserError
from espnet2_ext.inference.submission import Column, Form, read_ids
from espnet2_ext.mtl.task_spec import TaskSpec


def read_form(data: Path, spec: TaskSpec) -> Form:
    """Read it from the data directory of the set: Country's number, age, emotions.

    Raises:
        UserError: A file is missing or a task is.
    """
    missing = [name for name in ("country", "age", "emotion") if name not in spec.names]
    if missing:
        raise UserError(f"a submission needs the tasks country, age and emotion; {missing[0]} is missing")
    country = Column("Country", choices=read_rows(data / "country_codes"))
    regressions = [
        Column(name, *(spec[task].range or (-math.inf, math.inf)))
        for task in ("age", "emotion")
        for name in spec[task].dimensions
    ]
    return Form("ExVo-Multi", read_ids(data), (country, *regressions))
