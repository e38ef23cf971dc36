"""The log is kept for ever: what was written once is read the same, and what is written today looks the same."""

import json

import pytest

from shared.messages.codec import decode
from shared.task.events import EVENT_TYPES, event_adapter
from tests.unit.messages.examples import COMMIT, EVENTS, GOLDEN, VARIANTS, examples

FILES = {path.name: path.read_bytes().removesuffix(b"\n") for path in GOLDEN.glob("*.json")}


def test_every_event_type_has_a_golden_file() -> None:
    """A new event type comes with its example; no golden file is ever removed."""
    assert {event.type for event in EVENTS} == EVENT_TYPES
    assert set(FILES) == {f"{kind}.json" for kind in (*EVENT_TYPES, *VARIANTS)} | {"commit.json"}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_a_golden_event_decodes_to_the_same_object(event: object) -> None:
    """The bytes of then give the object of now."""
    kind = getattr(event, "type", "")
    assert event_adapter.validate_json(FILES[f"{kind}.json"]) == event


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_field_that_came_later_has_its_own_file(name: str) -> None:
    """The older file keeps its bytes; the newer one decodes to the object of now."""
    assert event_adapter.validate_json(FILES[f"{name}.json"]) == VARIANTS[name]


@pytest.mark.parametrize("name", sorted(FILES))
def test_todays_objects_have_the_golden_bytes(name: str) -> None:
    """Hashes of commits hang on every byte: field order, numbers, times, what is left out."""
    assert examples()[name] == FILES[name]


def test_the_golden_commit_decodes_to_the_same_object() -> None:
    """A whole commit: several decisions, a refused one, keys and reasons."""
    assert decode(FILES["commit.json"]) == COMMIT


@pytest.mark.parametrize("name", sorted(FILES))
def test_golden_files_are_plain_json(name: str) -> None:
    """Anybody can read the log without this program."""
    assert isinstance(json.loads(FILES[name]), dict)
