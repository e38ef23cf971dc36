"""Lines: what may stand in a stored line, and how bytes become lines."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.line import MAX_LINE, Lines, harmless, pieces


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode\ttab", "plain ünïcode\ttab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("nul\x00", "nul\\x00"),
        ("bell\x07 escape\x1b", "bell\\x07 escape\\x1b"),
        ("abc\u202edcb", "abc\\u202edcb"),
        ("line\u2028separator", "line\\u2028separator"),
        ('x\n{"level":"INFO"}', 'x\\x0a{"level":"INFO"}'),
    ],
)
def test_text_becomes_harmless(text: str, shown: str) -> None:
    """Terminal sequences go, every other control character is spelled out."""
    assert harmless(text) == shown


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    """Whatever goes in, nothing that moves a cursor or turns the reading direction comes out."""
    shown = harmless(text)

    assert all(character == "\t" or unicodedata.category(character) not in {"Cc", "Cs"} for character in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


@given(st.text(max_size=300).map(lambda text: text * 200))
def test_long_lines_are_split_and_nothing_is_lost(text: str) -> None:
    """Parts are bounded, and together they are the text without its line breaks."""
    parts = list(pieces(text))

    assert all(len(part) <= MAX_LINE for part in parts)
    assert "".join(parts) == text.replace("\r", "").replace("\n", "")


@given(st.binary(max_size=400), st.lists(st.integers(min_value=0, max_value=400), max_size=8))
async def test_lines_do_not_depend_on_how_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    """However a stream is cut into chunks, also inside a character or a line end, the same lines come out."""
    whole, parts = await _lines([data]), await _lines(_cut(data, cuts))

    assert parts == whole


async def test_progress_bars_end_lines() -> None:
    """A carriage return ends a line, so that a progress bar is readable as it happened."""
    assert await _lines([b"10%\r50%\r\n", b"done"]) == ["10%", "50%", "done"]


async def test_a_line_without_end_is_split() -> None:
    """A gigabyte without a newline does not wait for one."""
    lines = await _lines([b"x" * 10_000] * 10)

    assert [len(line) for line in lines] == [MAX_LINE] * 6 + [100_000 - 6 * MAX_LINE]


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


async def _lines(chunks: list[bytes]) -> list[str]:
    found: list[str] = []

    async def write(lines: list[str]) -> None:
        found.extend(lines)

    feed = Lines(write, lambda: False)
    for chunk in chunks:
        await feed.feed(chunk)
    await feed.end()
    return found
