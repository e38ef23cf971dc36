"""Commands: decided at once, idempotent by key for ever, dispatched after they are stored."""

import asyncio
import json
from typing import Any

import pytest

from services.api.asked import Act, Asked, Create
from services.api.commands import refusal_of
from services.api.invalid import Invalid
from services.api.keys import fingerprint, hashed
from shared.log.port import LogUnavailable
from shared.runtime.clock import now
from shared.store.kv import Entry
from shared.task import commands as cmd
from shared.task.plan import OperationCard
from shared.task.refusals import IllegalState, KeyReused, PlanInvalid, RollbackProhibited, TaskNotFound
from shared.task.state import KeyUse, TaskState
from tests.support.eventually import eventually
from tests.unit.api.fakes import Desk

ADA = Asked("ada", "rest")


def keyed(key: str, name: str = "ada") -> Asked:
    """Ada under a key."""
    return Asked(name, "rest", key)


def plan(*keys: str, **more: Any) -> dict[str, Any]:
    """A body with a plan of no-ops side by side."""
    return {"plan": {"subtasks": [{"key": key, "operation": "noop"} for key in keys or ("a",)]}, **more}


async def test_a_plan_is_created_and_planned_in_one_commit() -> None:
    """The task is READY at once and its roots are queued."""
    desk = await Desk.furnished()
    done = await desk.commands.perform(Create(plan("a", "b", name="two")), ADA)

    assert (done.task.name, done.task.state, done.seq, done.replayed) == ("two", TaskState.READY, 1, False)
    assert len(desk.storage.messages) == 1
    await eventually(lambda: sorted(desk.queue.items) == ["work.default.1.1.1-1", "work.default.1.2.1-1"])


async def test_a_typed_task_waits_for_its_plan() -> None:
    """A type's parameters are checked; its item asks the type's pool for the plan."""
    desk = await Desk.furnished()
    done = await desk.commands.perform(Create({"type": "greeting", "params": {"name": "Bo"}}), ADA)

    assert (done.task.state, done.task.type_version, done.task.params) == (TaskState.INITIALIZING, 3, {"name": "Bo"})
    await eventually(lambda: [item.subtask for item in desk.queue.items.values()] == [0])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"type": "greeting", "plan": {"subtasks": []}}, ""),
        ({**plan(), "params": {}}, ""),
        ({"type": "nope"}, "/type"),
        ({"type": "greeting"}, "/params"),
        ({"type": "greeting", "params": {"name": 1}}, "/params/name"),
        ({"type": "greeting", "params": {"name": "x", "times": 0}}, "/params/times"),
        ({**plan(), "status": "SUCCESSFUL"}, "/status"),
        ({**plan(), "name": "x" * 201}, "/name"),
        ({**plan(), "name": "a\u202eb"}, "/name"),
        ({**plan(), "name": "a\x00b"}, "/name"),
        ({**plan(), "name": 7}, "/name"),
        ({**plan(), "labels": {"": "x"}}, "/labels//[key]"),
        ({**plan(), "labels": dict.fromkeys(map(str, range(65)), "x")}, "/labels"),
        ({**plan(), "parent": True}, "/parent"),
        ({**plan(), "parent": 99}, "/parent"),
        ({**plan(), "object": {"kind": "host"}}, "/object/name"),
        ({"plan": {"subtasks": [{"key": "a", "operation": "nope"}]}}, "/plan/subtasks/0/operation"),
        ({"plan": {"subtasks": [{"key": "a", "operation": "noop", "timeout": 0}]}}, "/plan/subtasks/0/timeout"),
        ({"plan": {"subtasks": [{"key": "a", "operation": "noop", "timeout": 1e308}]}}, "/plan/subtasks/0/timeout"),
        ({"plan": {"subtasks": [{"key": "a", "operation": "noop", "pool": "a.b"}]}}, "/plan/subtasks/0/pool"),
        ({"plan": {"subtasks": [{"key": "a", "operation": "noop"}], "concurrency": "3"}}, "/plan/concurrency"),
        (
            {"plan": {"subtasks": [{"key": "a", "operation": "greet", "params": {"name": ["x"]}}]}},
            "/plan/subtasks/0/params/name",
        ),
        (
            {
                "plan": {
                    "subtasks": [
                        {"key": "a", "operation": "noop"},
                        {"key": "b", "operation": "noop", "undo": {"operation": "greet", "params": {}}},
                    ]
                }
            },
            "/plan/subtasks/1/undo/params",
        ),
    ],
)
async def test_what_does_not_fit_is_refused_with_its_place(body: dict[str, Any], pointer: str) -> None:
    """Each fault has a JSON pointer, and nothing is stored."""
    desk = await Desk.furnished()
    with pytest.raises(Invalid) as refused:
        await desk.commands.perform(Create(body), keyed("k"))
    assert refused.value.faults[0].pointer == pointer
    assert not desk.storage.messages
    assert not desk.bucket.entries


