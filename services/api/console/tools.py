"""What stands above graph and list: the way to the previous and next failed subtask, and following what runs."""

from dataclasses import dataclass

from services.api.console.task_shown import FOLLOW, Shown
from shared.task.state import SubtaskStatus


@dataclass(frozen=True, slots=True)
class Tools:
    """`failed`: how many; links are empty where there is nowhere to go."""

    failed: int
    place: int
    previous: str
    next: str
    follow: str
    following: bool


def tools(found: Shown) -> Tools:
    """Return what there is for this task now."""
    failed = [one.number for one in found.task.subtasks if one.status is SubtaskStatus.FAILED]
    here = found.chosen.number if found.chosen is not None else 0
    following = found.following
    moves = not found.past and (following or not found.task.ended) and bool(found.task.subtasks)
    return Tools(
        failed=len(failed),
        place=failed.index(here) + 1 if here in failed else 0,
        previous=_to(found, [*[one for one in failed if one < here][-1:], *failed[-1:]], here),
        next=_to(found, [*[one for one in failed if one > here][:1], *failed[:1]], here),
        follow=found.address(subtask=here or None if following else FOLLOW) if moves else "",
        following=following,
    )


def _to(found: Shown, there: list[int], here: int) -> str:
    """Return the way to the first of these, from the end to the beginning and back; nowhere if that is here."""
    return found.address(subtask=there[0], **{"from": None}) if there and there[0] != here else ""
