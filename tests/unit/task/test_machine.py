"""The core under a random crowd: executors, lost executors, stale reports, copies, operators right and wrong.

After each step the invariants of the reliability page (I1-I14) are checked against a second, much plainer account of
what a task is. A run counts what it met, and fails when it met too little. Where each one is asserted:

| I  | asserted in                                                                                           |
|----|-------------------------------------------------------------------------------------------------------|
| 1  | `Core.garbage`, `Core.copy`; bytes of every kind: `tests/unit/messages/test_codec.py`                 |
| 2  | `Story.commit` (each step), `Core.read_in_two_pieces`, `Core.teardown` (the whole log once more)      |
| 3  | `Core.copy`, `Core.stale_report`, `Ledger._ended`                                                     |
| 4  | `Core.state_follows_from_subtasks`                                                                    |
| 5  | `Core._step` (ended: operators alone), `Core._after_turn` (one generation up)                         |
| 6  | `Ledger._started`, `Core.counts_agree`                                                                |
| 7  | `Ledger._turned`, `Core.teardown`, `Core.counts_agree` (cancels); on a sinful bus: `unit/log/test_crowd.py` |
| 8  | `Ledger._started` (budget), `Ledger._ended` (at_most_once)                                            |
| 9  | `Ledger._started`, `Core._step`                                                                       |
| 10 | `Ledger._started` (barred), `Ledger._ended`, `Core.counts_agree`, `Core.lose`                         |
| 11 | `Ledger._started` (order, once), `Ledger.note` (nothing left out)                                     |
| 12 | `Core.command_task`, `Core.command_subtask`; row by row: `test_table.py`, `tests/house/test_lifecycle.py` |
| 13 | `tests/unit/projection/test_incremental.py`, `tests/integration/projection`                           |
| 14 | `Core._do` (twice, and on a replayed copy)                                                            |
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.task.crowd import Core, tell
from tests.unit.task.doubt import met

WANTED = (
    *(f"subtask.{word}" for word in ("started", "succeeded", "undone", "failed", "retry_scheduled", "cancelled")),
    *("subtask.lost", "subtask.released", "subtask.retried", "subtask.skipped", "subtask.cancel_requested"),
    *(f"task.{word}" for word in ("planned", "plan_failed", "retried", "skipped", "cancel_requested", "finished")),
    *("task.rollback_requested", "task.deleted", "failed UNKNOWN_OUTCOME", "rollback step", "taken over"),
    *("refused illegal_state", "refused not_yet", "refused version_mismatch", "refused rollback_prohibited"),
    *("refused not_skippable", "stale report", "copied event", "part", "claimed onward", "two in one commit"),
    *("done while CANCELING", "cancelled while CANCELING", "released while RUNNING", "lost while canceling"),
    *("ended SUCCESSFUL FORWARD", "ended SUCCESSFUL BACKWARD", "ended CANCELLED BACKWARD", "ended FAILED BACKWARD"),
    *("task retry from CANCELLED FORWARD", "task rollback from FAILED BACKWARD", "subtask skip from FAILED BACKWARD"),
    *("subtask cancel from READY FORWARD", "subtask retry from READY FORWARD", "healed"),
    *("I1 garbage", "I2 read in two pieces", "I9 token of a later generation", "I11 rolled back"),
    *(f"I7 a cancel ended as subtask.{word}" for word in ("cancelled", "succeeded", "failed", "undone")),
    *("I14 decided on a replayed copy", "lost and not begun again in a cancelled task"),
    *(
        "standing RUNNING",
        "standing CANCELLED",
        "task retry from CANCELLED FORWARD",
        "task cancel from RUNNING FORWARD",
    ),
)


def _tell_many(seeds: range) -> None:
    met.clear()
    for seed in seeds:
        try:
            tell(seed, 150)
        except Exception as error:
            error.add_note(f"in the story of seed {seed}")
            raise
    assert {word: met[word] for word in WANTED if met[word] < 5} == {}, "the run met too little"


def _explore(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Core,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[phase for phase in Phase if phase is not Phase.explain],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_core_keeps_its_invariants() -> None:
    """Stories that Hypothesis invents keep I1-I14 after each step, and can be brought to a good end."""
    _explore(examples=60, steps=50)


def test_the_core_keeps_its_invariants_in_a_crowd() -> None:
    """So do hundreds of stories by chance, which together meet every event, every refusal and every way to end."""
    _tell_many(range(2_000))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_core_keeps_its_invariants_at_length() -> None:
    """The same with many more stories."""
    _tell_many(range(20_000))
    _explore(examples=1_000, steps=100)
