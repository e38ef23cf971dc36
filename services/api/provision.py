"""The provisioning job: streams, buckets, queue, tables, built-in catalogue, first user. Changes nothing twice (T25).

The API knows no operation, so the built-in cards come from the executor's own program, asked as a child process.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from nats.aio.client import Client

from services.api.access import USER, Role, UserRecord
from services.api.bus.consumer import bind
from services.api.projection.migrate import upgrade
from services.api.settings import Settings
from shared.messages import subjects
from shared.queue.jetstream import JetStreamQueue
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.runtime.nats import check_version
from shared.store import vault
from shared.store.kv import Bucket
from shared.store.streams import provision
from shared.task.plan import DEFAULT_POOL, OperationCard, TypeCard

ADMIN = "admin"
CARDS_SECONDS = 60.0
CARDS = (sys.executable, "-P", "-m", "services.executor", "cards")

log = get(__name__)


class ProvisionFailed(Exception):  # noqa: N818  what the world did
    """Something cannot be provided; the message says what to do."""


async def run(
    settings: Settings, client: Client, *, cards: Callable[[], Awaitable[list[dict[str, Any]]]] | None = None
) -> None:
    """Provide everything that is missing. Raises `ProvisionFailed`, and what NATS or the database raise."""
    wrong = check_version(client)
    if wrong is not None:
        raise ProvisionFailed(wrong)
    await provision(client, replicas=settings.replicas, lease=timedelta(seconds=settings.ack_wait_seconds))
    await JetStreamQueue(client, replicas=settings.replicas, ack_wait=settings.ack_wait_seconds).ensure({DEFAULT_POOL})
    await bind(client, settings.ack_wait_seconds)
    await upgrade(settings.database_url)
    await _catalog(Bucket(client, subjects.CATALOG), await (cards or built_in_cards)())
    where = vault.place(settings.secrets_key_file, settings.data_dir) if not settings.secrets_key else None
    if where is not None and await asyncio.to_thread(vault.make, where):
        log.info("key of secrets made", file=str(where))
    password = settings.admin_password.get_secret_value() if settings.admin_password is not None else ""
    await _admin(Bucket(client, subjects.ACCESS), password)
    log.info("provisioned", replicas=settings.replicas)


async def built_in_cards() -> list[dict[str, Any]]:
    """Ask the executor's program what it offers: a list of `kind` (operation or type) and `card`."""
    child = await asyncio.create_subprocess_exec(
        *CARDS, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        output, errors = await asyncio.wait_for(child.communicate(), CARDS_SECONDS)
    except TimeoutError:
        child.kill()
        await child.wait()
        raise ProvisionFailed(f"the executor did not say what it offers within {CARDS_SECONDS:.0f} s") from None
    if child.returncode != 0:
        raise ProvisionFailed(f"the executor cannot say what it offers: {errors.decode(errors='replace')[-500:]}")
    found: list[dict[str, Any]] = json.loads(output)
    return found


async def _catalog(bucket: Bucket, cards: list[dict[str, Any]]) -> None:
    for entry in cards:
        kind = entry["kind"]
        model: type[OperationCard | TypeCard] = OperationCard if kind == "operation" else TypeCard
        card = model.model_validate(entry["card"])
        key = subjects.card(kind, card.name, card.pool)
        value = json.dumps(card.model_dump(mode="json")).encode()
        known = await bucket.get(key)
        if known is None or known.value != value:
            await bucket.put(key, value)


async def _admin(bucket: Bucket, password: str) -> None:
    """Create the user admin, or give it the password of the environment when that has changed."""
    key = USER + ADMIN
    entry = await bucket.get(key)
    known = UserRecord.model_validate_json(entry.value) if entry is not None and entry.value else None
    if not password:
        if known is None:
            log.warning("there is no user yet: run init with OPSLEDGER_ADMIN_PASSWORD")
        return
    if known is not None and await asyncio.to_thread(known.accepts, password):
        return
    record = await asyncio.to_thread(UserRecord.of, ADMIN, password, Role.ADMIN, now())
    await bucket.put(key, record.model_dump_json().encode())
    log.info("password of admin set", first=known is None)
