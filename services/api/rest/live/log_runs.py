"""The runs of a subtask, and which of them a caller means. Drawn from its commits."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.rest.render import iso
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode
from shared.task import events as ev

_RUN: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RunAbout:
    """One run; `number` counts executions, as OCP's runTime does, and is None for undoing."""

    generation: int
    attempt: int
    phase: str
    number: int | None
    at: datetime
    executor: str

    def shown(self) -> dict[str, Any]:
        """Return the JSON form."""
        found: dict[str, Any] = {
            "run": f"{self.generation}-{self.attempt}",
            "phase": self.phase,
            "startTime": iso(self.at),
            "executor": self.executor,
        }
        return found if self.number is None else {**found, "number": self.number}


def concerns(stored: Stored, number: int) -> bool:
    """Whether a commit may have an event of the subtask: a glance at its bytes spares decoding the others."""
    body, name = stored.body, b'"subtask":%d' % number
    return name + b"," in body or name + b"}" in body or b'"task.r' in body or b'"task.s' in body or b'"task.c' in body


def runs_of(history: Iterable[Stored], number: int) -> list[RunAbout]:
    """Return the subtask's runs in order."""
    found: list[RunAbout] = []
    executed = 0
    for stored in history:
        if b'"subtask.started"' not in stored.body or not concerns(stored, number):
            continue
        try:
            commit = decode(stored.body)
        except Undecodable:
            continue
        for decision in commit.decisions:
            for event in decision.events:
                if isinstance(event, ev.SubtaskStarted) and event.subtask == number:
                    executed += event.phase == "execute"
                    run_time = executed if event.phase == "execute" else None
                    about = (event.generation, event.attempt, event.phase, run_time, decision.at, event.executor)
                    found.append(RunAbout(*about))
    return found


def meant(runs: Iterable[RunAbout], given: str) -> frozenset[tuple[int, int, str | None]] | None:
    """Return the runs that `given` means: generation-attempt, or the number of an execution; None when it is neither.

    A run that is not there yet means itself; an execution that was never begun is no run.
    """
    named = _RUN.fullmatch(given)
    if named is not None:
        return frozenset({(int(named[1]), int(named[2]), None)})
    if not _NUMBER.fullmatch(given):
        return None
    return frozenset((run.generation, run.attempt, run.phase) for run in runs if run.number == int(given))
