"""Handing commits on: encoded once, bounded for the slow, nothing left behind by those who go."""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.rest.errors import Problem
from services.api.rest.live.chain import Chain, entries
from services.api.rest.live.fan import Fan, Item, Listener
from services.api.rest.live.frame import frame
from services.api.rest.live.log_line import Cursor, Wanted, count, lines_of
from services.api.rest.live.streams import Streams
from shared.log.port import Stored
from shared.messages.codec import digest, encode
from shared.messages.commit import By, Commit, Decision
from shared.runtime.clock import now
from shared.store.logs import Stored as Batch
from shared.task.events import TaskCreated, TaskRetried


def item(seq: int, task_id: int = 7, team: str = "red", made: list[int] | None = None) -> Item:
    """A commit of a team's task; `made` notes when it is encoded."""

    def data() -> list[dict[str, int]]:
        if made is not None:
            made.append(seq)
        return [{"seq": seq}]

    return Item(seq, task_id, {"team": team}, 100, data)


def test_a_commit_is_encoded_once_and_only_if_somebody_wants_it() -> None:
    """Two hundred listeners share the same bytes."""
    fan, made = Fan(), list[int]()
    listeners = [Listener(None, None) for _ in range(200)]
    fan.give(item(1, made=made))
    for listener in listeners:
        fan.add(listener)
    fan.give(item(2, made=made))
    frames = {id(found.frame) for listener in listeners for found in listener.take()}
    assert (made, len(frames)) == ([2], 1)


def test_everybody_hears_what_is_theirs() -> None:
    """One task, all tasks, one team's tasks."""
    fan = Fan()
    everything, one, red = Listener(None, None), Listener(8, None), Listener(None, frozenset({"red"}))
    blue_one = Listener(7, frozenset({"blue"}))
    for listener in (everything, one, red, blue_one):
        fan.add(listener)
    fan.give(item(1))
    fan.give(item(2, task_id=8, team="blue"))
    heard = [[found.seq for found in listener.take()] for listener in (everything, one, red, blue_one)]
    assert heard == [[1, 2], [2], [1], []]


def test_the_slow_lose_their_queue_and_know_it() -> None:
    """By number and by bytes; until it begins anew nothing is kept for it."""
    for listener in (Listener(None, None, most=3), Listener(None, None, most_bytes=350)):
        for seq in range(1, 10):
            listener.give(item(seq))
        assert listener.lost
        assert listener.take() == []
        listener.begin(9)
        listener.give(item(10))
        assert ([found.seq for found in listener.take()], listener.since, listener.lost) == ([10], 9, False)


def test_those_who_go_are_forgotten() -> None:
    """No listener and no empty group stays."""
    fan = Fan()
    listeners = [Listener(task_id, None) for task_id in (None, 7, 7, 8)]
    for listener in listeners:
        fan.add(listener)
    assert len(fan) == 4
    for listener in listeners:
        fan.remove(listener)
        fan.remove(listener)
    assert (len(fan), fan._to_task) == (0, {})


async def test_waiting_ends_with_the_first_item() -> None:
    """At once when something is there, else when it comes, else after the time."""
    listener = Listener(None, None)
    listener.give(item(1))
    await asyncio.wait_for(listener.wait(60), 1)
    listener.take()
    waiting = asyncio.create_task(listener.wait(60))
    await asyncio.sleep(0)
    listener.give(item(2))
    await asyncio.wait_for(waiting, 1)
    listener.take()
    await listener.wait(0.01)
    assert listener.take() == []


async def test_streams_are_counted_and_ended() -> None:
    """A principal has so many; those who leave make room; a process that stops takes no more."""
    streams = Streams(2)
    with streams.place("a") as first, streams.place("a"), streams.place("b"):
        with pytest.raises(Problem) as refusal, streams.place("a"):
            pass
        assert (refusal.value.status, streams.refused, len(streams)) == (429, 1, 3)
        streams.end()
        assert first.done()
    assert len(streams) == 0
    with pytest.raises(Problem) as refusal, streams.place("c"):
        pass
    assert refusal.value.status == 503


