"""Query and path parameters: understood exactly, refused with their name, strangers ignored."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from services.api.access import Principal, Role
from services.api.projection.page import Cursor
from services.api.projection.reads import Filter, Thing
from services.api.rest import exchange, query
from services.api.rest.errors import Problem
from services.api.rest.times import FIRST
from shared.runtime.clock import now
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import SubtaskNotFound, TaskNotFound
from shared.task.state import TaskState


def asked(text: str = "", *, teams: frozenset[str] | None = None, **path: str) -> Request:
    """A request with this query and these path parameters, of somebody who sees these teams' tasks."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": text.encode(),
        "headers": [],
        "path_params": path,
    }
    exchange.of(scope).principal = Principal(name="ana", role=Role.TASK_VIEWER, teams=teams)
    return Request(scope)


def test_the_list_has_sensible_defaults() -> None:
    """Nothing given: first page of ten, newest first, no filter."""
    request = asked()
    assert query.paging(request) == (1, 10)
    assert query.sorting(request) == ("id", True)
    assert query.filters(request) == Filter()
    assert query.min_seq(request) is None


@pytest.mark.parametrize(
    "text",
    ["page=0", "page=-1", "page=x", "page=1.5", "page=%C2%B2", "size=0", "size=2001", "size=1e9", f"size={'9' * 30}"],
)
def test_paging_out_of_range_is_refused(text: str) -> None:
    """What is no page or size is 400 with code 1001 (B15)."""
    with pytest.raises(Problem) as refused:
        query.paging(asked(text))
    assert (refused.value.status, refused.value.code) == (400, 1001)


@pytest.mark.parametrize("text", ["sort=secret", "sort=id,sideways", "sort=id;drop,asc", "sort=,asc"])
def test_sorting_by_what_is_no_field_is_refused(text: str) -> None:
    """An unknown field is 400 with OCP's code 1011."""
    with pytest.raises(Problem) as refused:
        query.sorting(asked(text))
    assert (refused.value.status, refused.value.code) == (400, 1011)


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("status=RUNNING", {TaskState.INITIALIZING, TaskState.READY, TaskState.RUNNING}),
        ("status=failed", {TaskState.FAILED, TaskState.CANCELLED}),
        ("status=RUNNING,SUCCESSFUL&state=SUCCESSFUL,READY", {TaskState.SUCCESSFUL, TaskState.READY}),
        ("state=READY&state=CANCELLED", {TaskState.READY, TaskState.CANCELLED}),
        ("status=", set()),
    ],
)
def test_status_is_ocps_word_and_state_ours(text: str, states: set[TaskState]) -> None:
    """OCP's words read the status table backwards; comma lists and repeated keys are the same."""
    assert query.filters(asked(text)).states == states


def test_filters_that_exclude_each_other_leave_nothing() -> None:
    """No task is successful in OCP's words and running in ours; all tasks are MANUAL."""
    for text in ("status=SUCCESSFUL&state=RUNNING", "type=SCHEDULED", "type=SYS_ONECE,SYS_ONCE"):
        with pytest.raises(query.Nothing):
            query.filters(asked(text))
    assert query.filters(asked("type=MANUAL,SCHEDULED")) == Filter()


@pytest.mark.parametrize("text", ["status=CANCELLED", "state=DONE", "type=x", f"name={'n' * 301}", "name=%00"])
def test_words_nobody_knows_are_refused(text: str) -> None:
    """An unknown status, state or type, and a text no task can have, are 400."""
    with pytest.raises(Problem) as refused:
        query.filters(asked(text))
    assert refused.value.status == 400


