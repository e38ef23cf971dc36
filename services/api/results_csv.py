"""Rows as CSV that a spreadsheet program shows and never runs (S12).

Every value is quoted, quotes inside are doubled, lines end with CR LF (RFC 4180), the text is UTF-8. NULL is nothing at
all between the commas, an empty text is `""`, as PostgreSQL has it. What a spreadsheet program might take for a formula
gets a `'` before it; take it away again wherever what follows one would have got one. Refuses to know where rows are
from.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from services.api.results_rows import row

_BEGINNING: Final = "\\s\\x00-\\x1f\"'\u00a0\u200b\u2060\ufeff"
"""What a program may pass over before it looks whether a cell is a formula."""
_FORMULA: Final = re.compile(f"[\t\r]|[{_BEGINNING}]*[=+\\-@\uff1d\uff0b\uff0d\uff20]")
"""Also the wide forms, which programs in Chinese and Japanese take for the narrow ones."""
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_NUMERIC: Final = ("num", "dec", "int", "float", "double", "real")
"""Parts of the names of types whose cells are numbers, even where a file has them as texts."""
END: Final = "\r\n"


def header(columns: Iterable[Mapping[str, str]]) -> bytes:
    """Return the line with the columns' names."""
    return _line([_text(column["name"]) for column in columns])


class Table:
    """Makes the lines of one result set."""

    def __init__(self, columns: Sequence[Mapping[str, str]]) -> None:
        self._cells: list[Callable[[str], str]] = [
            _number if any(part in column.get("type", "").lower() for part in _NUMERIC) else _text for column in columns
        ]

    def lines(self, block: bytes) -> bytes:
        """Return the lines for rows of a result file. Raises `ResultDamaged`."""
        return b"".join(_line(self._row(row(line))) for line in block.split(b"\n"))

    def _row(self, cells: list[Any]) -> list[str]:
        texts = self._cells
        places = len(texts)
        return [_cell(value, texts[place] if place < places else _text) for place, value in enumerate(cells)]


def _cell(value: Any, text: Callable[[str], str]) -> str:
    if type(value) is str:
        return text(value)
    if value is None:
        return ""
    if value is True or value is False:
        return '"true"' if value else '"false"'
    if isinstance(value, int | float):
        return f'"{value!r}"'  # a number, also a negative one, is never a formula
    return text(json.dumps(value, ensure_ascii=False))


def _text(value: str) -> str:
    if _FORMULA.match(value):
        value = f"'{value}"
    return '"' + value.replace('"', '""') + '"'


def _number(value: str) -> str:
    return f'"{value}"' if _NUMBER.fullmatch(value) else _text(value)


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + END).encode(errors="replace")