def test_a_frame_is_one_event_whatever_is_in_it() -> None:
    """Line breaks and quotes in the data stay inside."""
    text = frame("commit", {"text": 'a\nb\r\n\u2028"\x00'}, 5).decode()
    assert re.fullmatch(r"id: 5\nevent: commit\ndata: [^\n\r]*\n\n", text)


def message(seq: int, commit: Commit) -> Stored:
    """A commit as it is stored."""
    return Stored(seq, f"c{seq}", encode(commit))


def commit(prev: str, *events: TaskCreated | TaskRetried, task: int = 7) -> Commit:
    """A commit of one decision."""
    return Commit(
        task=task, prev=prev, decisions=(Decision(id="d", at=now(), by=By(kind="user", name="u"), events=events),)
    )


def test_a_chain_marks_what_does_not_count() -> None:
    """A stray before the creation, copies, other tasks' commits and noise count for nothing and move no head."""
    created = commit("", TaskCreated(name="n", task_type="plan", pool="default", labels={"team": "red"}))
    first = message(2, created)
    second = message(5, commit(digest(first.body), TaskRetried(turn=1)))
    log = [
        message(1, commit("", TaskRetried(turn=1))),
        first,
        Stored(3, "x", first.body),
        Stored(4, "y", b"noise"),
        second,
        message(6, commit(digest(second.body), TaskRetried(turn=2), task=8)),
        Stored(7, "z", second.body),
    ]
    chain = Chain(7)
    outcomes = [chain.of(stored)[0]["outcome"] for stored in log]
    assert outcomes == ["ignored", "accepted", "ignored", "unreadable", "accepted", "unreadable", "ignored"]
    assert (chain.head, chain.labels) == (digest(second.body), {"team": "red"})
    counting = Chain(7)
    counts = [counting.take(stored.body) for stored in log]
    again = [entries(7, stored, ignored=not counted) for stored, counted in zip(log, counts, strict=True)]
    assert [entry[0]["outcome"] for entry in again] == outcomes


@given(st.integers(0, 10**17), st.integers(0, 10**8), st.none() | st.integers(0, 10**14))
def test_a_cursor_reads_as_it_is_written(seq: int, place: int, number: int | None) -> None:
    """Whatever it points at."""
    assert Cursor.of(str(Cursor(seq, place, number))) == Cursor(seq, place, number)


def test_what_is_no_cursor_is_none() -> None:
    """Of whatever kind."""
    assert [Cursor.of(text) for text in ("", "1", "1.", ".1", "1.2.3.4", "-1.2", "1.2.x", "1" * 19 + ".1")] == [
        None
    ] * 8


_TEXT = st.text(st.sampled_from('aBß"\\{t:}\n\t é🙂l'), max_size=12)


@given(st.lists(_TEXT, min_size=1, max_size=6), st.text(st.sampled_from('Ab"\\{t é'), min_size=1, max_size=3))
def test_a_glance_at_a_batch_misses_nothing(texts: list[str], find: str) -> None:
    """What is passed over unread has no line that fits, and its lines are counted right."""
    lines = [{"t": 1.5, "l": "INFO", "m": text} for text in texts]
    head = {"v": 1, "generation": 1, "attempt": 2, "phase": "execute", "lines": lines}
    for body in (json.dumps(head).encode(), json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()):
        found = list(lines_of(Batch(9, body)))
        assert count(body) == len(found) == len(texts)
        for wanted in (
            Wanted(find=find),
            Wanted(levels=frozenset({"INFO"})),
            Wanted(levels=frozenset({"WARN"})),
            Wanted(runs=frozenset({(1, 2, None)})),
            Wanted(runs=frozenset({(1, 3, "execute")})),
        ):
            if any(wanted.fits(line) for line in found):
                assert wanted.may_be_in(body)