def test_ocps_names_of_things_are_looked_for() -> None:
    """Cluster, tenant and host must all fit; both spellings of the cluster's name are known, ids are numbers."""
    assert query.filters(asked("clusterId=7")).things == (Thing("cluster", "7"),)
    for name in ("cluterName", "clusterName"):
        assert query.filters(asked(urlencode({name: "c1"}))).things == (Thing("cluster", name="c1"),)
    found = query.filters(asked("clusterName=a&cluterName=a&tenantName=sys&hostId=9")).things
    assert found == (Thing("cluster", name="a"), Thing("tenant", name="sys"), Thing("host", "9"))
    for text in ("clusterName=a&cluterName=b", "clusterId=x", "hostId=-1", "tenantId=1.0"):
        with pytest.raises(Problem):
            query.filters(asked(text))


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("dialect=oms&status=Initializing,In Progress", {TaskState.INITIALIZING, TaskState.RUNNING}),
        ("dialect=oms&status=Failed", {TaskState.FAILED, TaskState.CANCELLED}),
        ("dialect=odc&status=Preparing", {TaskState.INITIALIZING, TaskState.READY}),
        ("dialect=odc&status=RUNNING", {TaskState.RUNNING}),
        ("dialect=odc&status=Failed", {TaskState.FAILED}),
        ("dialect=odc&status=DONE,SUCCESSFUL", {TaskState.SUCCESSFUL}),
        ("dialect=odc&status=Aborted", {TaskState.CANCELLED}),
        ("dialect=odc&status=CANCELED", {TaskState.CANCELLED}),
        ("dialect=ODC&status=cancelled", {TaskState.CANCELLED}),
        ("state=Aborted", {TaskState.CANCELLED}),
    ],
)
def test_a_dialect_has_words_of_its_own(text: str, states: set[TaskState]) -> None:
    """Each dialect's table is read backwards; Aborted has three spellings (specification §1, §8)."""
    assert query.filters(asked(text)).states == states


def test_an_unknown_dialect_is_refused() -> None:
    """400, with those there are."""
    with pytest.raises(Problem, match="ocp, oms, odc"):
        query.filters(asked("dialect=latin"))


def test_strangers_are_ignored() -> None:
    """Real clients send parameters of their own."""
    assert query.filters(asked("taskInstanceId=7&_=123")) == Filter()


def test_filters_are_all_there_at_once() -> None:
    """Labels, text, parent, ids and times; a plus that was not escaped is a plus; teams are the caller's."""
    text = urlencode(
        {"label": "team:core", "text": "disk full", "parent": "3", "ids": "5,6", "finishedTo": "2026-01-31T08:00:00Z"}
    )
    found = query.filters(
        asked(f"{text}&label=env:a:b&createdFrom=2026-01-01T08:00:00+08:00", teams=frozenset({"core"}))
    )
    assert found == Filter(
        labels={"team": "core", "env": "a:b"},
        text="disk full",
        parent=3,
        ids=(5, 6),
        created_from=datetime(2026, 1, 1, tzinfo=UTC),
        finished_before=datetime(2026, 1, 31, 8, tzinfo=UTC),
        teams=frozenset({"core"}),
    )


