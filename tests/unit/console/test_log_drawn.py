"""Rows of the log pane: what a line becomes before a template draws it."""

from datetime import UTC, timedelta, timezone

from services.api.console.log_drawn import CUT, Look, plain
from services.api.rest.live.log_line import Cursor, Line

AT = "2026-11-21T22:30:00.482+00:00"


def line(text: str, *, seq: int = 7, place: int = 3, level: str = "INFO", at: str = AT) -> Line:
    """A line of the first run."""
    return Line(seq, place, (1, 1, "execute"), at, level, text)


def test_hits_are_marked_whatever_their_case() -> None:
    """Each occurrence, literally, and the text in between stays as it is."""
    drawn = Look("/tasks/1", UTC, "b.c").line(line("a B.C bxc b.cb.C"))
    assert drawn.parts == (("a ", False), ("B.C", True), (" bxc ", False), ("b.c", True), ("b.C", True))
    assert "".join(text for text, _ in drawn.parts) == "a B.C bxc b.cb.C"


def test_a_line_has_an_address() -> None:
    """It names the line, keeps what was chosen, and leads to the very row."""
    drawn = Look("/tasks/1?level=Alert", UTC, "").line(line("x"))
    assert (drawn.id, drawn.href) == ("L7.3", "/tasks/1?level=Alert&line=7.3#L7.3")
    assert Look("/tasks/1", UTC, "").line(line("x")).href == "/tasks/1?line=7.3#L7.3"


def test_times_are_those_of_the_readers_zone() -> None:
    """Also where that is another day; the whole time with its offset is the title."""
    drawn = Look("/", timezone(timedelta(hours=2)), "").line(line("x"))
    assert (drawn.when, drawn.at) == ("00:30:00.482", "2026-11-22T00:30:00.482+02:00")
    assert Look("/", UTC, "").line(line("x", at="not a time")).when == "not a time"


def test_a_very_long_line_is_cut_until_it_is_opened() -> None:
    """It says how much is left out; by its own address it is whole."""
    text = "x" * (CUT + 14)
    cut = Look("/", UTC, "").line(line(text))
    assert (len(cut.parts[0][0]), cut.left) == (CUT, 14)
    opened = Look("/", UTC, "", Cursor(7, 3, None)).line(line(text))
    assert (opened.parts, opened.left, opened.here) == (((text, False),), 0, True)


def test_what_a_terminal_would_obey_is_text() -> None:
    """Colours go, other control characters and turned directions are spelled out."""
    assert plain("\x1b[31mred\x1b[0m \x1b]0;title\x07plain") == "red plain"
    assert plain("a\x08b \u202egnp.exe") == "a\\x08b \\u202egnp.exe"
    assert plain("tab\tstays, ÄÖ 数 too") == "tab\tstays, ÄÖ 数 too"
