"""Result sets of scripts on a page: which there are, a page of the chosen one's rows, and statements that failed."""

from collections.abc import Mapping
from typing import Any, Final

from services.api.console.task_shown import Shown
from services.api.rest import query
from services.api.rest.ports import api
from services.api.rest.results_find import reason
from services.api.results import Carried, ResultSet
from services.api.results_rows import PageTooLarge, page_of
from shared.store.objects import ResultDamaged, ResultMissing

SIZE: Final = 50
"""Rows on a page."""
MAX_PAGE: Final = 100_000_000
CELL: Final = 300
"""Characters of a cell."""
SETS: Final = 200
"""Result sets of one script that are listed."""
FAILURES: Final = 200
_NUMERIC: Final = ("int", "num", "dec", "float", "double", "real", "serial", "money")


def sets(found: Shown, number: int, carried: Carried) -> list[dict[str, Any]]:
    """Return the script's result sets, each with the way to its rows."""
    return [
        {
            "index": one.index,
            "sql": one.sql,
            "rows": one.rows,
            "columns": len(one.columns),
            "truncated": one.truncated,
            "href": found.address(of=number, set=one.index, page=None),
        }
        for one in carried.sets()[:SETS]
    ]


def failures(value: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the statements that failed, as far as they were recorded."""
    records = value.get("records")
    return [
        {name: str(one.get(name, "")) for name in ("index", "sql", "error")}
        for one in (records if isinstance(records, list) else [])[:FAILURES]
        if isinstance(one, Mapping)
    ]


async def table(found: Shown, scripts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return a page of rows of the chosen result set, of the first one unless one is chosen; None without any."""
    of, index = query.number(found.request, "of", least=1), query.number(found.request, "set", least=1)
    every = [(script["number"], script["name"], one) for script in scripts for one in script["found"]]
    if not every:
        return None
    chosen = next(((n, name, one) for n, name, one in every if (n, one.index) == (of, index)), every[0])
    number, name, one = chosen
    page = query.number(found.request, "page", 1, least=1, most=MAX_PAGE) or 1
    start = (page - 1) * SIZE
    rows, problem = await _rows(found, one, start)

    def way(to: int) -> str:
        return found.address(of=number, set=one.index, page=to if to > 1 else None)

    return {
        "of": number,
        "name": name,
        "index": one.index,
        "sql": one.sql,
        "columns": [{**column, "number": _numeric(column)} for column in one.columns],
        "rows": [_padded([cell(value) for value in row], len(one.columns)) for row in rows],
        "problem": problem,
        "said": f"Rows {start + 1:,} to {start + len(rows):,} of {one.rows:,}" if rows else f"{one.rows:,} rows",
        "truncated": one.truncated,
        "before": way(page - 1) if page > 1 else None,
        "behind": way(page + 1) if start + SIZE < one.rows else None,
    }


async def _rows(found: Shown, one: ResultSet, start: int) -> tuple[list[list[Any]], str]:
    """Return rows, or none and why."""
    if start >= one.rows:
        return [], ""
    try:
        return await page_of(api(found.request).results.read(one.reference), start, SIZE), ""
    except (ResultMissing, ResultDamaged) as error:
        return [], f"These rows cannot be read: {reason(error)}. Run the script again to have them anew."
    except PageTooLarge:
        return [], "These rows are too large for a page. Download the results to see them."


def cell(value: Any) -> dict[str, Any]:
    """Return a cell as it is shown: NULL is told apart from a text, long texts are cut."""
    if value is None:
        return {"text": "NULL", "null": True, "cut": False}
    text = value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return {"text": text[:CELL], "null": False, "cut": len(text) > CELL}


def _padded(cells: list[dict[str, Any]], width: int) -> list[dict[str, Any]]:
    return cells + [{"text": "", "null": False, "cut": False}] * (width - len(cells))


def _numeric(column: Mapping[str, str]) -> bool:
    return any(part in column["type"].lower() for part in _NUMERIC)