def test_since_is_how_long_ago() -> None:
    """A number with s, m, h, d or w; the later beginning of two counts."""
    for given, span in (("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800), ("4w", 2_419_200)):
        begins = query.filters(asked(f"since={given}")).created_from
        assert begins is not None
        assert abs((now() - begins).total_seconds() - span) < 5
    assert query.filters(asked("since=999999w")).created_from == FIRST
    assert query.filters(asked("since=1h&createdFrom=2000-01-01T00:00:00Z")).created_from != FIRST


@pytest.mark.parametrize("name", ["createdFrom", "createdTo", "finishedFrom", "finishedTo"])
@pytest.mark.parametrize(
    "given",
    [
        "2026-01-31",
        "2026-01-31T08:00:00",
        "2026-02-30T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+14:00",
        "yesterday",
        "1700000000",
        "2026-01-31T25:00:00Z",
        "2026-01-31T08:00:00Z; drop",
        "\0",
    ],
)
def test_what_is_no_time_is_refused_by_name(name: str, given: str) -> None:
    """No zone, no such day, beyond the calendar: 400 that names the parameter (B17)."""
    with pytest.raises(Problem) as refused:
        query.filters(asked(urlencode({name: given})))
    assert (refused.value.status, refused.value.target) == (400, {"parameter": name})


@pytest.mark.parametrize(
    "text",
    [
        "since=2",
        "since=h",
        "since=0h",
        "since=-1h",
        "since=2y",
        "since=%D9%A2h",
        "since=1h%0A",
        "label=core",
        "label=:core",
        "label=%00:a",
        "ids=x",
        "ids=-1",
        "parent=0",
        f"text={'x' * 301}",
    ],
)
def test_what_no_filter_understands_is_refused(text: str) -> None:
    """Spans, labels and ids have one form each."""
    with pytest.raises(Problem) as refused:
        query.filters(asked(text))
    assert (refused.value.status, refused.value.code) == (400, 1001)


@pytest.mark.parametrize(
    "text",
    [
        "label=a:1&label=a:2",
        "createdFrom=2026-01-02T00:00:00Z&createdTo=2026-01-01T00:00:00Z",
        "finishedFrom=2026-01-01T00:00:00Z&finishedTo=2026-01-01T00:00:00Z",
    ],
)
def test_what_no_task_can_be_leaves_nothing(text: str) -> None:
    """Two values of one label, and ranges that end before they begin."""
    with pytest.raises(query.Nothing):
        query.filters(asked(text))


def test_a_range_of_creations_is_sorted_by_them() -> None:
    """Unless the caller wants it otherwise."""
    assert query.sorting(asked("since=1h")) == ("created_at", True)
    assert query.sorting(asked("since=1h&sort=id,desc")) == ("id", True)
    assert query.sorting(asked("sort=object")) == ("object", False)


@pytest.mark.parametrize("key", ["ärger", None, datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), 7])
def test_a_cursor_comes_back_as_it_was(key: object) -> None:
    """It fits into a URL as it is, and brings sort, direction, page and the last task."""
    sort = {int: "id", str: "name", datetime: "created_at"}.get(type(key), "finished_at")
    given = Cursor(sort, descending=False, number=3, key=key, id=7)
    assert urlencode({"cursor": given.text()}) == f"cursor={given.text()}"
    assert query.cursor(asked(f"cursor={given.text()}")) == given
    assert query.cursor(asked("cursor=")) is None


def test_a_cursor_of_another_list_is_refused() -> None:
    """One that is broken, foreign, or belongs to another sort is 400 and names the parameter (B15)."""
    good = Cursor("name", descending=True, number=2, key="a", id=7).text()
    assert query.cursor(asked(f"cursor={good}&sort=name,desc")) is not None
    forged = [
        Cursor(*values).text()
        for values in (
            ("secret", True, 2, "a", 7),
            ("name", "yes", 2, "a", 7),
            ("name", True, -1, "a", 7),
            ("name", True, 2, 5, 7),
            ("name", True, 2, None, 7),
            ("name", True, 2, "a\0", 7),
            ("id", True, 2, "a", 7),
            ("id", True, 2, 7, 2**63),
            ("created_at", True, 2, "a", 7),
            ("created_at", True, 2, {"at": 10**40}, 7),
            ("finished_at", True, 2, {"on": 1}, 7),
        )
    ]
    wrong = ["x", "%00", "%C3%A4", good[:-1], good + "A", good[::-1], "4" * 5000, *forged]
    for text in [*(f"cursor={each}" for each in wrong), f"cursor={good}&sort=name,asc", f"cursor={good}&sort=id,desc"]:
        with pytest.raises(Problem) as refused:
            query.cursor(asked(text))
        assert (refused.value.status, refused.value.target) == (400, {"parameter": "cursor"}), text


@pytest.mark.parametrize("given", ["0", "-1", "t.*", ">", "x" * 5000, "1' OR 1=1", "1.0", "²", str(MAX_TASK_ID + 1)])
def test_what_is_no_task_id_is_not_found(given: str) -> None:
    """No id outside the range is ever looked up (B11, T30)."""
    with pytest.raises(TaskNotFound):
        query.task_id(asked(task_id=given))


@pytest.mark.parametrize("given", ["7", "70000", "80001", "x", "-70001", "9" * 25])
def test_a_subtask_of_another_task_is_not_found(given: str) -> None:
    """The subtask id must be of the task in the path."""
    with pytest.raises(SubtaskNotFound):
        query.subtask_number(asked(subtask_id=given), 7)


def test_a_subtask_id_gives_its_number() -> None:
    """Subtask id = task id times 10,000 + number."""
    assert query.subtask_number(asked(subtask_id="70003"), 7) == 3
