"""What pages about the installation say of executors, pools, resources and payloads."""

from datetime import timedelta

import pytest

from services.api.console.executors import badge_of
from services.api.console.queue import part, pool
from services.api.console.set_aside import readable
from services.api.fleet import Executor
from services.api.rest.ports import Health
from shared.queue.port import Depth, Waiting
from shared.runtime.clock import now

NOW = now()


def executor(**more: object) -> Executor:
    """An executor of pool db with four slots."""
    given = {"name": "one", "pools": ["db"], "slots": 4, "started_at": NOW, "at": NOW, **more}
    return Executor.model_validate(given)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "Ready"),
        ({"held": 1}, "Working"),
        ({"held": 2, "draining": True}, "Draining"),
        ({"draining": True}, "Drained"),
        ({"at": NOW - timedelta(seconds=21), "held": 1}, "Not heard"),
    ],
)
def test_an_executor_is_called(more: dict[str, object], word: str) -> None:
    """Drained only when nothing runs any more."""
    assert badge_of(executor(**more), NOW).word == word


def test_a_pool_that_nobody_serves_is_bad_when_something_waits() -> None:
    """Draining executors and those not heard serve nobody."""
    gone = [executor(draining=True), executor(at=NOW - timedelta(minutes=1)), executor(pools=["other"])]
    waiting = Depth(3, 0, Waiting(7, 2, NOW))

    found = pool("db", waiting, gone, NOW, links=True)
    empty = pool("db", Depth(0, 0), gone, NOW, links=True)

    assert (found.badge.word, found.badge.tone, found.executors, found.slots) == ("Nobody", "bad", 0, 0)
    assert (found.oldest, found.href) == (NOW, "/tasks/7?subtask=2")
    assert (empty.badge.word, empty.badge.tone) == ("Nobody", "idle")


def test_a_pool_says_whether_slots_are_free() -> None:
    """What waits although slots are free is taken in a moment; which task it is, some may not know."""
    waiting = Depth(3, 4, Waiting(7, 2, NOW))

    full = pool("db", waiting, [executor(held=4)], NOW, links=False)
    free = pool("db", waiting, [executor(held=1)], NOW, links=False)
    still = pool("db", Depth(0, 1), [executor(held=1)], NOW, links=False)

    assert (full.said, full.busy, full.slots, full.href) == ("Every slot is taken.", 4, 4, "")
    assert free.said.startswith("Slots are free")
    assert (still.badge.word, still.said) == ("Flows", "")


def test_what_is_away_says_what_follows() -> None:
    """And what is well says how quickly it answers, or how far behind it is."""
    assert part("nats", Health(ok=True, ms=1.2)).said == "Answers in 1.2 ms."
    assert "No command can be taken" in part("nats", Health(ok=False, detail="TimeoutError")).said
    assert part("projection", Health(ok=True, lag=0)).said == "Up to date with the log."
    assert part("projection", Health(ok=True, lag=1)).said == "1 commit behind."
    behind = part("projection", Health(ok=False, lag=12_000))
    assert behind.said.startswith("12,000 commits behind. Lists show old states.")
    assert behind.badge.tone == "bad"


@pytest.mark.parametrize(
    ("body", "text", "json"),
    [
        (b'{"a":"\xc3\xbc"}', '{\n  "a": "ü"\n}', True),
        (b"{", "{", False),
        (b"\xff\x00", "\ufffd\x00", False),
        (b"", "", False),
        (b"[" * 50_000, "[" * 50_000, False),
    ],
)
def test_a_payload_is_readable(body: bytes, text: str, *, json: bool) -> None:
    """JSON with its lines; anything else as it came, and never an error."""
    assert readable(body) == (text, json)
