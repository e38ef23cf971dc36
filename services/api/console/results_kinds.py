"""What made-up data and synchronisations tell of themselves, as rows of a report. Pure; believes nothing of them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from services.api.console.object_lists_read import address_of
from services.api.results import Carried

MOCK: Final = "mock"
MOCK_CHECK: Final = "mock_check"
COUNTS: Final = ("requested", "synced", "failed", "ignored", "bytes")
NOTES: Final = 20

Row = dict[str, Any]


def mock_row(about: Row, carried: Carried) -> Row:
    """Return the report's row for one table."""
    value = carried.value
    columns = _mapping(value.get("columns"))
    others = ", ".join(f"{name} {count}" for name, count in _mapping(value.get("cleared_others")).items())
    return {
        **about,
        "table": str(value.get("table", "")),
        "written": number(value.get("written")),
        "conflicting": number(value.get("conflicting")),
        "ignored": number(value.get("ignored")),
        "cleared": number(value.get("cleared")),
        "others": others,
        "pace": number(value.get("rows_per_second")),
        "strategy": str(value.get("strategy", "")),
        "seed": str(value.get("seed", "")),
        "columns": ", ".join(f"{name}: {maker}" for name, maker in columns.items()),
    }


def check_rows(carried: Carried) -> list[Row]:
    """Return what the check found of each table."""
    return [
        {
            "table": str(name),
            "rows": number(_mapping(about).get("rows")),
            "columns": ", ".join(f"{one}: {maker}" for one, maker in _mapping(_mapping(about).get("columns")).items()),
            "notes": [str(note) for note in _list(_mapping(about).get("notes"))[:NOTES]],
        }
        for name, about in _mapping(carried.value.get("tables")).items()
    ]


def sync_row(about: Row, carried: Carried, parent: int | None = None) -> Row:
    """Return what one subtask adds to the counts, its lists in the destination, and causes and samples of failures.

    `parent`: the standing task; paths below its directory lead to pages.
    """
    value = carried.value
    counts = _mapping(value.get("sync"))
    lists = value.get("lists")
    named = list(lists.values()) if isinstance(lists, Mapping) else _list(lists)
    return {
        **about,
        "counts": {name: number(counts.get(name)) for name in COUNTS},
        "unsettled": number(value.get("unsettled")),
        "lists": [(str(one), address_of(str(one), parent)) for one in named[:NOTES]],
        "causes": ", ".join(f"{cause} {count}" for cause, count in _mapping(value.get("causes")).items()),
        "sample": [
            {"key": str(one.get("key", "")), "cause": str(one.get("cause", ""))}
            for one in _list(value.get("sample"))[:NOTES]
            if isinstance(one, Mapping)
        ],
    }


def sync_sum(rows: Iterable[Row]) -> dict[str, int]:
    """Return the sums over all subtasks."""
    found = list(rows)
    return {name: sum(row["counts"][name] for row in found) for name in COUNTS}


def number(value: Any) -> int:
    """Return a count, 0 for what is none."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18 else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
