"""The lines of a subtask's log one by one, and which of them somebody asks for. Knows neither store nor request.

A line's address is its batch's sequence in LOGS and its place in the batch: it stays the same for as long as the line
is kept. A cursor is an address and, where the lines were counted from the first one kept, the line's number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from services.api.rest.log_text import Key, line_time
from shared.store.logs import Stored

LEVELS: Final = {
    "ALL": None,
    "ALERT": frozenset({"WARN", "ERROR"}),
    "DEBUG": frozenset({"DEBUG"}),
    "INFO": frozenset({"INFO"}),
    "WARN": frozenset({"WARN"}),
    "ERROR": frozenset({"ERROR"}),
}
"""What `level` can say, and which levels it leaves; None is all. Alert is what ODC calls its alert log."""
UNREADABLE: Final = "ERROR"
_HEAD: Final = re.compile(rb'\{"v": ?[0-9]+, ?"generation": ?([0-9]+), ?"attempt": ?([0-9]+), ?"phase": ?"([a-z]+)"')
_CURSOR: Final = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})(?:\.([0-9]{1,15}))?", re.ASCII)
_LINE: Final = b'{"t":'


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind which line: batch, place in it, and the line's number from 1 where it is known (0 before the first)."""

    seq: int = 0
    place: int = 0
    number: int | None = 0

    @classmethod
    def of(cls, text: str) -> "Cursor | None":
        """Return the cursor that `text` says, or None."""
        found = _CURSOR.fullmatch(text)
        return cls(int(found[1]), int(found[2]), int(found[3]) if found[3] else None) if found else None

    def __str__(self) -> str:
        number = f".{self.number}" if self.number is not None else ""
        return f"{self.seq}.{self.place}{number}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a run; `place` counts from 1 within its batch."""

    seq: int
    place: int
    run: Key
    at: str
    level: str
    text: str

    def cursor(self, number: int | None) -> Cursor:
        """Return the position behind this line."""
        return Cursor(self.seq, self.place, number)

    def shown(self, number: int | None) -> dict[str, Any]:
        """Return the JSON form."""
        generation, attempt, phase = self.run
        found: dict[str, Any] = {"cursor": str(self.cursor(number)), "at": self.at, "level": self.level}
        if number is not None:
            found["number"] = number
        return {**found, "text": self.text, "run": f"{generation}-{attempt}", "phase": phase}

    def plain(self) -> str:
        """Return the line as it stands in a text."""
        return f"{self.at} {self.level} {self.text}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of these levels, with this text whatever its case, of these runs."""

    levels: frozenset[str] | None = None
    find: str | None = None
    runs: frozenset[tuple[int, int, str | None]] | None = None
    """Generation, attempt and phase, None for either phase."""
    until: str | None = None
    """None later than this time, as lines show theirs."""

    @property
    def everything(self) -> bool:
        """Whether no line is left out."""
        return self == Wanted()

    def may_be_in(self, body: bytes) -> bool:
        """Whether a batch may have such a line: a glance at its bytes spares reading most of them."""
        if self.runs is not None:
            head = _HEAD.match(body)
            if head is not None and not self._of_run((int(head[1]), int(head[2]), head[3].decode())):
                return False
        if self.levels is not None and not any(b'"%s"' % level.encode() in body for level in self.levels):
            return False
        if self.find is None or not self.find.isascii():
            return True
        return json.dumps(self.find.lower())[1:-1].encode() in body.lower()

    def fits(self, line: Line) -> bool:
        """Whether it is asked for."""
        if self.levels is not None and line.level not in self.levels:
            return False
        if self.runs is not None and not self._of_run(line.run):
            return False
        if self.until is not None and line.at > self.until:
            return False
        return self.find is None or self.find.lower() in line.text.lower()

    def _of_run(self, run: Key) -> bool:
        either: frozenset[tuple[int, int, str | None]] = frozenset({run, (run[0], run[1], None)})
        return self.runs is None or not self.runs.isdisjoint(either)


def lines_of(stored: Stored) -> Iterator[Line]:
    """Yield the lines of a batch; one that cannot be read is a line that says so."""
    try:
        found = json.loads(stored.body)
        run = (int(found["generation"]), int(found["attempt"]), str(found["phase"]))
        lines = [(line_time(line["t"]), str(line["l"]), str(line["m"])) for line in found["lines"]]
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        run, lines = (0, 0, ""), [("", UNREADABLE, f"[{len(stored.body)} bytes of log cannot be read]")]
    for place, (at, level, text) in enumerate(lines, 1):
        yield Line(stored.seq, place, run, at, level, text)


def count(body: bytes) -> int:
    """Return how many lines a batch has, without reading them: a quote inside a line is escaped."""
    return body.count(_LINE) or 1
