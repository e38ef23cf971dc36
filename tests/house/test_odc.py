"""`docs/odc.md` says which words stand for a state, and `docs/results.md` which kinds an answer may have."""

from services.api.rest.languages import RESULT_KINDS
from services.api.rest.words import FILTERS, ODC, ODC_ENUMS, plain
from shared.task.state import TaskState
from tests.house.tables import table


def test_every_word_is_the_one_that_is_shown_or_found() -> None:
    """Label, task status and flow status of each state, and nothing that filters would not find."""
    rows = table("odc.md", "state", "label", "task status", "flow status", "also found by")
    assert [row[:4] for row in rows] == [(state.value, ODC[state], *ODC_ENUMS[state][:2]) for state in TaskState]
    for state, *words in rows:
        found = {word.strip() for cell in words for word in cell.replace(";", ",").split(",") if word.strip()}
        assert set(ODC_ENUMS[TaskState(state)]) <= found
        assert all(TaskState(state) in FILTERS["odc"][plain(word)] for word in found)


def test_every_kind_of_missing_result_is_explained() -> None:
    """Each has its row with what to do."""
    answers = " ".join(row[0] for row in table("results.md", "answer", "why", "what to do"))
    assert {kind for kind in RESULT_KINDS if kind in answers} == RESULT_KINDS
