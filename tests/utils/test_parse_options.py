"""utils/parse_options.sh in a script with `set -euo pipefail`."""

import subprocess
from pathlib import Path

import pytest
from tool_support import UTILS, clean_environment

SCRIPT = f"""#!/usr/bin/env bash
set -euo pipefail
options="stage stop_stage flag mtl_args
    empty"
stage=1
stop_stage=10
flag=false
mtl_args="--max_epoch 2"
empty=
help_message="Usage: prog [options]"
. {UTILS}/parse_options.sh
printf '%s|' "$stage" "$stop_stage" "$flag" "$mtl_args" "$empty" "$#" "$@"
"""
DEFAULTS = ["1", "10", "false", "--max_epoch 2", ""]


def run(tmp_path: Path, *arguments: str, script: str = SCRIPT, **environment: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "prog"
    path.write_text(script)
    return subprocess.run(
        ["bash", str(path), *arguments],
        cwd=tmp_path,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
    )


def values(tmp_path: Path, *arguments: str) -> list[str]:
    """Return the five options, the number of positionals, the positionals."""
    result = run(tmp_path, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.removesuffix("|").split("|")


def error(tmp_path: Path, *arguments: str) -> str:
    result = run(tmp_path, *arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr.strip()


def test_defaults_stay_without_arguments(tmp_path: Path) -> None:
    assert values(tmp_path) == [*DEFAULTS, "0"]


@pytest.mark.parametrize("form", [["--stop_stage", "4"], ["--stop-stage", "4"], ["--stop_stage=4"], ["--stop-stage=4"]])
def test_all_forms_of_an_option(tmp_path: Path, form: list[str]) -> None:
    assert values(tmp_path, *form) == ["1", "4", "false", "--max_epoch 2", "", "0"]


def test_positionals_stay_in_order_around_options(tmp_path: Path) -> None:
    result = values(tmp_path, "a b", "--stage", "3", "c", "--", "--flag", "maybe")
    assert result == ["3", *DEFAULTS[1:], "4", "a b", "c", "--flag", "maybe"]


def test_values_are_not_interpreted(tmp_path: Path) -> None:
    tricky = "$(touch pwned) `touch pwned` ${HOME} \" ' \\ *"
    assert values(tmp_path, "--empty", tricky)[4] == tricky
    assert not (tmp_path / "pwned").exists()


def test_empty_value_and_value_with_equals_sign(tmp_path: Path) -> None:
    assert values(tmp_path, "--mtl_args", "", "--empty=a=b=c")[3:5] == ["", "a=b=c"]


def test_a_value_may_start_with_dashes(tmp_path: Path) -> None:
    assert values(tmp_path, "--mtl_args", "--seed 3 --lr 0.1")[3] == "--seed 3 --lr 0.1"
    assert values(tmp_path, "--stage", "-1")[0] == "-1"


def test_last_value_wins(tmp_path: Path) -> None:
    assert values(tmp_path, "--stage", "2", "--stage=3")[0] == "3"


def test_help_lists_live_defaults(tmp_path: Path) -> None:
    result = run(tmp_path, "--help")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Usage: prog [options]"
    for name, default in zip(("stage", "stop_stage", "flag", "mtl_args", "empty"), DEFAULTS, strict=True):
        assert any(line.split() == [f"--{name}", *f"({default})".split()] for line in lines), name


# The five defects of Kaldi's parser under `set -u`.


def test_help_without_help_message(tmp_path: Path) -> None:
    result = run(tmp_path, "--help", script=SCRIPT.replace('help_message="Usage: prog [options]"\n', ""))
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")
    assert result.stderr == ""


def test_option_without_value(tmp_path: Path) -> None:
    assert error(tmp_path, "--stage") == "prog: error: --stage: the option needs a value"
    line = error(tmp_path, "--stage", "--stop-stage", "3")
    assert line == "prog: error: --stage: the option needs a value, but the option --stop-stage follows"
    assert "needs a value" in error(tmp_path, "--config")


def test_a_variable_that_is_not_declared_is_no_option(tmp_path: Path) -> None:
    assert error(tmp_path, "--HOME", "/x").startswith("prog: error: --HOME: unknown option;")
    assert error(tmp_path, "--PATH=/x").startswith("prog: error: --PATH: unknown option;")
    assert error(tmp_path, "--options", "x").startswith("prog: error: --options: unknown option;")


def test_declared_names_are_checked_before_they_are_assigned(tmp_path: Path) -> None:
    script = SCRIPT.replace("    empty", "    a[\\$(touch\\${IFS}pwned)]")
    result = run(tmp_path, script=script)
    assert result.returncode == 1
    assert "cannot be the name of an option" in result.stderr
    assert not (tmp_path / "pwned").exists()


def test_no_eval() -> None:
    code = [line for line in (UTILS / "parse_options.sh").read_text().splitlines() if not line.startswith("#")]
    assert not any("eval" in line.split() for line in code)


# Errors.


@pytest.mark.parametrize(
    ("argument", "nearest"), [("--stagee", "--stage"), ("--stop", "--stop_stage"), ("--mtl_arg", "--mtl_args")]
)
def test_unknown_option_names_the_nearest(tmp_path: Path, argument: str, nearest: str) -> None:
    line = error(tmp_path, argument, "1")
    assert line == f"prog: error: {argument}: unknown option; did you mean {nearest}?"


def test_unknown_option_without_a_near_one(tmp_path: Path) -> None:
    assert error(tmp_path, "--zzzzzzzz=1") == "prog: error: --zzzzzzzz: unknown option; --help lists the options"


@pytest.mark.parametrize("value", ["True", "1", "yes", ""])
def test_boolean_is_checked(tmp_path: Path, value: str) -> None:
    assert error(tmp_path, "--flag", value) == f"prog: error: --flag: the value is true or false, not '{value}'"
    assert values(tmp_path, "--flag", "true")[2] == "true"


def test_option_without_default_is_an_error_of_the_script(tmp_path: Path) -> None:
    result = run(tmp_path, script=SCRIPT.replace("empty=\n", ""))
    assert result.returncode == 1
    assert result.stderr == "prog: error: options: empty is declared but has no default\n"


# --config.


def test_config_is_data_and_the_command_line_wins(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text(
        "# comment\n\nstage=5\r\n  stop-stage=6\nflag=true\nmtl_args=\"--x 'y' $(touch pwned)\"\nempty=a = b"
    )
    result = values(tmp_path, "--stage", "2", "--config", "a.conf")
    assert result == ["2", "6", "true", "--x 'y' $(touch pwned)", "a = b", "0"]
    assert not (tmp_path / "pwned").exists()


def test_later_config_wins(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("stage=5\nstop_stage=6\n")
    (tmp_path / "b.conf").write_text("stage=7\n")
    assert values(tmp_path, "--config=a.conf", "--config=b.conf")[:2] == ["7", "6"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stage=1\nstagee=2\n", "a.conf:2: stagee: unknown option; did you mean --stage?"),
        ("stage 5\n", "a.conf:1: a line is name=value, not 'stage 5'"),
        ("flag=maybe\n", "a.conf:1: flag: the value is true or false, not 'maybe'"),
        ("touch pwned\n", "a.conf:1: a line is name=value, not 'touch pwned'"),
    ],
)
def test_bad_config(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.conf").write_text(content)
    assert error(tmp_path, "--config", "a.conf") == f"prog: error: {message}"
    assert not (tmp_path / "pwned").exists()


def test_missing_config(tmp_path: Path) -> None:
    assert error(tmp_path, "--config", "no.conf") == "prog: error: --config no.conf: no such file"


# utils/log.sh.


def bash(tmp_path: Path, code: str) -> subprocess.CompletedProcess[str]:
    script = f"#!/usr/bin/env bash\nset -euo pipefail\n. {UTILS}/log.sh\n{code}\n"
    return run(tmp_path, script=script)


def test_log_names_the_callers_line(tmp_path: Path) -> None:
    result = bash(tmp_path, "log some words\nlog more")
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.endswith(" (prog:4) some words")
    assert second.endswith(" (prog:5) more")


def test_die_is_one_line_and_exit_1(tmp_path: Path) -> None:
    result = bash(tmp_path, "die no such thing\necho not reached")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.endswith(" (prog:4) error: no such thing\n")


def test_stage_enabled(tmp_path: Path) -> None:
    code = "stage=2; stop_stage=4; for i in 1 2 3 4 5; do if stage_enabled $i; then echo $i; fi; done"
    assert bash(tmp_path, code).stdout.split() == ["2", "3", "4"]


@pytest.mark.parametrize("declared", ["stage=x; stop_stage=4", "stage=; stop_stage=4", "stage=1; stop_stage=1.5", ":"])
def test_stage_that_is_no_number_is_an_error_and_not_a_skipped_stage(tmp_path: Path, declared: str) -> None:
    result = bash(tmp_path, f"{declared}; if stage_enabled 1; then echo ran; fi; echo on")
    assert result.returncode == 1
    assert result.stdout == ""
    assert "--stage and --stop_stage take whole numbers" in result.stderr


def test_helpers(tmp_path: Path) -> None:
    code = "min 3 1 2; max 3 10 2; elapsed 5; elapsed 65; elapsed 3723"
    assert bash(tmp_path, code).stdout.splitlines() == ["1", "10", "5s", "1m 05s", "1h 02m 03s"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("a=; require_arg a", "--a is needed"),
        ("require_file no", "no: no such file; run the stage that makes it, or mend the path"),
        (": > empty; require_file empty", "empty: the file is empty; run the stage that makes it again"),
        ("require_dir no", "no: no such directory; run the stage that makes it"),
    ],
)
def test_requirements(tmp_path: Path, code: str, message: str) -> None:
    result = bash(tmp_path, code)
    assert result.returncode == 1
    assert result.stderr.endswith(f"error: {message}\n")


def test_an_option_may_be_called_as_a_variable_of_the_parser_is(tmp_path: Path) -> None:
    names = ["name", "value", "where", "file", "line", "number", "about", "next"]
    declared = "".join(f"{name}=none\n" for name in names)
    values = " ".join(f'"${name}"' for name in names)
    script = (
        f"set -euo pipefail\noptions='{' '.join(names)}'\n{declared}. {UTILS}/parse_options.sh\nprintf '%s|' {values}\n"
    )
    (tmp_path / "conf").write_text("".join(f"{name}={name} of the file\n" for name in names[:4]))
    given = [word for name in names[4:] for word in (f"--{name}", f"{name} given")]
    result = run(tmp_path, "--config", "conf", *given, script=script)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("|")[:-1] == [f"{n} of the file" for n in names[:4]] + [f"{n} given" for n in names[4:]]
    shown = run(tmp_path, "--help", script=script).stdout
    assert all(f"--{name} " in shown for name in names)
