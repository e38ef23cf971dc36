"""Tasks on the wire: OCP's fields with OCP's names and types, nothing null, and the shapes that OpenAPI promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import from_json, to_json

from services.api.projection.view import SubtaskBrief, TaskRow
from services.api.rest import render
from services.api.rest.schemas import BasicTask, SubtaskInstance, TaskDetails, TaskPage
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item, ObjectRef, Problem
from shared.task.evolve import seal
from shared.task.plan import OperationCard, Plan, freeze
from shared.task.state import Actor, Direction, Operation, SubtaskStatus, Task, TaskState

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CARDS = {"noop": OperationCard(name="noop")}
CLAIMANT = cmd.Claimant("inc-1", "worker-1", Item(stamp="s", seq=9))


def created(*keys: str, **more: Any) -> Task:
    """A chain of no-ops, committed at sequence 11."""
    nodes = [
        {"key": key, "operation": "noop", "upstreams": keys[place - 1 : place] if place else []}
        for place, key in enumerate(keys)
    ]
    subtasks = freeze(Plan.model_validate({"subtasks": nodes}), CARDS) if keys else ()
    command = cmd.CreateTask(
        task_id=7, name="Prepare", task_type="plan", by=Actor("user", "ada", "rest"), at=AT, subtasks=subtasks, **more
    )
    task = decide(None, command).task
    seal(task, 11, "head", changed=True)
    return task


def then(task: Task, seq: int, *commands: cmd.Command) -> Task:
    """The task after one more commit."""
    found = decide(task, *commands).task
    seal(found, seq, f"head-{seq}", changed=True)
    return found


def shown(task: Task) -> dict[str, Any]:
    """Details as a client reads them, held against the documented shape."""
    found: dict[str, Any] = from_json(to_json(render.details(task)))
    TaskDetails.model_validate_json(to_json(found))
    return found


def nulls(value: Any) -> bool:
    """Whether a null stands anywhere in it."""
    if isinstance(value, dict):
        return any(nulls(child) for child in value.values())
    return any(nulls(child) for child in value) if isinstance(value, list) else value is None


def test_a_new_task_has_every_field_that_clients_read() -> None:
    """Field names, number types and constants are OCP's to the letter."""
    found = shown(created("a", "b", object=ObjectRef(kind="cluster", id="31", name="ob-1")))

    assert {name: found[name] for name in ("id", "taskDefinitionId", "type", "status", "operation")} == {
        "id": 7,
        "taskDefinitionId": -1,
        "type": "MANUAL",
        "status": "RUNNING",
        "operation": "EXECUTE",
    }
    assert found["creator"]["name"] == "ada"
    assert isinstance(found["creator"]["id"], int)
    assert found["cluster"] == {"id": 31, "name": "ob-1"}
    assert found["prohibitRollback"] is False
    assert "startTime" not in found
    assert not nulls(found)
    first, second = found["subtasks"]
    assert (first["id"], first["seriesId"], first["runTime"], first["timeout"]) == (70001, 0, 1, 3600)
    assert (first["nodeType"], first["parallelIdx"], first["description"]) == ("JAVA_TASK", -1, "a")
    assert (first["upstreams"], first["downstreams"], second["upstreams"]) == ([], [70002], [70001])
    assert (found["state"], found["direction"], found["version"], found["logSeq"]) == ("READY", "FORWARD", 1, 11)


def test_a_task_without_subtasks_shows_none() -> None:
    """INITIALIZING shows as RUNNING with an empty list, not with an absent one."""
    found = shown(created())
    assert (found["status"], found["state"], found["subtasks"]) == ("RUNNING", "INITIALIZING", [])


def test_a_running_subtask_shows_its_claim() -> None:
    """The claim, its executor and the first start are shown while it runs."""
    found = shown(then(created("a"), 12, cmd.Claim(1, CLAIMANT, AT + timedelta(seconds=1))))
    subtask = found["subtasks"][0]
    assert subtask["claim"] == {"fence": 12, "executor": "worker-1", "incarnation": "inc-1", "phase": "execute"}
    assert (subtask["status"], subtask["executor"], found["executor"]) == ("RUNNING", "worker-1", "worker-1")
    assert datetime.fromisoformat(subtask["startTime"]) == AT + timedelta(seconds=1)
    assert "finishTime" not in subtask
    assert subtask["allowed"] == ["cancel"]


