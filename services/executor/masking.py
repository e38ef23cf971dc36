"""Masking: what an operation was told in confidence does not stand in anything that is kept.

Responsible for recognising a value in text, bytes and JSON, plain and in the forms that programs give it: base64
(either alphabet, at any offset), URL quoting, JSON and Python strings, hex. Refuses to know where values come from.
Values shorter than four characters are left alone: they would mask half of every text. While nothing is known, nothing
is done.
"""

import json
import logging
import shlex
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
SHORTEST: Final = 4
SHORTEST_LINE: Final = 8
"""Of a value of several lines, such as a private key, each line is masked that is at least so long."""
MOST: Final = 100
"""How many values the log of a process remembers."""


class Masker:
    """The values known so far, and how to take them out of what is kept."""

    __slots__ = ("_bytes", "_forms", "_starts", "_values")

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}
        self._forms: list[str] = []
        self._bytes: list[bytes] = []
        self._starts: dict[bytes, list[bytes]] = {}
        """Forms by what an end of some bytes may look like that is their beginning."""

    def __bool__(self) -> bool:
        return bool(self._forms)

    def add(self, value: str, *, most: int | None = None) -> None:
        """Mask this value from now on; `most`: forget the oldest ones beyond that many."""
        if len(value) < SHORTEST or value in self._values:
            return
        self._values[value] = set(forms(value))
        while most is not None and len(self._values) > most:
            del self._values[next(iter(self._values))]
        self._forms = sorted({form for found in self._values.values() for form in found}, key=len, reverse=True)
        self._bytes = [form.encode(errors="surrogateescape") for form in self._forms]
        self._starts = {}
        for form in self._bytes:
            for size in range(1, SHORTEST + 1):
                self._starts.setdefault(form[:size], []).append(form)

    def text(self, text: str) -> str:
        """Return the text, masked."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def data(self, data: bytes) -> bytes:
        """Return the bytes, masked."""
        for form in self._bytes:
            if form in data:
                data = data.replace(form, MASK.encode())
        return data

    def value(self, value: Any) -> Any:
        """Return what JSON can hold, masked: every text in it, keys included."""
        if not self._forms:
            return value
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(key)): self.value(item) for key, item in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
            case int() | float() if not isinstance(value, bool) and len(str(value)) >= SHORTEST:
                return self.text(str(value)) if str(value) in self._values else value
            case _:
                return value

    def open_end(self, data: bytes) -> int:
        """Return how many bytes at the end may be the beginning of a value."""
        longest = len(self._bytes[0]) - 1 if self._bytes else 0
        tail = data[-longest:] if longest else b""
        for place in range(len(tail)):
            end = tail[place:]
            if any(form.startswith(end) for form in self._starts.get(end[:SHORTEST], ())):
                return len(end)
        return 0


class Stream:
    """Bytes that come in pieces: a value that lies across two of them is found as well."""

    __slots__ = ("_masker", "_rest")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes and return what may be passed on; an end that may turn out to be a value is held back."""
        if not self._masker and not self._rest:
            return data
        masked = self._masker.data(self._rest + data)
        keep = self._masker.open_end(masked)
        self._rest = masked[len(masked) - keep :]
        return masked[: len(masked) - keep]

    def end(self) -> bytes:
        """Return what was held back."""
        rest, self._rest = self._masker.data(self._rest), b""
        return rest


class Discreet(logging.Formatter):
    """A formatter of this process's own log that masks what another one has formatted."""

    def __init__(self, formatter: logging.Formatter, masker: Masker) -> None:
        super().__init__()
        self._formatter = formatter
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, masked."""
        return self._masker.text(self._formatter.format(record))


def forms(value: str) -> Iterator[str]:
    """Give the forms of a value, itself included; each is at least as long as the shortest value that is masked."""
    yield from (form for form in _forms(value) if len(form) >= SHORTEST)
    lines = [line.strip() for line in value.splitlines()]
    for line in lines if len(lines) > 1 else ():
        if len(line) >= SHORTEST_LINE:
            yield from (form for form in _forms(line) if len(form) >= SHORTEST)
    if value.strip() != value and len(value.strip()) >= SHORTEST:
        yield from _forms(value.strip())


def _forms(value: str) -> Iterator[str]:
    yield value
    for escaped in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]):
        yield escaped
        yield json.dumps(escaped)[1:-1]  # JSON or a trace within JSON, as a line of a process's log is
        yield json.dumps(escaped, ensure_ascii=False)[1:-1]
    yield shlex.quote(value)
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield _lower(quoted)
    raw = value.encode(errors="surrogateescape")
    yield raw.hex()
    yield raw.hex().upper()
    for form in _base64(raw):
        yield form
        yield form.replace("+", "-").replace("/", "_")


def _lower(quoted: str) -> str:
    """Return a quoted text with its escapes in lower case, as some write them."""
    head, *rest = quoted.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _base64(raw: bytes) -> Iterator[str]:
    """Give what base64 makes of the bytes, whole, and what is theirs alone in something longer, at each offset."""
    yield b64encode(raw).decode()
    for before in range(3):
        text = b64encode(b"\0" * before + raw).decode()
        yield text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
