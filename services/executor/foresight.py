"""Answers what plan a task type would make of these parameters: the one it will make, for `build` has no effects.

A type is somebody's code, so it runs in a thread and whatever it raises is an answer. Nothing is stored or claimed.
"""

import asyncio

from pydantic import ValidationError

from services.executor.catalog import Catalog
from services.executor.fault import Fault
from shared.messages.foresee import Outlook, Wish
from shared.runtime.logging import get
from shared.task.plan import UndoPlan, freeze
from shared.task.refusals import PlanInvalid

MOST_BYTES = 200 * 1024
"""What an answer may take: a message of NATS has 256 KiB."""

log = get(__name__)


async def foreseen(body: bytes, catalog: Catalog, pool: str) -> bytes:
    """Return the answer to a question. Raises nothing."""
    try:
        wish = Wish.model_validate_json(body)
    except ValidationError:
        return Outlook(refused="The question cannot be read.").encode()
    found = await asyncio.to_thread(_outlook, wish, catalog, pool)
    answer = found.encode()
    return answer if len(answer) <= MOST_BYTES else found.model_copy(update={"subtasks": ()}).encode()


def _outlook(wish: Wish, catalog: Catalog, pool: str) -> Outlook:
    kind = catalog.types.get(wish.type)
    if kind is None:
        return Outlook(known=False)
    try:
        plan = kind.plan(wish.params)
        nodes = freeze(plan, {card.name: card for card in catalog.operation_cards(pool)}, pool=pool)
    except (PlanInvalid, Fault, ValidationError) as error:
        return Outlook(refused=str(error)[:2000])
    except Exception as error:  # a task type is somebody's code
        log.exception("task type failed to plan what was asked", type=wish.type)
        return Outlook(refused=f"Task type '{wish.type}' cannot plan: {type(error).__name__}: {error}"[:2000])
    bare = tuple(node.model_copy(update={"params": {}, "undo": _bare(node.undo)}) for node in nodes)
    return Outlook(
        total=len(bare), subtasks=bare, concurrency=plan.concurrency, prohibit_rollback=plan.prohibit_rollback
    )


def _bare(undo: UndoPlan | None) -> UndoPlan | None:
    return UndoPlan(operation=undo.operation) if undo is not None else None