def test_a_failure_says_why_and_what_is_allowed() -> None:
    """Kind and message of the problem, the end's time, and the legal commands."""
    running = then(created("a"), 12, cmd.Claim(1, CLAIMANT, AT))
    problem = Problem(kind="EXIT_CODE", message="exit code 3")
    found = shown(then(running, 13, cmd.Settle(1, 12, cmd.Failed(problem), AT + timedelta(seconds=2))))
    assert (found["status"], found["state"]) == ("FAILED", "FAILED")
    assert found["subtasks"][0]["error"] == {"kind": "EXIT_CODE", "message": "exit code 3"}
    assert found["allowed"] == ["retry", "skip", "rollback", "delete"]
    assert "claim" not in found["subtasks"][0]
    assert not nulls(found)


def test_a_retry_to_come_says_when() -> None:
    """An automatic retry shows READY, RETRY and the time."""
    plan = Plan.model_validate(
        {"subtasks": [{"key": "a", "operation": "noop", "retry": {"times": 1, "delay_seconds": 60}}]}
    )
    by = Actor("user", "ada")
    command = cmd.CreateTask(task_id=7, name="x", task_type="plan", by=by, at=AT, subtasks=freeze(plan, CARDS))
    task = decide(None, command).task
    seal(task, 1, "h", changed=True)
    running = then(task, 2, cmd.Claim(1, CLAIMANT, AT))
    found = shown(then(running, 3, cmd.Settle(1, 2, cmd.Failed(Problem(kind="X", message="y")), AT)))
    subtask = found["subtasks"][0]
    assert (subtask["status"], subtask["operation"]) == ("READY", "RETRY")
    assert datetime.fromisoformat(subtask["retryAt"]) == AT + timedelta(seconds=60)


def test_outputs_of_any_kind_are_shown() -> None:
    """Zero, false and empty outputs are outputs; only None is none."""
    outputs: tuple[Any, ...] = (0, False, "", [], {"a": None})
    for output in outputs:
        running = then(created("a"), 12, cmd.Claim(1, CLAIMANT, AT))
        found = shown(then(running, 13, cmd.Settle(1, 12, cmd.Succeeded(output), AT)))
        assert found["subtasks"][0]["output"] == output


def test_a_subtask_alone_has_the_same_shape() -> None:
    """What retry answers is the subtask as details show it."""
    task = created("a")
    alone = render.subtask(task, task.subtasks[0])
    SubtaskInstance.model_validate_json(to_json(alone))
    assert alone == render.details(task)["subtasks"][0]


def row(**more: Any) -> TaskRow:
    """A row of the view."""
    fields: dict[str, Any] = dict.fromkeys(TaskRow.__slots__)
    fields |= {"id": 7, "created_seq": 11, "name": "Prepare", "type": "plan", "pool": "default", "labels": {}}
    fields |= {"creator_kind": "user", "creator_name": "ada", "params": {}, "created_at": AT, "seq": 12, "version": 2}
    fields |= {"state": TaskState.CANCELLED, "operation": Operation.EXECUTE, "direction": Direction.FORWARD}
    fields |= dict.fromkeys(("total", "pending", "ready", "running", "canceling", "failed", "successful", "active"), 0)
    return TaskRow(**{**fields, **more})


def test_a_row_of_the_list_is_ocps_basic_task() -> None:
    """CANCELLED shows as FAILED; subtasks are the short ones."""
    brief = SubtaskBrief(7, 2, "b", "B", None, SubtaskStatus.PENDING, Operation.EXECUTE)
    found = from_json(to_json(render.basic(row(started_at=AT), [brief])))
    BasicTask.model_validate_json(to_json(found))
    assert (found["status"], found["state"]) == ("FAILED", "CANCELLED")
    assert found["subtasks"] == [
        {"id": 70002, "name": "B", "description": "B", "status": "PENDING", "operation": "EXECUTE"}
    ]
    assert not nulls(found)


def test_a_page_has_both_spellings_of_its_page_count() -> None:
    """OCP's table says totalPage, its samples totalPages; an inexact total says so."""
    found = render.page([], total=21, number=3, size=10)
    TaskPage.model_validate(found)
    assert found["page"] == {"totalElements": 21, "totalPages": 3, "totalPage": 3, "number": 3, "size": 10}
    assert render.page([], total=10_000, number=1, size=10, exact=False)["page"]["totalExact"] is False


def test_a_task_never_shows_skip_or_cancel_as_its_operation() -> None:
    """OCP's task operation is EXECUTE, RETRY or ROLLBACK (specification §8)."""
    for operation in Operation:
        for direction in Direction:
            found = render.basic(row(operation=operation, direction=direction), [])
            assert found["operation"] in {"EXECUTE", "RETRY", "ROLLBACK"}
