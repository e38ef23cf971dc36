"""The table of routes and roles in docs/access.md; `python -m tests.house.matrix` makes it anew from the routes."""

from pathlib import Path
from typing import Final

from services.api.access import GRANTS, Role
from tests.support.routes import Route, every

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "access.md"
BEGIN, END = "<!-- routes: begin -->", "<!-- routes: end -->"
HEADER: Final = ("route", "needs", *(role.value for role in Role))


def row(route: Route) -> tuple[str, ...]:
    """A route's cells."""
    needs = "nothing" if route.permission is None else route.policy + (", or oneself" if route.own else "")
    marks = ["yes" if route.permission is None or route.permission in GRANTS[role] else "" for role in Role]
    return (f"{route.method} {route.path}", needs, *marks)


def rows() -> list[tuple[str, ...]]:
    """Every route's cells."""
    return [row(route) for route in every()]


def table() -> str:
    """The table as it stands in the page."""
    lines = [HEADER, ("---",) * len(HEADER), *((f"`{first}`", *rest) for first, *rest in rows())]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> None:
    """Put the table into the page."""
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
