"""`docs/events.md` has one row per event, with its fields as they are."""

from typing import get_args

from shared.task.events import EVENT_TYPES, TaskEvent
from tests.house.tables import table

ROWS = table("events.md", "type", "what it says", "fields", "decided by")


def test_every_event_has_one_row() -> None:
    """No event without a row, no row without an event."""
    assert sorted(row[0] for row in ROWS) == sorted(EVENT_TYPES)


def test_every_row_names_the_events_fields() -> None:
    """All of them, in the order of the wire."""
    program = {
        model.model_fields["type"].default: ", ".join(name for name in model.model_fields if name != "type")
        for model in get_args(TaskEvent)
    }
    assert {row[0]: row[2] for row in ROWS} == program


def test_every_row_says_what_it_means_and_who_decides() -> None:
    """No empty cell."""
    assert all(all(row) for row in ROWS)
