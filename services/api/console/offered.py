"""What this installation has that a parameter can name: connections, secrets, pools, standing tasks.

Nobody is offered what they may not see; a name that is not offered can be typed all the same, for executors may know
connections of their own.
"""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request

from services.api.access import Permission
from services.api.console.fields import Offer
from services.api.rest import query
from services.api.rest.connections import seen_by
from services.api.rest.policy import principal
from services.api.rest.ports import api
from shared.runtime.logging import get
from shared.store.connections import ConnectionSpec
from shared.store.kv import BucketUnavailable
from shared.task.plan import TypeCard
from shared.task.state import TaskState

Choices = list[tuple[str, str]]
"""A value, and what it is."""
MOST: Final = 500
log = get(__name__)


async def offered(request: Request) -> dict[str, Choices]:
    """Return what is offered, by the kind of parameter; what cannot be read now is not offered."""
    connections = [(spec.name, spec.url.partition(":")[0]) for spec in await listed(request)]
    secrets = []
    if principal(request).may(Permission.ADMINISTER):
        try:
            secrets = [(f"kv:{name}", "") for name in await api(request).secrets.all()]
        except BucketUnavailable as problem:
            log.warning("secrets not offered", why=str(problem))
    return {
        Offer.CONNECTION.value: connections[:MOST],
        Offer.SECRET.value: secrets[:MOST],
        Offer.POOL.value: [(pool, "") for pool in sorted(api(request).catalog.pools)],
    }


async def listed(request: Request) -> list[ConnectionSpec]:
    """Return the connections that the reader's tasks may use."""
    try:
        return [spec for spec in await api(request).connections.all() if seen_by(request, spec)]
    except BucketUnavailable as problem:
        log.warning("connections not offered", why=str(problem))
        return []


async def parents(request: Request, card: TypeCard) -> dict[int, str]:
    """Return the standing tasks that take requests of this type, by id, the newest first."""
    if card.child_of is None:
        return {}
    wanted = urlencode({"taskType": card.child_of, "state": TaskState.RUNNING.value}).encode()
    try:
        where = query.filters(Request({**request.scope, "query_string": wanted}))
    except query.Nothing:
        return {}
    found = await api(request).reads.tasks(where, size=100)
    return {row.id: f"{row.id} · {row.name}" for row in found.contents}
