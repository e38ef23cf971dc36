"""The log, the core and the executors' choices on a sinful bus: nothing is lost, doubled or run twice at once.

Ambiguous publishes, the answers of one replica and of three (T6), redelivery, counts that go back (T12), late
acknowledgements that hit the new owner (T10), copies, a queue that is deleted, executors killed and stopped. After each
story everything heals, the task ends, and the history checker compares what clients were told (I7), what the log says
(I3-I6, I10, I11) and what happened outside (I8, I9).
"""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.log import transact, waiting
from shared.task import commands as cmd
from tests.support.checker import check
from tests.support.history import walk
from tests.unit.log.world import World
from tests.unit.task.given import START, node

SINS = ["lose_answer", "lose_message", "late", "refuse"]
ON_TASK: list[Any] = [cmd.RetryTask, cmd.SkipTask, cmd.CancelTask, cmd.CancelTask, cmd.RollBackTask]
ON_SUBTASK: list[Any] = [cmd.RetrySubtask, cmd.SkipSubtask, cmd.CancelSubtask]
SAYS = {"argv": ["say", "$TASK_TOKEN"]}
met: Counter[str] = Counter()

STEPS = {
    "pull": 10,
    "finish": 10,
    "command": 3,
    "race": 2,
    "again": 2,
    "redeliver": 3,
    "crash": 1,
    "pause": 1,
    "ack": 2,
    "copy": 1,
    "rescue": 2,
    "delete": 0.3,
}
"""What happens, and how often."""

WANTED = (
    *("command ok", "command refused", "command unknown", "command not sent", "doubt resolved", "replayed"),
    *("fenced report refused", "taken over", "killed in the middle", "redelivered", "deliveries counted anew"),
    *("late ack hit a new owner", "copied commit", "race", "cancel lost the race", "cancel won the race"),
    "reported after its lease",
)


@pytest.fixture(autouse=True)
def in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another try takes no time here; who is out of patience is out of it soon."""

    async def rest(pause: float) -> float:
        await asyncio.sleep(0)
        return pause

    for module in (transact, waiting):
        monkeypatch.setattr(module, "rest", rest)


def world(chance: Random) -> World:
    """A small graph of every kind of delivery."""
    kinds = ["at_least_once", "at_least_once", "at_most_once"]

    def one(key: str, *upstreams: int) -> Any:
        undo, times = chance.random() < 0.4, chance.choice([0, 1, 2])
        return node(key, *upstreams, undo=undo, times=times, delivery=chance.choice(kinds), params=SAYS)

    return World(chance, (one("a"), one("b", 1), one("c", 1), one("d", 2, 3)), met)


async def story(seed: int, steps: int) -> None:
    """Tell one story, heal, and check."""
    chance = Random(seed)
    here = world(chance)
    await here.begin()
    for _ in range(steps):
        await step(here, chance)
    await here.heal()
    assert check({7: here.entries()}, here.calls, here.effects) == []
    for place in range(len(here.asked)):
        await here.ask_again(place)
    task = await here.heal()  # what was in doubt may have begun something
    made = here.entries()
    found = check({7: made}, here.calls, here.effects)
    assert found == []
    seen = walk(made)
    assert seen.finished == task.state
    met["cancel lost the race"] += seen.cancels["subtask.succeeded"]
    met["cancel won the race"] += seen.cancels["subtask.cancelled"]


async def step(here: World, chance: Random) -> None:
    """Somebody does something, or something happens."""
    sins = chance.choices(SINS, k=chance.randint(1, 3)) if chance.random() < 0.25 else []
    what = chance.choices(list(STEPS), list(STEPS.values()))[0]
    ending = chance.choice(["done", "done", "done", "failed", "cancelled"])
    match what:
        case "pull":
            await here.pull()
        case "finish":
            await here.finish(ending, sins)
        case "command":
            if chance.random() < 0.15:  # an outage, before it or just after it was stored
                first = chance.choice(SINS)
                sins = [first, *["refuse"] * 5_000] if chance.random() < 0.6 else ["lose_message"] * 5_000
            await here.command(order(chance), chance.choice(["rest", "bus", "bulk"]), sins)
            here.storage.sins.clear()
        case "race":
            met["race"] += 1
            await asyncio.gather(here.command(order(chance), "rest", sins), here.finish(ending, []), here.pull())
        case "again":
            await here.ask_again(chance.randint(0, 99))
        case "redeliver":
            here.redeliver()
        case "crash":
            here.crash()
        case "pause":
            here.pause()
        case "ack":
            here.late_ack()
        case "copy":
            await here.duplicate()
        case "rescue":
            await here.rescue()
        case _:
            here.queue.delete()


def order(chance: Random) -> Any:
    """A command on the task, or on one of its subtasks."""
    if chance.random() < 0.5:
        return chance.choice(ON_TASK)(START)
    return chance.choice(ON_SUBTASK)(START, number=chance.randint(1, 4))


def tell(seeds: range, steps: int) -> None:
    """Tell many stories; they must have met enough."""
    met.clear()
    for seed in seeds:
        try:
            asyncio.run(story(seed, steps))
        except Exception as error:
            error.add_note(f"in the story of seed {seed}")
            raise
    assert {word: met[word] for word in WANTED if met[word] < 3} == {}, "the run met too little"


def test_a_sinful_bus_loses_and_doubles_nothing() -> None:
    """Hundreds of stories by chance, which together meet every sin."""
    tell(range(400), 60)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 80))
def test_nor_does_what_hypothesis_looks_for(seed: int, steps: int) -> None:
    """The same from seeds and lengths that Hypothesis picks, and shrinks when one fails."""
    asyncio.run(story(seed, steps))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_sinful_bus_at_length() -> None:
    """Ten times as many."""
    tell(range(4_000), 60)
