"""Templates and static files of the console. A file's address carries its hash, so browsers may keep it for ever."""

from collections.abc import Callable, Container
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.api.console.drawing import BESIDE
from services.api.console.span import ago, iso

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
WIDE: Final = BESIDE
"""A graph wider than this (px) has the log below it, not beside it."""


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(ago=ago, iso=iso)
    found.globals.update(static=static, WIDE=WIDE)
    return found


@cache
def static(name: str) -> str:
    """Return the address of a static file."""
    return f"/static/{sha256(read(name)).hexdigest()[:12]}/{name}"


@cache
def read(name: str) -> bytes:
    """Return a static file's content, as it was when it was first asked for."""
    return (STATIC / name).read_bytes()


def render(template: str, **context: Any) -> str:
    """Return a page."""
    return _environment().get_template(template).render(context)


def pieces(template: str, *, leaving: Container[str] = ("main",), **context: Any) -> dict[str, str]:
    """Return a page's live pieces by the ids of their elements, and its `title`: each is a block of its template.

    `leaving`: blocks that are no pieces.
    """
    found = _environment().get_template(template)
    room = found.new_context(context)
    next(found.root_render_func(room))  # as far as its imports, which blocks stand on
    wanted = {name: block for name, block in found.blocks.items() if name not in leaving}
    return {name: "".join(block(room)).strip() for name, block in wanted.items()}


def macro(template: str, name: str, **context: Any) -> Callable[..., str]:
    """Return a macro of a template, to be called as templates do."""
    found: Callable[..., str] = getattr(_environment().get_template(template).make_module(context), name)
    return found
