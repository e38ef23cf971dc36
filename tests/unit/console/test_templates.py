"""What no template may have, and how much the browser is given besides pages."""

import re
from pathlib import Path

import pytest

from services.api.console.pages import HERE, STATIC

TEMPLATES = sorted((HERE / "templates").rglob("*.html"))
FORBIDDEN = {
    "a style of its own": re.compile(r"\sstyle\s*=|<style", re.IGNORECASE),
    "a script of its own": re.compile(r"<script(?![^>]*\ssrc=)|\son[a-z]+\s*=|javascript:", re.IGNORECASE),
    "text that is not escaped": re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(", re.IGNORECASE),
    "another host": re.compile(r"(?:href|src|action)=\"(?:[a-z]+:)?//", re.IGNORECASE),
}
MOST_LINES = {"live.js": 150, "style.css": 400}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(HERE / "templates")))
def test_a_template_brings_nothing_along(path: Path) -> None:
    """The policy would stop it; what would be stopped shall not be written."""
    text = path.read_text(encoding="utf-8")
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(HERE / "templates")))
def test_a_form_that_acts_has_its_token(path: Path) -> None:
    """Each of them, but the one that signs in: there is no session yet."""
    text = path.read_text(encoding="utf-8")
    forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", text, re.DOTALL | re.IGNORECASE)
    lacking = [form[:80] for form in forms if 'name="csrf"' not in form and 'action="/login"' not in form]
    assert lacking == []


@pytest.mark.parametrize(("name", "most"), MOST_LINES.items())
def test_what_every_page_brings_stays_small(name: str, most: int) -> None:
    """One style sheet and one script, that somebody can read in a sitting."""
    assert len((STATIC / name).read_text(encoding="utf-8").splitlines()) <= most
