"""Templates and static files of the console. A file's address carries its hash, so browsers may keep it for ever."""

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.api.console.span import ago, iso

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"
WIDE: Final = 560
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
    return f"/static/{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}/{name}"


def render(template: str, **context: Any) -> str:
    """Return a page."""
    return _environment().get_template(template).render(context)
