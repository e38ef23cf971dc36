"""Rows, columns and chips of the lists, without a page around them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.api.access import Principal, Role
from services.api.console.list_chips import chips
from services.api.console.list_criteria import WORDS, filled, text_of
from services.api.console.list_help import suggestions
from services.api.console.list_look import LOOKS, ODC_LOOK, OMS_LOOK, OURS
from services.api.console.list_row import MAX_SAID, row
from services.api.console.searchbox import parse
from services.api.projection.view import TaskRow
from services.api.rest.query import SORTS
from shared.task.words import Direction, Operation, TaskState

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ADMIN = Principal(name="ada", role=Role.ADMIN)
VIEWER = Principal(name="vic", role=Role.TASK_VIEWER)
VALUES: dict[str, Any] = {
    **dict.fromkeys(TaskRow.columns()),
        "id": 7, "name": "Disks", "type": "sql.script", "pool": "default", "creator_kind": "user",
        "creator_name": "ada", "creator_via": "cli", "object_kind": "host", "object_name": "db-17",
        "labels": {"team": "blue", "stage": "prod"}, "params": {"connection": "orders"}, "created_at": NOW,
        "state": TaskState.RUNNING, "operation": Operation.EXECUTE, "direction": Direction.FORWARD, "cancelled": False,
        "started_at": NOW, "total": 3, "successful": 1, "step": "copy",
}  # fmt: skip
TASK = TaskRow(**VALUES)


def task(state: TaskState, **more: Any) -> TaskRow:
    """The task in this state."""
    return replace(TASK, state=state, **more)


def test_a_row_says_what_the_task_is_at() -> None:
    """Object, origin, labels and the time it has taken so far are words."""
    found = row(TASK, NOW + timedelta(seconds=72))
    assert (found.object, found.kind, found.via, found.labels) == (
        "db-17",
        "host",
        "command line",
        "stage=prod, team=blue",
    )
    assert (found.said, found.wrong, found.duration) == ("copy", False, "1 min 12 s")


def test_a_row_says_the_last_error_in_one_line() -> None:
    """The step and the message's first line, cut: a list is no place for a trace."""
    message = f"disk is full {'x' * 500}\nTraceback"
    found = row(task(TaskState.FAILED, problem={"kind": "EXIT", "message": message}), NOW)
    assert found.wrong
    assert found.said.startswith("copy: disk is full x")
    assert found.said.endswith("…")
    assert len(found.said) <= len("copy: ") + MAX_SAID


@pytest.mark.parametrize(
    ("state", "ours", "oms", "odc"),
    [
        (TaskState.INITIALIZING, "Initializing", "Initializing", "Preparing"),
        (TaskState.READY, "Ready", "Ready", "Preparing"),
        (TaskState.RUNNING, "Running", "In Progress", "Running"),
        (TaskState.SUCCESSFUL, "Successful", "Successful", "Completed"),
        (TaskState.FAILED, "Failed", "Failed", "Failed"),
        (TaskState.CANCELLED, "Cancelled", "Failed", "Aborted"),
    ],
)
def test_each_look_has_its_own_words(state: TaskState, ours: str, oms: str, odc: str) -> None:
    """The words of the source systems are those of the REST dialects."""
    shown = [row(task(state), NOW, look).badge.word for look in (OURS, OMS_LOOK, ODC_LOOK)]
    assert shown == [ours, oms, odc]


@pytest.mark.parametrize(
    ("state", "who", "words"),
    [
        (TaskState.RUNNING, ADMIN, ["View", "Abort", "Results"]),
        (TaskState.SUCCESSFUL, ADMIN, ["View", "Delete", "Results"]),
        (TaskState.CANCELLED, VIEWER, ["View", "Results"]),
    ],
)
def test_odc_operations(state: TaskState, who: Principal, words: list[str]) -> None:
    """Abort what is not completed, delete what has ended (SEED1), if the role may."""
    assert [act.word for act in row(task(state), NOW, ODC_LOOK, who).acts] == words


def test_oms_operations() -> None:
    """A failed task can be retried and skipped, any other not (SEED0)."""
    assert [act.word for act in row(task(TaskState.FAILED), NOW, OMS_LOOK, ADMIN).acts] == ["Retry", "Skip"]
    assert row(task(TaskState.RUNNING), NOW, OMS_LOOK, ADMIN).acts == ()
    assert row(task(TaskState.FAILED), NOW, OMS_LOOK, VIEWER).acts == ()


