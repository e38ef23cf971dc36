"""Reading the tables of a document, so that house tests can hold them against the program."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def table(document: str, *header: str) -> list[tuple[str, ...]]:
    """The rows of the one table in `docs/<document>` whose header cells are these, without code marks."""
    lines = (DOCS / document).read_text(encoding="utf-8").splitlines()
    found = [place for place, line in enumerate(lines) if cells(line) == header]
    assert len(found) == 1, f"{len(found)} tables with the header {header} in {document}"
    rows = []
    for line in lines[found[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    assert rows
    return rows


def cells(line: str) -> tuple[str, ...]:
    """The cells of a table's line."""
    return tuple(re.sub("`", "", cell).strip() for cell in line.strip().strip("|").split("|"))
