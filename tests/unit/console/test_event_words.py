"""A task's history in words."""

from typing import Any

import pytest

from services.api.console.event_words import KINDS, MAX_LINES, Entry, entry, fits, names, sentence
from services.api.rest.live.chain import Chain
from shared.log.port import Stored
from shared.task import commands as cmd
from shared.task.events import EVENT_TYPES
from tests.unit.task.given import OOPS, Story, node


def shown(story: Story) -> list[dict[str, Any]]:
    """The history as REST shows it."""
    chain = Chain(story.now.id)
    return [one for seq, body in enumerate(story.bodies, 1) for one in chain.of(Stored(seq, "", body))]


def told(story: Story) -> list[Entry]:
    """The history in words."""
    return [entry(one, names(story.now)) for one in shown(story)]


def broken() -> Story:
    """A task whose second step failed."""
    story = Story.of(node("a"), node("b", 1))
    story.run(1)
    story.break_down(2)
    return story


def test_every_decision_is_a_sentence() -> None:
    """Who did what to which subtask."""
    lines = [sentence(one) for one in told(broken())]
    assert lines[0] == "tester: created a task, and 1 more"
    assert any(line.startswith("tester: a started on") and "attempt 1" in line for line in lines)
    assert any("b failed: exit code 1" in line for line in lines)


def test_a_refusal_says_what_was_asked_and_why_not() -> None:
    """With the words of the refusal, and no event."""
    refused = {
        "seq": 9, "at": "2026-01-02T03:04:05+00:00", "outcome": "refused", "events": [], "reason": "by mistake",
        "by": {"kind": "user", "name": "ada", "via": "console"},
        "refusal": {"command": "retry", "kind": "illegal_state", "code": 4007, "message": "It runs."},
    }  # fmt: skip
    found = entry(refused, str)
    assert (found.who, found.via, found.reason, found.refused) == ("ada", "console", "by mistake", "retry: It runs.")
    assert fits(refused, "refused")
    assert fits(refused, "commands")
    assert not fits(refused, "attempts")


def test_a_history_is_narrowed_by_kind() -> None:
    """Commands, attempts and failures are told apart."""
    story = broken()
    story.do(cmd.RetryTask(story.at))
    found = shown(story)
    types = {kind: [one["events"][0]["type"] for one in found if fits(one, kind)] for kind in KINDS}
    assert types["commands"] == ["task.created", "task.retried"]
    assert types["refused"] == []
    assert types["failures"] == ["subtask.failed"]
    assert set(types["attempts"]) == {"subtask.started", "subtask.succeeded", "subtask.failed"}
    assert len(types["all"]) == len(found)


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
def test_every_event_has_words(kind: str) -> None:
    """No type stands on the page as the log calls it."""
    event = {"type": kind, "subtask": 1, "problem": OOPS.model_dump(mode="json"), "state": "FAILED"}
    one = {"seq": 1, "at": "2026-01-02T03:04:05+00:00", "outcome": "accepted", "events": [event], "by": {}}
    (line,) = entry(one, lambda number: f"step {number}").lines
    assert kind not in line.text
    assert "{" not in line.text


def test_what_this_version_does_not_know_is_called_by_its_type() -> None:
    """Nothing is hidden."""
    one = {"seq": 1, "at": "2026-01-02T03:04:05+00:00", "outcome": "accepted", "events": [{"type": "task.painted"}]}
    assert entry(one, str).lines[0].text == "task.painted"


def test_thousands_of_events_of_one_decision_are_counted() -> None:
    """The page stays small."""
    events = [{"type": "subtask.lost", "subtask": number} for number in range(1, 1001)]
    one = {"seq": 1, "at": "2026-01-02T03:04:05+00:00", "outcome": "accepted", "events": events}
    found = entry(one, str)
    assert (len(found.lines), found.more) == (MAX_LINES, 1000 - MAX_LINES)
