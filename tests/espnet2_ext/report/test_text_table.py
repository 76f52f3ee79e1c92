from espnet2_ext.report.text_table import (
    escape_markdown,
    format_interval,
    format_number,
    markdown_table,
    plain_table,
)


def test_numbers_and_dashes() -> None:
    assert format_number(1.23456) == "1.235"
    assert format_number(None) == "–"
    assert format_interval((0.1, 0.25)) == "[0.100, 0.250]"
    assert format_interval(None) == "–"


def test_plain_table_is_aligned() -> None:
    assert plain_table(["a", "bb"], [["long name", "1"], ["x", "22.5"]]).splitlines() == [
        "a            bb",
        "---------  ----",
        "long name     1",
        "x          22.5",
    ]


def test_markdown_cells_stay_cells() -> None:
    assert markdown_table(["a", "b"], [["x|y", "1"]]).splitlines() == ["| a | b |", "| --- | ---: |", "| x\\|y | 1 |"]


def test_markup_in_names_is_text() -> None:
    assert escape_markdown("<b>*a*_b_\n[c](d)") == "&lt;b&gt;\\*a\\*\\_b\\_ [c]\\(d)"
