"""What import contracts cannot see: the core asks no clock, and settings are made in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def calls(folder: str) -> Iterator[tuple[str, str]]:
    """Every call in a folder's modules: where, and the last part of what is called."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(found, ast.Call):
                called = found.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                yield str(path.relative_to(ROOT)), name


def test_the_core_asks_no_clock_and_opens_nothing() -> None:
    """Times come in with commands and decisions (I14)."""
    banned = {"now", "utcnow", "today", "open", "print", "input", "time", "monotonic", "uuid4", "token_hex"}
    assert [call for call in calls("shared/task") if call[1] in banned] == []


def test_only_main_makes_settings() -> None:
    """Everybody else is given them."""
    makers = {place for place, name in calls("services") if name == "Settings"}
    assert makers <= {"services/api/__main__.py", "services/executor/__main__.py"}
    assert makers
