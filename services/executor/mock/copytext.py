"""PostgreSQL's COPY text format, written by hand: a column at a time, pools once for all."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from services.executor.mock.part import Recipe
from services.executor.mock.spaces import Pool, Space
from services.executor.mock.stream import Field, Stream

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
_NEEDED = re.compile(r"[\\\t\n\r\b\f\v]")
NULL = "\\N"


def text(value: Any) -> str:
    """Return one value as COPY takes it. NUL, which PostgreSQL keeps in no text, is left out."""
    if value is None:
        return NULL
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, bytes | memoryview):
        return "\\\\x" + bytes(value).hex()
    return _escaped(str(value).replace("\0", ""))


def _escaped(value: str) -> str:
    return _NEEDED.sub(lambda found: _ESCAPES[found.group()], value) if _NEEDED.search(value) else value


def encoded(recipe: Recipe) -> Recipe:
    """Return the recipe whose columns come as COPY text: pools are encoded here, the rest as it is drawn."""
    streams = tuple(
        Stream(
            tuple(Field(field.column, _texts(field.space), field.over, field.nulls) for field in stream.fields),
            stream.draw,
            stream.size,
        )
        for stream in recipe.streams
    )
    return Recipe(streams, recipe.columns, recipe.generators, recipe.notes)


def lines(columns: Sequence[Sequence[str | None]], *, nulls: Sequence[bool]) -> bytes:
    """Return rows as COPY takes them; `nulls` says which columns may hold None."""
    whole = [
        [NULL if value is None else value for value in column] if null else column
        for column, null in zip(columns, nulls, strict=True)
    ]
    rows = map("\t".join, zip(*whole, strict=True))
    return ("\n".join(rows) + "\n").encode()


class _Texts:
    """A space whose values are turned into text one by one."""

    plain = True

    def __init__(self, space: Space, write: Callable[[Any], str]) -> None:
        self._space, self._write, self.size = space, write, space.size

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Take and turn."""
        return list(map(self._write, self._space.take(numbers)))


class _Looked:
    """A pool whose texts were made before."""

    plain = True

    def __init__(self, values: Sequence[Any]) -> None:
        self._texts, self.size = [text(value) for value in values], len(values)

    def take(self, numbers: Sequence[int]) -> list[str]:
        """Look them up."""
        texts = self._texts
        return [texts[number] for number in numbers]


def _texts(space: Space) -> Space:
    if isinstance(space, Pool):
        return _Looked(space.values)
    first = space.take((0,))[0]
    if isinstance(first, str) and space.plain:
        return space
    if isinstance(first, str):
        return _Texts(space, _escaped)
    return _Texts(space, str if isinstance(first, int | float) and not isinstance(first, bool) else text)
