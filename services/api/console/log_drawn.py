"""Lines of a log as a page draws them: harmless text, hits marked, times in the reader's zone. Knows no store."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from services.api.console.log_frame import Frame, Mark
from services.api.rest.live.log_line import Cursor, Line
from services.api.rest.log_text import Key

CUT: Final = 1_000
"""How many characters of a line are shown before it is opened by itself."""
_TERMINAL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_UNSAFE: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One row: a line, or what stands between lines (`mark`).

    `parts` are texts and whether each is a hit; `left` is how many characters are left out.
    """

    parts: tuple[tuple[str, bool], ...]
    kind: str
    id: str = ""
    href: str = ""
    when: str = ""
    at: str = ""
    left: int = 0
    here: bool = False
    mark: bool = False


class Look:
    """How lines are shown. `base` is the page's address without a place in the log."""

    def __init__(self, base: str, tz: tzinfo, find: str, here: Cursor | None = None) -> None:
        self._base = base + ("&" if "?" in base else "?")
        self._tz = tz
        self._find = re.compile(f"({re.escape(find)})", re.IGNORECASE) if find else None
        self._here = (here.seq, here.place) if here is not None else None

    def line(self, line: Line) -> Drawn:
        """Return the row of a line."""
        name = f"{line.seq}.{line.place}"
        here = (line.seq, line.place) == self._here
        text = plain(line.text)
        left = 0 if here else max(0, len(text) - CUT)
        shown = text[: len(text) - left]
        href = f"{self._base}line={name}#L{name}"
        return Drawn(tuple(self._parts(shown)), line.level, f"L{name}", href, *self._times(line.at), left, here)

    def mark(self, mark: Mark) -> Drawn:
        """Return the row of what stands between lines."""
        when = mark.at.astimezone(self._tz).strftime("%Y-%m-%d %H:%M:%S") if mark.at is not None else ""
        at = mark.at.isoformat() if mark.at is not None else ""
        kind = "run" if mark.head else "said"
        return Drawn(((plain(mark.text), False),), kind, mark.id, when=when, at=at, mark=True)

    def _parts(self, text: str) -> Iterator[tuple[str, bool]]:
        pieces = self._find.split(text) if self._find is not None else [text]
        for place, piece in enumerate(pieces):
            if piece:
                yield piece, place % 2 == 1

    def _times(self, at: str) -> tuple[str, str]:
        try:
            then = datetime.fromisoformat(at).astimezone(self._tz)
        except (ValueError, OverflowError):
            return at[:12], at
        return then.strftime("%H:%M:%S.") + f"{then.microsecond // 1000:03}", then.isoformat(timespec="milliseconds")


def rows(
    look: Look, frame: Frame, lines: Iterable[Line], drawn: int, before: Key | None = None
) -> tuple[list[Drawn], int, Key | None]:
    """Return the rows of lines with what stands between them, how much of the frame is drawn, and the last run."""
    found: list[Drawn] = []
    for line in lines:
        marks, drawn = frame.until(drawn, line.run, before)
        found += [look.mark(mark) for mark in marks]
        found.append(look.line(line))
        before = line.run
    return found, drawn, before


def plain(text: str) -> str:
    """Return text without a terminal's colours and movements, other control characters spelled out."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_spelled, _TERMINAL.sub("", text))


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
