r"""Rows as result files keep them: JSON lines, one array of cells a line.

A cell is null, a boolean, a number or a string. Bytes become `\x…` in hex; a number that JSON cannot write (`NaN`,
`Infinity`) becomes a string. Whole pieces come out, so that memory does not grow with the result.
"""

from collections.abc import Iterator
from typing import Final

from pydantic_core import to_json

from services.executor.sql.driver import Cell, Driver, Row

PIECE: Final = 128 * 1024
"""From how many bytes on a piece is handed over."""


def line(row: Row) -> bytes:
    """Write one row, with its line break."""
    cells: list[Cell] = [f"\\x{cell.hex()}" if isinstance(cell, bytes) else cell for cell in row]
    return to_json(cells, inf_nan_mode="strings") + b"\n"


class Pieces:
    """The rows of the driver's statement up to a limit, in pieces of at least 128 KiB but the last one."""

    def __init__(self, driver: Driver, limit: int) -> None:
        self._driver = driver
        self._rows: Iterator[Row] = driver.rows()
        self._limit = limit
        self.rows = 0
        self.truncated = False
        self.ended = False

    def next(self) -> bytes:
        """Give the next piece; blocks. `ended` says whether it was the last. Raises `StatementFailed`."""
        piece = bytearray()
        for row in self._rows:
            if self.rows == self._limit:
                self.truncated = True
                self._driver.discard()
                break
            piece += line(row)
            self.rows += 1
            if len(piece) >= PIECE:
                return bytes(piece)
        self.ended = True
        return bytes(piece)
