"""Checking the checker: a good history passes, and each planted anomaly is found under its own name.

The automaton of `tests/support/history.py` is held against the core as well: it accepts hundreds of random stories, and
no story of which an event was taken out, doubled or changed.
"""

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from shared.messages.codec import decode
from shared.task import commands as cmd
from tests.support.checker import Call, check
from tests.support.history import TURNS, walk
from tests.support.ledger import Line
from tests.unit.task.crowd import tell
from tests.unit.task.given import OOPS, Story, node

Entry = dict[str, Any]
USER = {"kind": "user", "name": "ada", "via": "rest"}
EXECUTOR = {"kind": "executor", "name": "e1"}


def entries(story: Story) -> list[Entry]:
    """A story's log as the events endpoint shows it."""
    found = []
    for seq, body in enumerate(story.bodies, start=1):
        for decision in decode(body).decisions:
            events = [event.model_dump(mode="json", exclude_none=True) for event in decision.events]
            user = any(event["type"] in {"task.created", *TURNS} for event in events)
            by = USER if user else EXECUTOR
            found.append({"seq": seq, "decision": decision.id, "by": by, "outcome": "accepted", "events": events})
    return found


@dataclass
class Record:
    """The three inputs of the checker."""

    log: dict[int, list[Entry]]
    calls: list[Call] = field(default_factory=list)
    effects: list[Line] = field(default_factory=list)

    def names(self) -> set[str]:
        """What the checker finds."""
        return {anomaly.name for anomaly in check(self.log, self.calls, self.effects)}

    @property
    def entries(self) -> list[Entry]:
        """The log of its one task."""
        return self.log[7]

    def of(self, kind: str) -> Entry:
        """The first entry with such an event."""
        return next(entry for entry in self.entries if any(event["type"] == kind for event in entry["events"]))


@pytest.fixture
def good() -> Record:
    """A task of two: the first fails and is retried, its executor is lost on the way; the second is cancelled."""
    says = {"argv": ["sh", "-c", "echo $TASK_TOKEN >> ledger"]}
    story = Story.of(node("a", params=says), node("b", 1, params=says, delivery="at_most_once"))
    story.claim(1, item=1)
    story.settle(1, cmd.Failed(OOPS))
    story.retry()
    story.claim(1, item=2)
    story.do(cmd.Claim(1, story.claimant(2, "i2", 2), story.at))
    story.settle(1, cmd.Succeeded())
    story.claim(2)
    story.cancel()
    story.settle(2, cmd.Succeeded())
    made = entries(story)
    commands = [entry for entry in made if entry["by"] is USER][1:]
    for number, entry in enumerate(commands):
        entry["reason"] = f"call-{number}"
    late = {"seq": len(made) + 1, "by": USER, "outcome": "refused", "events": [], "reason": "call-late"}
    calls = [
        *(Call(f"call-{n}", 7, "ok", 10.0 * n, 10.0 * n + 1, e["seq"]) for n, e in enumerate(commands)),
        Call("call-late", 7, "refused", 90.0, 91.0),
        Call("call-doubt", 7, "unknown", 92.0, 93.0),
        Call("call-down", 7, "not sent", 94.0, 95.0),
    ]
    effects = [
        *lines("7/1/1", "r1", 1.0, "start"),
        *lines("7/1/2", "r2", 3.0, "start", "beat"),
        *lines("7/1/2", "r3", 5.0, "start", "beat", "end"),
        *lines("7/2/1", "r4", 7.0, "start", "end"),
    ]
    return Record({7: [*made, late]}, calls, effects)


def lines(token: str, run: str, at: float, *words: str) -> list[Line]:
    """The lines of a run, a tenth of a second apart."""
    return [Line(token, run, word, at + n / 10) for n, word in enumerate(words)]


def test_a_good_history_passes(good: Record) -> None:
    """Nothing is found, and the cancel that lost its race is seen as one."""
    assert check(good.log, good.calls, good.effects) == []
    assert walk(good.entries).cancels == {"subtask.succeeded": 1}


def lose(record: Record) -> None:
    """An accepted command is not in the log."""
    record.calls.append(Call("call-lost", 7, "ok", 96.0, 97.0))


def double(record: Record) -> None:
    """A command is in the log twice."""
    record.entries.append({**record.entries[-1], "seq": record.entries[-1]["seq"] + 1})


def forget(record: Record) -> None:
    """A refused command left no trace."""
    del record.entries[-1]


def haunt(record: Record) -> None:
    """A command that was never sent took effect."""
    record.of("task.cancel_requested")["reason"] = "call-down"
    record.calls = [call for call in record.calls if call.label != "call-1"]


def phantom(record: Record) -> None:
    """A success without its effect."""
    record.effects = [line for line in record.effects if (line.token, line.word) != ("7/2/1", "end")]


def silent(record: Record) -> None:
    """A success of what never even began."""
    record.effects = [line for line in record.effects if line.token != "7/2/1"]


