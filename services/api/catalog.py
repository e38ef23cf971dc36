"""The catalogue in memory: cards of operations and task types from KV `catalog`, with their schemas compiled once.

Knows which card speaks for a name, not who runs it. Schemas come from executors: references out of a schema are not
followed, and patterns run on an engine without back-tracking.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import jsonschema_rs
from pydantic import ValidationError

from services.api.mirror import follow
from shared.runtime.logging import get
from shared.store.kv import Bucket, Entry
from shared.task.plan import DEFAULT_POOL, OperationCard, TypeCard

MASK = "the value"
"""Stands where an error message would repeat what the caller sent, which may be a secret."""

log = get(__name__)


class Schema:
    """One card's parameter schema, compiled when it is first needed."""

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        self._name = name
        self._schema = schema
        self._compiled: Any = None
        self._broken = False

    def errors(self, params: dict[str, Any], limit: int = 20) -> list[tuple[list[str | int], str]]:
        """Return (path, message) of what does not fit, at most `limit`; a schema that is none refuses nothing."""
        if self._compiled is None and not self._broken:
            self._compile()
        if self._compiled is None or self._compiled.is_valid(params):
            return []
        found: Iterator[Any] = self._compiled.iter_errors(params)
        return [(list(error.instance_path), str(error.message)[:500]) for error in islice(found, limit)]

    def _compile(self) -> None:
        for patterns in (jsonschema_rs.RegexOptions(), None):
            try:
                self._compiled = jsonschema_rs.validator_for(
                    self._schema, mask=MASK, offline=True, pattern_options=patterns
                )
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
                why = str(error).split("\n", 1)[0][:300]
            else:
                return
        self._broken = True
        log.error("schema on offer is not one; its parameters go unchecked", name=self._name, why=why)


class Catalog:
    """What is on offer now. Where several pools offer a name, the default pool's card speaks for it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._operations: dict[str, dict[str, OperationCard]] = {}
        self._types: dict[str, dict[str, TypeCard]] = {}
        self._schemas: dict[tuple[str, str, str], Schema] = {}
        self.operations: dict[str, OperationCard] = {}
        self.types: dict[str, TypeCard] = {}

    @property
    def pools(self) -> set[str]:
        """Every pool that something is offered in, the default one always."""
        by_name: list[Iterable[str]] = [*self._operations.values(), *self._types.values()]
        return {DEFAULT_POOL, *(pool for cards in by_name for pool in cards)}

    async def load(self) -> None:
        """Read every card. Raises `BucketUnavailable`."""
        for entry in await self._bucket.all():
            await self.seen(entry)

    async def follow(self) -> None:
        """Follow the bucket for ever."""
        await follow(self._bucket, self.seen, self.load)

    async def seen(self, entry: Entry) -> None:
        """Take over one card as the bucket has it now."""
        kind, _, rest = entry.key.partition("/")
        name, _, pool = rest.rpartition("/")
        if kind not in {"operation", "type"} or not name:
            return
        model: type[OperationCard | TypeCard] = OperationCard if kind == "operation" else TypeCard
        offered: dict[str, dict[str, Any]] = self._operations if kind == "operation" else self._types
        try:
            card = model.model_validate_json(entry.value) if entry.value else None
        except ValidationError:
            log.exception("card cannot be read; it is not on offer", key=entry.key)
            card = None
        cards = offered.setdefault(name, {})
        if cards.get(pool) == card:
            return
        self._schemas.pop((kind, name, pool), None)
        if card is None:
            del cards[pool]
        else:
            cards[pool] = card
        if not cards:
            del offered[name]
        spoken: dict[str, Any] = self.operations if kind == "operation" else self.types
        spoken.clear()
        spoken.update({known: _speaker(found) for known, found in sorted(offered.items())})

    def operation(self, name: str, pool: str | None) -> OperationCard | None:
        """Return the card for subtasks that run `name` in `pool`."""
        return self._operations.get(name, {}).get(pool or "") or self.operations.get(name)

    def schema(self, card: OperationCard | TypeCard) -> Schema:
        """Return the compiled schema of a card."""
        key = ("operation" if isinstance(card, OperationCard) else "type", card.name, card.pool)
        found = self._schemas.get(key)
        if found is None:
            found = self._schemas[key] = Schema(f"{key[0]} {card.name}", card.params_schema)
        return found


def _speaker(cards: dict[str, Any]) -> Any:
    return cards.get(DEFAULT_POOL) or cards[min(cards)]
