"""Reports of made-up data and synchronisations."""

from typing import Any

import pytest

from services.api.console.results_kinds import check_rows, mock_row, number, sync_row, sync_sum
from services.api.console.results_rows_view import cell
from services.api.results import Carried


def test_a_table_of_made_up_rows_is_a_row_of_the_report() -> None:
    """Counts, and which generator each column had."""
    value = {
        "kind": "mock", "table": "customers", "written": 1000, "conflicting": 7, "ignored": 7, "cleared": 3,
        "cleared_others": {"orders": 40}, "seed": 2026, "strategy": "IGNORE", "rows_per_second": 255348,
        "columns": {"id": "default", "city": "city"},
    }  # fmt: skip
    row = mock_row({"number": 2}, Carried("mock", value))
    assert (row["table"], row["written"], row["others"], row["columns"]) == (
        "customers", 1000, "orders 40", "id: default, city: city",
    )  # fmt: skip


def test_counts_of_a_synchronisation_add_up() -> None:
    """Each subtask says what it added; lists may be a list or named, and those of the standing task have a page."""
    first = sync_row({}, Carried("sync", {"sync": {"requested": 3, "synced": 2}, "lists": {"success": "a.txt"}}))
    second = sync_row({}, Carried("sync", {"sync": {"failed": 1}, "causes": {"NoSuchKey": 1}, "lists": ["b.txt"]}))
    assert sync_sum([first, second]) == {"requested": 3, "synced": 2, "failed": 1, "ignored": 0, "bytes": 0}
    assert (first["lists"], second["lists"]) == ([("a.txt", None)], [("b.txt", None)])
    assert second["causes"] == "NoSuchKey 1"
    path = "oms/sync_task/1/failed_object_lists/2-2-1-00001.txt"
    ours = sync_row({}, Carried("sync", {"lists": [path]}), 1)
    assert ours["lists"] == [(path, "/sync/1/lists/failed/2-2-1-00001.txt")]


@pytest.mark.parametrize(
    "value", [{}, {"sync": 7, "lists": 3, "causes": [], "sample": [1]}, {"columns": [], "tables": 9}]
)
def test_an_output_of_any_shape_is_drawn(value: dict[str, Any]) -> None:
    """Operations of others may use our kinds in their own way: the page does not break."""
    carried = Carried("mock", value)
    assert mock_row({}, carried)["written"] == 0
    assert sync_row({}, carried)["counts"]["synced"] == 0
    assert check_rows(carried) == []


def test_null_is_told_apart_from_a_text() -> None:
    """And no long text fills the page."""
    assert cell(None) == {"text": "NULL", "null": True, "cut": False}
    assert cell("NULL")["null"] is False
    assert (cell(value=True)["text"], cell(-12.5)["text"], cell("x" * 999)["cut"]) == ("true", "-12.5", True)
    assert [number(one) for one in (3, 2.5, True, "4", None)] == [3, 2, 0, 0, 0]