def strange(record: Record) -> None:
    """An effect that nobody claimed."""
    record.effects += lines("7/2/9", "r9", 9.0, "start", "end")


def twice(record: Record) -> None:
    """More runs than claims."""
    record.effects += lines("7/1/1", "r9", 9.0, "start", "end")


def again(record: Record) -> None:
    """What must not run twice by itself did."""
    record.effects += lines("7/2/1", "r9", 9.0, "start", "end")


def split(record: Record) -> None:
    """The lost executor's run goes on while its successor's has begun."""
    record.effects += lines("7/1/2", "r2", 5.05, "beat")


def invert(record: Record) -> None:
    """The retry stands in the log behind the cancel that was asked for after it."""
    first, second, *others = record.calls
    record.calls = [replace(first, seq=second.seq), replace(second, seq=first.seq), *others]


def started_twice(record: Record) -> None:
    """A claim while another one is open."""
    entry = record.of("subtask.started")
    record.entries.insert(record.entries.index(entry) + 1, entry)


def stale(record: Record) -> None:
    """An end that names another fence than the open claim's."""
    record.of("subtask.succeeded")["events"][0]["fence"] += 1


def two_outcomes(record: Record) -> None:
    """A cancelled claim that completed and was cancelled."""
    entry = record.of("task.finished")
    fence = entry["events"][0]["fence"]
    entry["events"].insert(0, {"type": "subtask.cancelled", "subtask": 2, "fence": fence})


def unasked(record: Record) -> None:
    """Something ends as cancelled that nobody cancelled."""
    record.of("subtask.failed")["events"][0]["type"] = "subtask.cancelled"


def no_outcome(record: Record) -> None:
    """The task ends, and the cancel of what ran has none."""
    entry = record.of("task.finished")
    entry["events"] = entry["events"][1:]


def out_of_order(record: Record) -> None:
    """A follower starts before its upstream is done."""
    entry = record.of("subtask.started")
    entry["events"][0]["subtask"] = 2


def usurped(record: Record) -> None:
    """An executor commands."""
    record.of("task.retried")["by"] = EXECUTOR


def back_door(record: Record) -> None:
    """A command that came in by no door of ours."""
    record.of("task.retried")["by"] = {**USER, "via": "window"}


PLANTED: list[tuple[str, Callable[[Record], None]]] = [
    ("lost-command", lose),
    ("double-command", double),
    ("no-outcome", forget),
    ("ghost-command", haunt),
    ("phantom-success", phantom),
    ("phantom-success", silent),
    ("unauthorised-effect", strange),
    ("double-effect", twice),
    ("re-run", again),
    ("split-brain-execution", split),
    ("order-inversion", invert),
    *(("illegal-transition", plant) for plant in (started_twice, stale, two_outcomes, unasked, no_outcome)),
    *(("illegal-transition", plant) for plant in (out_of_order, usurped, back_door)),
]


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_anomaly_is_found(good: Record, name: str, plant: Callable[[Record], None]) -> None:
    """Under its own name."""
    planted = Record(copy.deepcopy(good.log), list(good.calls), list(good.effects))
    plant(planted)
    assert name in planted.names()


def test_commands_of_every_door_are_accepted(good: Record) -> None:
    """REST, the bus, the command line, the console and bulk tasks."""
    for via in ("rest", "bus", "cli", "console", "bulk"):
        good.of("task.retried")["by"] = {**USER, "via": via}
        assert walk(good.entries).problems == []
        assert walk(good.entries).doors[via] >= 1


def test_the_automaton_agrees_with_the_core() -> None:
    """It accepts what the core does in hundreds of random stories, and ends where the core ends."""
    outcomes: Counter[str] = Counter()
    for seed in range(300):
        story = tell(seed, 150)
        seen = walk(entries(story))
        assert seen.problems == [], f"in the story of seed {seed}"
        assert seen.finished == (story.now.state.value if story.now.ended else None)
        outcomes += seen.cancels
    assert all(outcomes[f"subtask.{word}"] for word in ("cancelled", "succeeded", "failed", "undone")), outcomes


@pytest.mark.parametrize("harm", ["drop", "double"])
def test_the_automaton_notices_what_is_missing(harm: str) -> None:
    """A report or a command taken out of a story, or told twice, hardly ever passes."""
    noticed = harmed = 0
    for seed in range(40):
        made = entries(tell(seed, 80))
        places = [place for place, entry in enumerate(made) if place and entry["events"][0]["type"] != "task.planned"]
        for place in places[:: max(1, len(places) // 6)]:
            broken = [*made[:place], *([made[place]] * 2 if harm == "double" else ()), *made[place + 1 :]]
            harmed += 1
            noticed += bool(walk(broken).problems) or walk(broken).finished != walk(made).finished
    assert harmed > 100
    assert noticed > 0.97 * harmed, f"{noticed} of {harmed}"
