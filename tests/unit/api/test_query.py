"""Query and path parameters: understood exactly, refused with their name, strangers ignored."""

from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from services.api.projection.reads import Filter
from services.api.rest import query
from services.api.rest.errors import Problem
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import SubtaskNotFound, TaskNotFound
from shared.task.state import TaskState


def asked(text: str = "", **path: str) -> Request:
    """A request with this query and these path parameters."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": text.encode(),
        "headers": [],
        "path_params": path,
    }
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


def test_ocps_names_of_things_become_objects() -> None:
    """Host, tenant and cluster filters ask for the object; both spellings of the cluster's name are known."""
    assert query.filters(asked("clusterId=7")).object_kind == "cluster"
    for name in ("cluterName", "clusterName"):
        found = query.filters(asked(urlencode({name: "c1"})))
        assert (found.object_kind, found.object_name) == ("cluster", "c1")
    assert query.filters(asked("clusterName=a&cluterName=a")).object_name == "a"
    with pytest.raises(Problem):
        query.filters(asked("clusterName=a&cluterName=b"))
    assert query.filters(asked("clusterId=7&tenantId=8")).object_id == "8"


def test_strangers_are_ignored() -> None:
    """Real clients send parameters of their own."""
    assert query.filters(asked("taskInstanceId=7&_=123")) == Filter()


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
