"""JSON as people read it: a row for each field, short values as they are, others laid out and cut. Knows no page."""

import json
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 200
"""Fields of one object."""
LONG: Final = 4_000
"""Characters of one value."""
SHORT: Final = 120
"""A value of this many characters stands in a line."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `block` is laid out over lines; `cut` says how many characters are left out."""

    name: str
    text: str
    block: bool = False
    cut: int = 0


def fields(value: Any) -> tuple[list[Field], int]:
    """Return the fields of an object, or one without a name for any other value, and how many are left out."""
    if value is None or value == {}:
        return [], 0
    if not isinstance(value, dict):
        return [_field("", value)], 0
    pairs = list(value.items())
    return [_field(str(name), one) for name, one in pairs[:MOST]], max(0, len(pairs) - MOST)


def whole(value: Any) -> bytes:
    """Return all of it, for a download."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode(errors="replace")


def _field(name: str, value: Any) -> Field:
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False)
        if len(text) > SHORT and isinstance(value, dict | list):
            text = json.dumps(value, ensure_ascii=False, indent=2) if len(text) < 20 * LONG else text
    block = len(text) > SHORT or "\n" in text
    return Field(name, text[:LONG] if text != "" else '""', block, max(0, len(text) - LONG))
