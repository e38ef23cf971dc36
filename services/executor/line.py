"""Log lines: raw bytes become lines, and a line becomes harmless text.

Responsible for what may stand in a stored line: no line breaks, no control characters, no terminal sequences,
bounded length. Refuses to know where lines go.
"""

import codecs
import io
import re
from collections.abc import Awaitable, Callable, Iterator

MAX_LINE = 16 * 1024

# Colours and cursor movements of terminals: dropped, they only make sense on one.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# C0 without tab, DEL, C1, line and paragraph separators, direction overrides and isolates, lone surrogates.
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    r"""Return `text` without terminal sequences and with every other control character spelled out (`\x00`)."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_spell, _TERMINAL.sub("", text))


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def pieces(text: str) -> Iterator[str]:
    """Split text into lines, and lines that are too long into parts of `MAX_LINE` characters."""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if len(line) <= MAX_LINE:
            yield line
        else:
            yield from (line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE))


class Lines:
    r"""Bytes to lines: UTF-8 with replacement; `\n`, `\r\n` and a progress bar's `\r` all end a line.

    `write` gets whole lines, many at a time; `closed` says that nobody keeps lines any more, so splitting can stop.
    """

    __slots__ = ("_closed", "_decoder", "_rest", "_write")

    def __init__(self, write: Callable[[list[str]], Awaitable[None]], closed: Callable[[], bool]) -> None:
        self._write = write
        self._closed = closed
        self._rest = ""
        self._decoder: io.IncrementalNewlineDecoder | None = None

    async def feed(self, data: bytes) -> None:
        """Take bytes; waits while the log is behind."""
        if self._closed():
            return
        if self._decoder is None:
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        while len(self._rest) > MAX_LINE:
            lines.append(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]
        if lines:
            await self._write(lines)

    async def end(self) -> None:
        """Hand over a last line that had no newline."""
        if self._decoder is not None:
            self._rest += self._decoder.decode(b"", final=True)
        if self._rest:
            rest, self._rest = self._rest.removesuffix("\n"), ""
            await self._write([rest])
