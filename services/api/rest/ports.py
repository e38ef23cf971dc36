"""What routes work with. Built once by the composition root and reached through the application's state."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from services.api.bus.desk import Desk
from services.api.bus.foresight import Foresight
from services.api.bus.object_lists import ObjectLists
from services.api.bus.set_aside import SetAside
from services.api.catalog import Catalog
from services.api.commands import Commands
from services.api.connections import Connections
from services.api.console.list_saved import SavedViews
from services.api.console.live_rooms import Rooms
from services.api.console.session import Sessions
from services.api.credentials import Credentials
from services.api.fleet import Fleet
from services.api.numbers import Numbers
from services.api.projection.audit_reads import AuditReads
from services.api.projection.reads import Reads
from services.api.projection.selection import Selections
from services.api.projection.sync_reads import SyncReads
from services.api.rest.admission import Admission
from services.api.rest.live.live import Live
from services.api.secrets import Secrets
from services.api.tokens import Tokens
from services.api.users import Users
from shared.log.transact import TaskLog
from shared.store.logs import LogStore
from shared.store.objects import Results

Reach = Callable[[int], Awaitable[bool | None]]


@dataclass(frozen=True, slots=True)
class Health:
    """How a resource is: its own ping's answer, and what else there is to say."""

    ok: bool
    ms: float | None = None
    detail: str | None = None
    lag: int | None = None

    def shown(self) -> dict[str, Any]:
        """Return the JSON form."""
        found = {"ok": self.ok, "ms": self.ms, "detail": self.detail, "lag": self.lag}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Api:
    """Everything a route may use."""

    log: TaskLog
    live: Live
    """Commits as they happen."""
    rooms: Rooms
    """Pages of the console that somebody looks at."""
    commands: Commands
    catalog: Catalog
    credentials: Credentials
    tokens: Tokens
    users: Users
    sessions: Sessions
    """Who is signed in to the console."""
    saved: SavedViews
    """The lists that users gave names."""
    secrets: Secrets
    connections: Connections
    admission: Admission
    reads: Reads
    audit: AuditReads
    sync: SyncReads
    """What synchronisation tasks did."""
    sync_tasks_per_project: int
    """How many of them a project of Huawei's API may have; 0: any number."""
    selections: Selections
    """Chooses the targets of bulk commands."""
    results: Results
    logs: LogStore
    desk: Desk
    """Decides messages of the bus once more."""
    aside: SetAside
    foresight: Foresight
    """Asks executors what plan a task would have."""
    lists: ObjectLists
    """Asks executors what object lists synchronisations have written."""
    fleet: Fleet
    """Executors, and how deep the queue of each pool is."""
    numbers: Numbers
    reach: Reach
    """Waits, bounded, until the view has reached a log position; returns whether it has, None when the log has not."""
    health: Callable[[], Awaitable[dict[str, Health]]]
    """Pings every resource."""


def api(request: Request) -> Api:
    """Return the running API's parts."""
    found: Api = request.app.state.api
    return found