def test_columns_are_chosen_by_the_address() -> None:
    """Its order is the look's; an address that names none of ours shows the usual ones."""
    assert [column.key for column in OURS.chosen("labels,id,nonsense")] == ["id", "labels"]
    assert tuple(column.key for column in OURS.chosen("nonsense")) == OURS.usual


def test_every_column_sorts_by_something_rest_knows() -> None:
    """No head leads to an error, and no usual column is missing."""
    for look in LOOKS.values():
        assert {column.sort for column in look.columns if column.sort} <= set(SORTS)
        assert set(look.usual) <= {column.key for column in look.columns}


def test_chips_count_and_know_where_the_reader_is() -> None:
    """A chip leads to the same search with its state alone, and the one that the search names is marked."""
    counts = dict.fromkeys(TaskState, 0) | {TaskState.FAILED: 3, TaskState.RUNNING: 1200}
    shown = chips(OURS, "state:FAILED by:ada", counts, str)
    assert [(chip.word, chip.count) for chip in shown][:2] == [("All", "1,203"), ("Ready", "0")]
    failed = next(chip for chip in shown if chip.word == "Failed")
    assert (failed.here, failed.href) == (True, "state:failed by:ada")
    assert [chip.word for chip in shown if chip.here] == ["Failed"]


def test_chips_of_other_states_and_of_no_counts() -> None:
    """Several states are no chip's; what nobody counted has no number, and a bound says that it is one."""
    assert [chip.here for chip in chips(OURS, "state:failed,ready", None, str)] == [False] * 6
    assert chips(OURS, "", None, str)[0].count is None
    assert chips(OURS, "", dict.fromkeys(TaskState, 5), str, exact=False)[0].count == "30+"


def test_chips_of_the_source_systems_are_searches_that_work() -> None:
    """What a chip writes into the box is a word of the dialect that it is asked in."""
    shown = chips(OMS_LOOK, "", dict.fromkeys(TaskState, 1), lambda text: text or "")
    assert [(chip.word, chip.href, chip.count) for chip in shown][3:] == [
        ("In Progress", "status:in_progress", "1"),
        ("Successful", "status:successful", "1"),
        ("Failed", "status:failed", "2"),
    ]


def test_suggestions_go_on_from_what_is_there() -> None:
    """Each is the search with one qualifier more that it does not have yet; those with values can be read."""
    found = suggestions(OURS, "by:ada state:failed", ["sql.script"])
    assert "by:ada state:failed type:sql.script" in found
    assert not any(text.count("by:") > 1 or text.count("state:") > 1 for text in found)
    assert all(parse(text) for text in found if not text.endswith(":"))


def test_the_form_is_filled_from_what_it_wrote() -> None:
    """Whatever is in its fields: written as a search and read again, nothing is lost or moved."""
    fields = [("state", "failed"), ("state", "ready"), ("name", "Disks of db-17"), ("label", "a=b c=d")]
    fields += [("since", "2h"), ("finished", "2026-11-20T08:30"), ("before", "2026-11-21T00:00")]
    fields += [("text", "billing http://x")]
    form = filled(OURS, text_of(OURS, fields))
    words = {field["name"]: field["value"] for field in form["words"] if field["value"]}
    times = {field["name"]: field["value"] for field in form["times"] if field["value"]}
    assert [state["value"] for state in form["states"] if state["on"]] == ["ready", "failed"]
    assert words == {"name": "Disks of db-17", "label": "a=b c=d"}
    assert times == {"finished": "2026-11-20T08:30", "before": "2026-11-21T00:00"}
    assert [age["value"] for age in form["ages"] if age["on"]] == ["2h"]
    assert form["text"] == "billing http://x"


def test_the_form_of_a_search_that_cannot_be_read_is_empty() -> None:
    """And a form that nobody filled in finds everything."""
    assert not any(field["value"] for field in filled(OURS, 'name:"open')["words"])
    assert text_of(OURS, [(name, " ") for name in WORDS]) == ""


def test_the_form_speaks_the_words_of_its_list() -> None:
    """OMS's states become `status:`, in the words that OMS has for them."""
    assert text_of(OMS_LOOK, [("state", "in_progress")]) == "status:in_progress"
    assert [state["word"] for state in filled(OMS_LOOK, "status:In_Progress")["states"] if state["on"]] == [
        "In Progress"
    ]
