"""The two streams: stdout for what was asked, stderr for everything said beside it.

Responsible for: width, colour and what of foreign text may reach a terminal. Refuses to know: tasks.
"""

import re
import sys
from functools import cache

from rich.console import Console, RenderableType
from rich.table import Table
from rich.theme import Theme

THEME = Theme(
    {
        "good": "green",
        "bad": "red",
        "warn": "yellow",
        "live": "cyan",
        "quiet": "dim",
        "head": "bold",
        "label": "dim",
    }
)
_PIPED_WIDTH = 10_000
GAP = 3
"""Spaces between the columns of a table."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@cache
def out() -> Console:
    """Standard output; when it is no terminal, lines are never cut or wrapped."""
    return _console(stderr=False)


@cache
def err() -> Console:
    """Standard error, likewise."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(
        stderr=stderr,
        theme=THEME,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if stream.isatty() else _PIPED_WIDTH,
    )


def clean(value: str) -> str:
    """Foreign text on one line, with control and direction characters made visible instead of obeyed."""
    return _CONTROL.sub(_visible, value.replace("\n", " ").replace("\t", " "))


def clean_log(value: str) -> str:
    """Foreign output: lines and colours stay, every other control character is made visible."""
    kept = _COLOUR.split(value.replace("\r\n", "\n"))
    colours = [*_COLOUR.findall(value), ""]
    return "".join(_CONTROL.sub(_visible, part) + colour for part, colour in zip(kept, colours, strict=True))


def _visible(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


def grid(*columns: str, right: tuple[str, ...] = (), wide: str | None = None) -> Table:
    """A calm table: quiet headings, two spaces between columns, no lines; `wide` names the one that may wrap."""
    table = Table(box=None, show_header=True, header_style="label", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column != wide,
            overflow="fold" if column == wide else "ellipsis",
        )
    return table


def show(console: Console, *parts: RenderableType) -> None:
    """Print tables and what stands around them; without a terminal, without the spaces that pad a last column."""
    if console.is_terminal:
        console.print(*parts, sep="\n")
        return
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    for line in capture.get().splitlines():
        console.out(line.rstrip(), highlight=False)
