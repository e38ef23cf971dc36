"""The codec: strict about what it knows, lenient about what newer programs add, never surprised (I1)."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.log.fold import fold, too_new
from shared.log.port import Stored
from shared.messages import headers, subjects
from shared.messages.codec import Undecodable, decode, digest, encode
from shared.messages.commit import MAX_PAYLOAD, Commit
from shared.task.events import TaskCreated, UnknownEvent
from tests.unit.messages.examples import COMMIT, EVENTS, wire
from tests.unit.task.given import Story, node, standing


def raw(**changes: Any) -> bytes:
    """The example commit with some of its fields changed."""
    return json.dumps({**json.loads(encode(COMMIT)), **changes}).encode()


def with_event(event: dict[str, Any]) -> bytes:
    """The example commit with one more event in its first decision."""
    content = json.loads(encode(COMMIT))
    content["decisions"][0]["events"].append(event)
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "bad_json"),
        (b"no json", "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (b'"text"', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"a":' * 50_000, "bad_json"),
        (b"9" * 10_000, "bad_json"),
        (b"[]", "bad_json"),
        (b"{}", "bad_commit"),
        (raw(v=2), "newer_version"),
        (raw(v=99, decisions="in a way nobody knows yet"), "newer_version"),
        (raw(v="1"), "bad_commit"),
        (raw(task="x"), "bad_commit"),
        (raw(more=1), "bad_commit"),
        (raw(decisions=[]), "bad_commit"),
        (raw(decisions=5), "bad_commit"),
        (raw(decisions=[{"events": 5}]), "bad_commit"),
        (raw(decisions=[{"events": [{"type": []}, {"type": "new.one"}]}]), "bad_commit"),
        (raw(decisions=[{"id": "x", "at": "2026-01-02T03:04:05", "by": {"kind": "u", "name": "n"}}]), "bad_commit"),
        (with_event({"type": "subtask.undone", "subtask": 1}), "bad_commit"),
        (with_event({"type": "subtask.undone", "subtask": 1, "fence": 2, "more": 3}), "bad_commit"),
        (with_event({"subtask": 1}), "bad_commit"),
        (b" " * (MAX_PAYLOAD + 1), "too_large"),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, reason: str) -> None:
    """One word for programs, one sentence for people, whatever the bytes are."""
    with pytest.raises(Undecodable) as undecodable:
        decode(body)
    assert undecodable.value.reason == reason
    assert str(undecodable.value)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_decoding_is_total(body: bytes | str) -> None:
    """Any bytes give a commit or `Undecodable`, and nothing else."""
    try:
        decode(body if isinstance(body, bytes) else body.encode())
    except Undecodable:
        return


@given(
    st.dictionaries(
        st.sampled_from(["v", "task", "prev", "decisions"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["id", "at", "by", "events", "type"]), inner, max_size=4)
            ),
        ),
    )
)
def test_decoding_what_looks_like_a_commit_is_total(content: dict[str, Any]) -> None:
    """Also when the names are right and what they name is not."""
    try:
        decode(json.dumps(content).encode())
    except Undecodable:
        return


def test_an_unknown_event_is_kept_and_the_rest_is_read() -> None:
    """A newer program's event type does not hide what this one knows."""
    commit = decode(with_event({"type": "subtask.teleported", "subtask": 1, "where": {"to": "mars"}}))
    events: Sequence[object] = commit.decisions[0].events
    *known, unknown = events
    assert known == list(COMMIT.decisions[0].events)
    assert isinstance(unknown, UnknownEvent)
    assert unknown.model_dump() == {"type": "subtask.teleported", "subtask": 1, "where": {"to": "mars"}}


def test_the_fold_skips_and_counts_unknown_events() -> None:
    """The task is as if the event were not there, but for the count."""
    story = Story.of(node("a"))
    content = json.loads(story.bodies[0])
    content["decisions"][0]["events"].insert(1, {"type": "task.blessed", "by": "somebody"})
    blessed, _ = fold([Stored(1, "d1", json.dumps(content).encode())])
    plain, _ = fold([Stored(1, "d1", story.bodies[0])])
    assert blessed is not None
    assert plain is not None
    assert {**standing(blessed), "head": ""} == {**standing(plain), "head": "", "ignored": 1}


def test_the_fold_says_when_a_newer_program_wrote() -> None:
    """Bad bytes are skipped; a newer version is something to stop at."""
    assert not too_new([Stored(1, "", b"no json"), Stored(2, "", encode(COMMIT))])
    assert too_new([Stored(1, "", b"no json"), Stored(2, "", raw(v=2))])


@given(st.lists(st.binary(max_size=40) | st.sampled_from([encode(COMMIT), raw(v=2), b"{}"]), max_size=6))
def test_the_fold_is_total(bodies: list[bytes]) -> None:
    """Whatever lies on a subject, there is a state or none, and the last sequence is the last one read."""
    _, last = fold([Stored(seq, "", body) for seq, body in enumerate(bodies, start=1)])
    assert last == len(bodies)


def test_a_commit_that_does_not_begin_with_a_creation_begins_nothing() -> None:
    """A task exists from `task.created` on."""
    late = Commit(task=1, decisions=(COMMIT.decisions[1],))
    tail = Commit(task=1, prev="a" * 64, decisions=(COMMIT.decisions[0].model_copy(update={"events": EVENTS[:1]}),))
    assert isinstance(EVENTS[0], TaskCreated)
    assert fold([Stored(1, "", encode(late)), Stored(2, "", encode(tail))]) == (None, 2)


def test_nulls_inside_parameters_survive() -> None:
    """Absent fields are left out, a user's nulls are not."""
    assert b'"skip":null' in wire(EVENTS[0])
    assert b"null" not in wire(EVENTS[1])


def test_the_digest_is_of_the_bytes() -> None:
    """SHA-256 in hex: what `sha256sum` says about an exported body (P16)."""
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_headers_of_a_commit() -> None:
    """Identity, expected sequence, CloudEvents; a trace only when there is one."""
    assert headers.of_commit("id-1", 7, 3) == {
        "Nats-Msg-Id": "id-1",
        "Nats-Expected-Last-Subject-Sequence": "3",
        "ce-specversion": "1.0",
        "ce-id": "id-1",
        "ce-type": "opsledger.commit",
        "ce-source": "opsledger",
        "ce-subject": "7",
    }
    assert headers.of_commit("id-1", 7, 0, "00-ab-cd-01")["traceparent"] == "00-ab-cd-01"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("tasks.7", 7),
        ("tasks.", None),
        ("tasks.x", None),
        ("tasks.7.8", None),
        ("tasks.\u0667", None),
        ("other.7", None),
    ],
)
def test_task_ids_of_subjects(subject: str, expected: int | None) -> None:
    """Only what `subjects.task` makes is one of ours."""
    assert subjects.task_of(subject) == expected
    assert expected is None or subjects.task(expected) == subject
