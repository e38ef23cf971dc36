"""What a test wants to go wrong, and where: the step fails, its executor dies, somebody cancels the task.

Responsible for reading what a test gives, and for saying what was never reached. Refuses to know how a cue is played.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from services.executor.fault import Fault
from services.executor.operations.contract import Phase

Kind = Literal["crash", "fail", "cancel"]
At: TypeAlias = str | tuple[str, str] | tuple[str, str, Fault] | Sequence[Any] | None
"""A step's key, or (key, place), for a failure also the fault; a list holds several.

A place is "before" or "after" the effect, or "says TEXT": in the middle, when the step logs a line with TEXT in it.
"""
SAYS = "says "


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing to go wrong, once."""

    kind: Kind
    key: str
    place: str = "before"
    fault: Fault | None = None
    phase: Phase = "execute"


class NeverReached(AssertionError):  # noqa: N818  a fact about a test
    """A cue was not played: the test proved less than it says."""


def cues(kind: Kind, given: At, phase: Phase = "execute") -> list[Cue]:
    """Return the cues that a test asked for, to be played in this phase. Raises `ValueError` for what is none."""
    if given is None:
        return []
    if isinstance(given, list):
        return [cue for one in given for cue in cues(kind, one, phase)]
    parts: list[Any] = [given] if isinstance(given, str) else list(given)
    key, place, fault = (parts + ["", "before", None][len(parts) :])[:3]
    if not isinstance(key, str) or not _is_place(place) or not (fault is None or isinstance(fault, Fault)):
        raise ValueError(f'{kind}_at={given!r}: give a step\'s key, (key, "before"), (key, "after") or (key, "says …")')
    return [Cue(kind, key, place, fault, phase)]


def _is_place(place: object) -> bool:
    return place in {"before", "after"} or (
        isinstance(place, str) and place.startswith(SAYS) and len(place) > len(SAYS)
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that reached its operation."""

    key: str
    phase: str
    token: str
    generation: int
    attempt: int


class Cues:
    """The cues of a run that were not played yet, and the attempts that came on."""

    def __init__(self) -> None:
        self.waiting: list[Cue] = []
        self.attempts: list[Attempt] = []

    def expect(self, found: Iterable[Cue], keys: Iterable[str]) -> None:
        """Add cues. Raises `ValueError` when the plan has no step of that key."""
        known = list(keys)
        for cue in found:
            if cue.key not in known:
                raise ValueError(f"{cue.kind}_at: the plan has no step '{cue.key}'; it has {', '.join(known)}")
            self.waiting.append(cue)

    def take(self, key: str, phase: Phase, place: str) -> Cue | None:
        """Return the next cue for this place, which is played by that; what a step says is a place, too."""
        for cue in self.waiting:
            fits = cue.place == place or (
                cue.place.startswith(SAYS) and place.startswith(SAYS) and cue.place.removeprefix(SAYS) in place
            )
            if fits and (cue.key, cue.phase) == (key, phase):
                self.waiting.remove(cue)
                return cue
        return None

    def close(self) -> None:
        """Raise `NeverReached` when a cue is left; none is left afterwards."""
        left, self.waiting = self.waiting, []
        if left:
            told = ", ".join(f"{cue.kind}_at=({cue.key!r}, {cue.place!r})" for cue in left)
            raise NeverReached(f"never reached, so nothing was tried there: {told}")
