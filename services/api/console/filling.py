"""What stands in a form's fields: texts, spelled from the JSON that they mean. `reading.py` is the way back.

A field's name is the JSON pointer of its value in the body (`/params/tables/0/table`), so what the API finds wrong
with the body lies beside the field that it came from.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.api.console.fields import ABSENT, Field, Kind
from services.api.invalid import pointer

Texts = dict[str, str]
NONE: Final = "null:"
"""Begins the name of the box beside a field that says: null."""
MAX_ROWS: Final = 200


def below(base: str, name: str | int) -> str:
    """Return the pointer of a value within another."""
    return base + pointer([name])


def spelled(fields: Sequence[Field], values: Mapping[str, Any], base: str) -> Texts:
    """Return the texts of these fields; what has no value shows its default."""
    texts: Texts = {}
    for one in fields:
        value, at = values.get(one.name, one.default), below(base, one.name)
        if value is None and one.emptied:
            texts[NONE + at] = "on"
        if one.kind is Kind.GROUP:
            texts |= spelled(one.fields, value if isinstance(value, Mapping) else {}, at)
        elif one.kind is Kind.ROWS:
            texts |= _rows(one, value if isinstance(value, list) else [], at)
        elif value is not None and value is not ABSENT:
            texts[at] = _text(one, value)
    return texts


def _rows(one: Field, values: Sequence[Any], at: str) -> Texts:
    """Return the texts of a list; one that is needed begins with an empty row."""
    rows = [row for row in values if isinstance(row, Mapping)][:MAX_ROWS] or ([{}] if one.required else [])
    texts = {at: str(len(rows))}
    for place, row in enumerate(rows):
        texts |= spelled(one.fields, row, below(at, place))
    return texts


def _text(one: Field, value: Any) -> str:
    match one.kind:
        case Kind.CHECK:
            return "on" if value is True else ""
        case Kind.LINES if isinstance(value, list):
            return "\n".join(word(item) for item in value)
        case Kind.PAIRS if isinstance(value, Mapping):
            return "\n".join(f"{key} = {word(item)}" for key, item in value.items())
        case Kind.JSON:
            return pretty(value)
        case _:
            return word(value)


def pretty(value: Any) -> str:
    """Return JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def word(value: Any) -> str:
    """Return a value as one word: a text as it is, anything else as JSON; 80.0 is 80."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def count(texts: Mapping[str, str], at: str) -> int:
    """Return how many rows a list has in a form."""
    text = texts.get(at, "")
    return min(int(text), MAX_ROWS) if text.isascii() and text.isdigit() and len(text) < 6 else 0
