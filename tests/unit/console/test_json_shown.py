"""Parameters and outputs as rows."""

import json

from services.api.console.json_shown import LONG, MOST, fields, whole


def test_short_values_stand_in_a_line_and_others_are_laid_out() -> None:
    """Texts as they are, everything else as JSON has it."""
    rows, more = fields({"name": "acme", "limit": -1, "on": True, "none": None, "empty": "", "list": list(range(60))})
    assert more == 0
    assert [(row.name, row.text) for row in rows[:5]] == [
        ("name", "acme"), ("limit", "-1"), ("on", "true"), ("none", "null"), ("empty", '""'),
    ]  # fmt: skip
    assert not any(row.block for row in rows[:5])
    assert rows[5].block
    assert json.loads(rows[5].text) == list(range(60))


def test_what_is_long_is_cut_and_says_by_how_much() -> None:
    """A page never carries a whole dump; the download does."""
    value = {"dump": "x" * (LONG + 7), **{f"k{n}": n for n in range(MOST)}}
    rows, more = fields(value)
    assert (len(rows[0].text), rows[0].cut, more) == (LONG, 7, 1)
    assert json.loads(whole(value)) == value


def test_what_is_no_object_is_one_row() -> None:
    """Outputs may be anything; nothing is nothing."""
    assert [row.text for row in fields([1, 2])[0]] == ["[1, 2]"]
    assert fields(None) == fields({}) == ([], 0)
