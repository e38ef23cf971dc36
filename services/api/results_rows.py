"""Result files of scripts, read as they come: JSON lines, one array of cells a line. Holds a page, never a file.

Refuses to know what a result set is of, and how rows are shown.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from shared.store.objects import ResultDamaged

PAGE_BYTES: Final = 16 * 1024 * 1024
"""What one page takes at most, as it lies in the file."""
ROW_BYTES: Final = 64 * 1024 * 1024
"""A longer line is taken for damage."""


class PageTooLarge(Exception):  # noqa: N818  an answer
    """The rows of one page have more than `PAGE_BYTES`."""


Pieces = AsyncGenerator[bytes]


async def page_of(pieces: Pieces, start: int, count: int) -> list[list[Any]]:
    """Return `count` rows behind the first `start`, or as many as there are; reading ends with the last of them.

    Only when the end of the file was reached has its hash been checked. Raises `PageTooLarge`, `ResultsUnavailable`.
    """
    found: list[bytes] = []
    size = 0
    async with aclosing(pieces):
        async for lines in blocks(pieces, skip=start):
            for line in lines.split(b"\n"):
                size += len(line)
                if size > PAGE_BYTES:
                    raise PageTooLarge
                found.append(line)
                if len(found) == count:
                    return [row(line) for line in found]
    return [row(line) for line in found]


async def blocks(pieces: AsyncIterator[bytes], *, skip: int = 0) -> AsyncGenerator[bytes]:
    """Give whole lines, many at once, without the last one's newline; the first `skip` lines are left out.

    Raises `ResultDamaged` for a line that does not end.
    """
    rest = b""
    async for piece in pieces:
        data = rest + piece if rest else piece
        if skip:
            skip, data = _behind(data, skip)
        end = data.rfind(b"\n")
        if end >= 0:
            yield data[:end]
        rest = data[end + 1 :]
        if len(rest) > ROW_BYTES:
            raise ResultDamaged(f"a result file has a line of more than {ROW_BYTES} bytes")
    if rest and not skip:
        yield rest


def row(line: bytes) -> list[Any]:
    """Return one row. Raises `ResultDamaged` for what is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ResultDamaged("a result file has a line that is no row")
    return found


def _behind(data: bytes, skip: int) -> tuple[int, bytes]:
    """Return how many lines are still to be left out, and the data behind those that were.

    A line that goes on in the next piece keeps nothing but its place.
    """
    count = data.count(b"\n")
    if count < skip:
        return skip - count, b""
    place = -1
    for _ in range(skip):
        place = data.index(b"\n", place + 1)
    return 0, data[place + 1 :]