async def test_no_message_repeats_a_parameter() -> None:
    """What was sent may be a secret, so errors do not say it."""
    desk = await Desk.furnished()
    for value in ("s3cret" * 5, ["s3cret"], {"s3cret": 1}):
        with pytest.raises(Invalid) as refused:
            await desk.commands.perform(Create({"type": "greeting", "params": {"name": value}}), ADA)
        assert "s3cret" not in " ".join(fault.message for fault in refused.value.faults)


@pytest.mark.parametrize(
    ("subtasks", "reason"),
    [
        ([], "size"),
        ([{"key": "a", "operation": "noop", "upstreams": ["a"]}], "cycle"),
        ([{"key": "a", "operation": "noop", "upstreams": ["z"]}], "unknown_upstream"),
        ([{"key": "a", "operation": "noop"}] * 2, "duplicate_key"),
    ],
)
async def test_a_graph_that_cannot_be_run_is_refused(subtasks: list[Any], reason: str) -> None:
    """Cycles, unknown upstreams, double keys and empty plans are the graph's fault (B9)."""
    desk = await Desk.furnished()
    with pytest.raises(PlanInvalid) as refused:
        await desk.commands.perform(Create({"plan": {"subtasks": subtasks}}), ADA)
    assert refused.value.reason == reason
    assert not desk.storage.messages


async def test_one_key_means_one_task() -> None:
    """The same key and body give the first task, however the JSON was written."""
    desk = await Desk.furnished()
    first = await desk.commands.perform(Create({"type": "greeting", "params": {"name": "a", "times": 1}}), keyed("k"))
    again = await desk.commands.perform(Create({"params": {"times": 1, "name": "a"}, "type": "greeting"}), keyed("k"))

    assert (again.task.id, again.seq, again.replayed) == (first.task.id, first.seq, True)
    assert len(desk.storage.messages) == 1
    other = await desk.commands.perform(Create({"type": "greeting", "params": {"name": "a"}}), keyed("k", "bob"))
    assert other.task.id != first.task.id


async def test_a_key_with_another_body_is_refused() -> None:
    """Also when that body would not have been accepted."""
    desk = await Desk.furnished()
    await desk.commands.perform(Create(plan("a")), keyed("k"))
    for body in (plan("b"), {"type": "nope"}):
        with pytest.raises(KeyReused):
            await desk.commands.perform(Create(body), keyed("k"))
    assert len(desk.storage.messages) == 1


async def test_many_first_uses_at_once_make_one_task() -> None:
    """Callers that race under one key all get the one task."""
    desk = await Desk.furnished()
    found = await asyncio.gather(*(desk.commands.perform(Create(plan()), keyed("k")) for _ in range(20)))

    assert len({done.task.id for done in found}) == 1
    assert sum(not done.replayed for done in found) == 1
    assert len(desk.storage.messages) == 1


async def test_a_crash_before_the_commit_is_finished_by_the_repeat() -> None:
    """The key is there, the task is not: the repeat creates the very task."""
    desk = await Desk.furnished()
    desk.bucket.entries[hashed("ada", "k")] = json.dumps({"task": 77, "body": fingerprint("create", plan())}).encode()
    done = await desk.commands.perform(Create(plan()), keyed("k"))

    assert (done.task.id, done.replayed) == (77, False)
    assert (await desk.commands.perform(Create(plan()), keyed("k"))).replayed


async def test_a_repeat_is_answered_though_the_catalogue_has_changed() -> None:
    """What was created stays the answer when its type has gone."""
    desk = await Desk.furnished()
    body = {"type": "greeting", "params": {"name": "a"}}
    first = await desk.commands.perform(Create(body), keyed("k"))
    await desk.catalog.seen(Entry("type/greeting/default", None, 2))

    again = await desk.commands.perform(Create(body), keyed("k"))
    assert (again.task.id, again.replayed) == (first.task.id, True)
    with pytest.raises(Invalid):
        await desk.commands.perform(Create(body), keyed("other"))


