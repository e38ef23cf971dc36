"""`task.command`: every target is asked for, at its pace, through outages; a refusal is an answer, a denial is not."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest

from services.executor.operations import task_command
from services.executor.operations.contract import (
    Ask,
    Cancelled,
    Children,
    Context,
    ExecutorPolicy,
    Log,
    PermanentFault,
    ResultStore,
    TransientFault,
)
from services.executor.operations.task_command import TaskCommand


class Silent:
    """A log nobody reads."""

    def info(self, text: str) -> None:
        """Drop it."""


class Api:
    """An API that answers as it is told, and remembers what it was asked and when."""

    def __init__(self, answers: Mapping[int, Any] | None = None, *, faults: int = 0) -> None:
        self.answers = answers or {}
        self.faults = faults
        self.asked: list[int] = []
        self.questions: list[dict[str, Any]] = []
        self.at: list[float] = []
        self.busy = self.busiest = 0

    async def __call__(self, subject: str, question: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Answer a question."""
        assert subject == "bulk.perform"
        if self.faults:
            self.faults -= 1
            raise TransientFault("No API answers.")
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        target = question["target"]
        self.asked.append(target)
        self.questions.append(dict(question))
        self.at.append(monotonic())
        answer = self.answers.get(target, {"task": target, "status": 200, "state": "RUNNING", "seq": 9})
        return dict(answer)


def context(api: Ask, cancelled: asyncio.Event | None = None) -> Context:
    """A context with this API behind it."""
    return Context(
        task_id=7,
        subtask=2,
        key="batch-2",
        generation=1,
        attempt=1,
        phase="execute",
        token="7/2/1",
        fence=41,
        log=cast("Log", Silent()),
        upstreams={},
        cancelled=cancelled or asyncio.Event(),
        files=Path("/"),
        policy=ExecutorPolicy(),
        children=cast("Children", None),
        results=cast("ResultStore", None),
        ask=api,
    )


async def run(api: Api, tasks: list[int], cancelled: asyncio.Event | None = None, **more: Any) -> dict[str, Any]:
    """Run a batch of retries."""
    operation = TaskCommand()
    params = operation.parse({"word": "retry", "tasks": tasks, **more})
    return await operation.execute(context(api, cancelled), params)


async def test_every_target_is_asked_for_and_its_answer_kept() -> None:
    """In the order of the plan, a few at once; refusals beside what was accepted."""
    refusal = {"task": 3, "status": 400, "error": {"code": 4007, "message": "x" * 1000}}
    api = Api({3: refusal, 4: {"task": 4, "status": 200, "state": "READY", "seq": 1, "replayed": True}})
    found = await run(api, [1, 2, 3, 4, 5, 6])

    assert sorted(api.asked) == [1, 2, 3, 4, 5, 6]
    assert 1 < api.busiest <= task_command.AT_ONCE
    assert api.questions[0] == {"task": 7, "subtask": 2, "fence": 41, "target": 1}
    assert (found["accepted"], found["refused"]) == (5, 1)
    assert [item["task"] for item in found["items"]] == [1, 2, 3, 4, 5, 6]
    assert found["items"][2] == {"task": 3, "status": 400, "error": {"code": 4007, "message": "x" * 300}}
    assert found["items"][3] == {"task": 4, "status": 200, "state": "READY"}


async def test_a_pace_is_kept_and_what_was_decided_before_takes_no_time() -> None:
    """One beat between two commands, also behind another batch; repeated ones are told again at once."""
    done = {target: {"task": target, "status": 200, "state": "READY", "replayed": True} for target in range(1, 50)}
    api = Api(done)
    begun = monotonic()
    await run(api, [*range(1, 50), 98, 99, 100], pace=600, follows=True)

    assert api.at[0] - begun >= 0.095
    assert api.at[49] - api.at[0] < 0.08
    assert all(later - earlier >= 0.095 for earlier, later in zip(api.at[49:], api.at[50:], strict=False))


async def test_an_outage_is_waited_for_and_fails_the_batch_when_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer and `retry` are tried again; after the patience it is a fault that may go away by itself."""
    assert (await run(Api(faults=2), [1]))["accepted"] == 1
    monkeypatch.setattr(task_command, "PATIENCE", 0.2)
    with pytest.raises(TransientFault, match="log is away"):
        await run(Api({1: {"task": 1, "status": 503, "retry": True, "why": "the log is away"}}), [1])


@pytest.mark.parametrize(("faults", "pace"), [(0, {"pace": 1}), (10_000, {}), (10_000, {"pace": 600})])
async def test_a_cancel_ends_it_at_once(faults: int, pace: dict[str, float]) -> None:
    """While it waits for its next beat, and while it waits for an API."""
    stop = asyncio.Event()
    running = asyncio.create_task(run(Api(faults=faults), [1, 2, 3], stop, **pace))
    await asyncio.sleep(0.01)
    stop.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, 1)


async def test_a_denial_is_no_answer_of_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails for good, unless the cancel it comes from arrives."""
    monkeypatch.setattr(task_command, "DENIED_SECONDS", 0.05)
    api = Api({1: {"status": 403, "denied": "The task 7 is no bulk command."}})
    with pytest.raises(PermanentFault, match="no bulk command"):
        await run(api, [1])
    monkeypatch.setattr(task_command, "DENIED_SECONDS", 5.0)
    stop = asyncio.Event()
    running = asyncio.create_task(run(api, [1], stop))
    await asyncio.sleep(0.01)
    stop.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, 1)


@pytest.mark.parametrize(
    "params",
    [
        {"word": "create", "tasks": [1]},
        {"word": "retry", "tasks": []},
        {"word": "retry", "tasks": [0]},
        {"word": "retry", "tasks": [1], "pace": 0},
    ],
)
def test_parameters_are_checked(params: dict[str, Any]) -> None:
    """A word that is none, no target, no pace."""
    with pytest.raises(PermanentFault):
        TaskCommand().parse(params)
