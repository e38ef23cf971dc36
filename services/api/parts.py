"""Parts of an API process that take some wiring of their own; `app` puts all parts together."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from services.api.connection import CannotStart
from services.api.connections import Connections
from services.api.identity.jwks import Jwks, from_file, from_url
from services.api.identity.oidc import OURS, Oidc, Provider
from services.api.identity.secret_keys import HOW, SecretKeys
from services.api.projection.projector import Projector
from services.api.projection.reads import Reads
from services.api.rescuer import Stale
from services.api.rest.ports import Reach
from services.api.secrets import Secrets
from services.api.settings import Settings
from shared.log.jetstream import JetStreamStorage
from shared.log.port import NotStored
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.runtime.logging import get
from shared.store import vault
from shared.store.kv import Bucket
from shared.store.secrets import ValueSecrets

REACH_SECONDS = 5.0
"""How long a read with `min_seq` waits for the view."""

log = get(__name__)


def confidential(client: Client, settings: Settings) -> tuple[SecretKeys, Secrets, Connections]:
    """Return what is sealed with the key of secrets, and the connections that name some of it."""
    try:
        key = vault.find(settings.secrets_key, settings.secrets_key_file, settings.data_dir)
    except vault.BadKey as error:
        raise CannotStart(f"the key of secrets: {error}") from None
    if key is None:
        log.warning("no key pairs for tokens", why=HOW)
    values = ValueSecrets(Bucket(client, subjects.VALUES), key)
    connections = Connections(Bucket(client, subjects.CONNECTIONS), values)
    return SecretKeys(Bucket(client, subjects.SECRETS), key), Secrets(values, connections), connections


def oidc(settings: Settings) -> Oidc | None:
    """Return who verifies the identity provider's tokens, if there is one."""
    if not settings.oidc_issuer or not settings.oidc_audience:
        return None
    url, file = settings.oidc_jwks_url, settings.oidc_jwks_file
    provider = Provider(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        name_claim=settings.oidc_name_claim,
        role_claim=settings.oidc_role_claim,
        roles=settings.oidc_roles or OURS,
        teams_claim=settings.oidc_teams_claim,
    )
    return Oidc(provider, Jwks(from_url(url) if url else from_file(file or Path())))


def reach(storage: JetStreamStorage, task_log: TaskLog, projector: Projector) -> Reach:
    """Return how reads with `min_seq` wait. A position nobody can have been given is not waited for."""

    async def reached(seq: int) -> bool | None:
        if projector.position.seq >= seq:
            return True
        if seq > task_log.highest:
            with suppress(NotStored):
                if seq > (await storage.tail())["last_seq"]:
                    return None
        return await projector.position.wait_for(seq, REACH_SECONDS)

    return reached


def stale(reads: Reads) -> Callable[[int, int, int], Awaitable[list[Stale]]]:
    """Return how the rescuer finds tasks that should have moved."""

    async def find(before: int, behind: int, limit: int) -> list[Stale]:
        return [Stale(task_id, seq) for task_id, seq in await reads.stale(before, limit, after_seq=behind)]

    return find


def known(storage: JetStreamStorage, task_log: TaskLog, projector: Projector) -> dict[str, Any]:
    """Return what executors compare their log with: when it was made, and the highest position that was seen."""
    return {"created": storage.created, "highest": max(task_log.highest, projector.position.seq)}