async def test_an_answer_lost_on_the_way_is_found_again() -> None:
    """A commit stored without an answer is ours, and is not made twice (T5)."""
    desk = await Desk.furnished()
    desk.storage.sins = ["lose_answer"]
    done = await desk.commands.perform(Create(plan()), keyed("k"))
    assert done.seq == 1
    assert len(desk.storage.messages) == 1


async def test_a_log_that_does_not_answer_is_said_with_its_doubt() -> None:
    """Unanswered: the command may still take effect. Refused: it surely does not (P4)."""
    desk = await Desk.furnished()
    for sin, maybe in (("lose_message", True), ("refuse", False)):
        desk.storage.sins = [sin] * 100
        with pytest.raises(LogUnavailable) as away:
            await desk.commands.perform(Create(plan()), ADA)
        assert away.value.maybe is maybe


async def test_a_dispatch_that_fails_is_no_error() -> None:
    """The commit counts; the rescuer queues what is missing."""
    desk = await Desk.furnished()
    desk.queue.away = True
    done = await desk.commands.perform(Create(plan()), ADA)
    assert done.seq == 1
    await eventually(lambda: desk.commands.undispatched == 1)


async def test_an_oversized_plan_goes_to_the_object_store_first() -> None:
    """The task names the plan's hash and waits for an executor to record it in parts."""
    desk = await Desk.furnished()
    await desk.offer(OperationCard(name="big"))
    nodes = [{"key": f"s{n}", "operation": "big", "params": {"text": "x" * 2000}} for n in range(300)]
    done = await desk.commands.perform(Create({"plan": {"subtasks": nodes, "concurrency": 3}}), keyed("k"))

    assert done.task.state is TaskState.INITIALIZING
    assert done.task.plan_ref is not None
    stored = json.loads(desk.objects.objects[f"plan-{done.task.id}"])
    assert (len(stored["subtasks"]), stored["concurrency"], stored["prohibit_rollback"]) == (300, 3, False)
    assert done.task.plan_ref.bytes == len(desk.objects.objects[f"plan-{done.task.id}"])
    await eventually(lambda: [item.subtask for item in desk.queue.items.values()] == [0])


async def test_a_subtask_too_large_for_any_part_is_refused() -> None:
    """A plan travels in parts, one subtask does not."""
    desk = await Desk.furnished()
    nodes = [{"key": "s", "operation": "noop", "params": {"text": "x" * 300_000}}]
    with pytest.raises(Invalid) as refused:
        await desk.commands.perform(Create({"plan": {"subtasks": nodes}}), ADA)
    assert refused.value.faults[0].pointer == "/plan/subtasks/0"
    assert not desk.storage.messages


async def test_an_operators_command_goes_the_same_way() -> None:
    """Cancel through the one function: decided, stored, idempotent, refused with what is allowed."""
    desk = await Desk.furnished()
    task = (await desk.commands.perform(Create(plan()), ADA)).task
    act = Act(task.id, "cancel", cmd.CancelTask(now()))
    done = await desk.commands.perform(act, keyed("c"))
    assert done.task.state is TaskState.CANCELLED
    assert (await desk.commands.perform(act, keyed("c"))).replayed

    with pytest.raises(IllegalState) as refused:
        await desk.commands.perform(act, keyed("d"))
    assert "retry" in refused.value.target["allowed"]
    with pytest.raises(IllegalState):
        await desk.commands.perform(act, keyed("d"))
    with pytest.raises(TaskNotFound):
        await desk.commands.perform(Act(99, "cancel", cmd.CancelTask(now())), ADA)


def test_a_refusal_comes_back_from_the_log_as_what_it_was() -> None:
    """Kind and code find the class, so that its HTTP status is the first one's."""
    for kind in (IllegalState, RollbackProhibited, PlanInvalid):
        use = KeyUse("", "id", accepted=False, code=kind.code, seq=1, message="no", kind=kind.kind, target={"a": 1})
        found = refusal_of(use)
        assert type(found) is kind
        assert (found.message, found.target) == ("no", {"a": 1})
