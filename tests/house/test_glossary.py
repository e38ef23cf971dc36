"""`docs/glossary.md` has each of our words once, and what it points to is there."""

from enum import StrEnum
from pkgutil import resolve_name

import pytest

from shared.messages import subjects
from shared.task.state import Direction, Operation, SubtaskStatus, TaskState
from tests.house.tables import table

WORDS = table("glossary.md", "word", "meaning", "in the program")
NAMES = table("glossary.md", "name", "kind", "holds")

STANDARD = (
    *("task", "subtask", "upstream", "downstream", "operator", "pool", "executor", "claim", "fence", "commit"),
    *("projection", "checkpoint"),
)


def test_each_word_stands_once() -> None:
    """The field's standard words are there, and no word has two meanings."""
    words = [row[0] for row in WORDS]
    assert len(words) == len(set(words))
    assert set(STANDARD) <= set(words)


@pytest.mark.parametrize(("word", "named"), [(row[0], row[2]) for row in WORDS])
def test_what_a_word_is_called_in_the_program_exists(word: str, named: str) -> None:
    """A class, a function or a module of that name."""
    assert resolve_name(named) is not None, word


@pytest.mark.parametrize(
    ("word", "enum"),
    [("state", TaskState), ("status", SubtaskStatus), ("operation", Operation), ("direction", Direction)],
)
def test_closed_vocabularies_are_complete(word: str, enum: type[StrEnum]) -> None:
    """Every member of the enum is named where its word is explained."""
    [meaning] = [row[1] for row in WORDS if row[0] == word]
    for member in enum:
        assert member.value in meaning


def test_every_stream_and_bucket_is_named() -> None:
    """What `shared.messages.subjects` names is in the list, and nothing else."""
    streams = {subjects.TASKS, subjects.WORK, subjects.COMMANDS, subjects.LOGS, subjects.IDS}
    buckets = {subjects.CATALOG, subjects.EXECUTORS, subjects.IDEMPOTENCY, subjects.ACCESS, subjects.CONNECTIONS}
    rest = {subjects.SECRETS, subjects.VALUES, subjects.REPLAYS, subjects.RESULTS, subjects.SET_ASIDE.upper()}
    assert {row[0] for row in NAMES} == streams | buckets | rest
    assert len(NAMES) == len({row[0] for row in NAMES})
