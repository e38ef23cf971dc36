"""Composition root of the API: with `parts`, the only place that constructs. FastAPI's lifespan starts and ends all.

NATS and the log are needed to start (a bounded wait, then a clear error). Later outages are answered, not fatal: reads
go on, commands say 503, `/health/ready` says which resource is away (P15). A log that has forgotten something, and a
background job that died, end the process.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from faststream.nats import NatsBroker
from faststream.nats.prometheus import NatsPrometheusMiddleware
from nats.aio.client import Client
from starlette.types import ASGIApp

from services.api import parts
from services.api.background import Background
from services.api.bus import bulk, log_check, replicas
from services.api.bus.desk import Desk
from services.api.bus.foresight import Foresight
from services.api.bus.intake import Intake
from services.api.bus.nudge import ExecutorNudges
from services.api.bus.object_lists import ObjectLists
from services.api.bus.set_aside import SetAside
from services.api.bus.status import StatusEvents
from services.api.catalog import Catalog
from services.api.commands import Commands
from services.api.connection import CannotStart, open_log, watch
from services.api.console import problem
from services.api.console import routes as console
from services.api.console.list_saved import SavedViews
from services.api.console.live_rooms import Rooms
from services.api.console.session import Sessions
from services.api.creator import Creator
from services.api.credentials import Credentials
from services.api.fleet import Fleet
from services.api.identity.limits import Pace
from services.api.identity.replay import Replays
from services.api.keys import Keys
from services.api.numbers import Numbers
from services.api.projection.audit_reads import AuditReads
from services.api.projection.engine import engine_for
from services.api.projection.migrate import pending
from services.api.projection.projector import Projector
from services.api.projection.reads import Reads
from services.api.projection.selection import Selections
from services.api.projection.sync_reads import SyncReads
from services.api.rescuer import Rescuer
from services.api.rest import openapi, routes
from services.api.rest.admission import Admission
from services.api.rest.errors import HANDLERS
from services.api.rest.gate import Gate
from services.api.rest.live.live import Live
from services.api.rest.ports import Api
from services.api.settings import Settings
from services.api.tokens import Tokens
from services.api.users import Users
from services.api.vitals import Progress, Vitals
from shared.log.jetstream import JetStreamStorage
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.queue.jetstream import JetStreamQueue
from shared.runtime.logging import get
from shared.runtime.nats import broker_options, check_version, without_login
from shared.store.ids import TaskIds
from shared.store.kv import Bucket
from shared.store.logs import LogStore
from shared.store.objects import Results
from shared.store.streams import figures

PATIENCE = 5.0
"""How long (s) a command waits for the log before it says 503."""

log = get(__name__)


class Running:
    """One API process: what it is made of, and what killed it. `on_fatal` asks the server to stop."""

    def __init__(self, settings: Settings, on_fatal: Callable[[], None]) -> None:
        self._settings = settings
        self._on_fatal = on_fatal
        self._background = Background(self._died)
        self.numbers = Numbers()
        self.problem: BaseException | None = None
        self._live: Live | None = None
        self.broker = NatsBroker(
            logger=None,
            graceful_timeout=1.0,
            middlewares=[NatsPrometheusMiddleware(registry=self.numbers.registry)],
            **broker_options(settings.nats_url, name="opsledger api"),
        )

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Start everything, serve, end everything."""
        async with AsyncExitStack() as stack:
            try:
                app.state.api = await self._start(stack)
            except BaseException as error:
                self.problem = error
                raise
            log.info("api ready", host=self._settings.host, port=self._settings.port)
            yield
            log.info("api stopping")

    async def _start(self, stack: AsyncExitStack) -> Api:
        settings = self._settings
        stack.push_async_callback(self.broker.stop)
        client = await self._connect()
        storage = JetStreamStorage(client)
        await open_log(storage, settings.connect_seconds)
        engine = engine_for(settings.database_url)
        stack.push_async_callback(engine.dispose)
        if await pending(engine):
            raise CannotStart("the database lacks tables of this version: run `python -m services.api init`")
        projector, reads = Projector(storage, engine), Reads(engine)
        await projector.check()

        task_log = TaskLog(storage, patience=PATIENCE)
        queue = JetStreamQueue(client, replicas=settings.replicas, ack_wait=settings.ack_wait_seconds)
        catalog = Catalog(Bucket(client, subjects.CATALOG))
        access = Bucket(client, subjects.ACCESS)
        secret_keys, secrets, connections = parts.confidential(client, settings)
        credentials = Credentials(access, secret_keys, parts.oidc(settings))
        sessions = Sessions(access, credentials)
        for mirrored in (catalog, secret_keys, credentials, sessions):
            await mirrored.load()
        keys = Keys(Bucket(client, subjects.IDEMPOTENCY))
        results = Results(client)
        creator = Creator(task_log, TaskIds(client), keys, results, catalog)
        nudges = ExecutorNudges(client)
        commands = Commands(task_log, queue, creator, nudges)
        stack.push_async_callback(commands.close)
        rescuer = Rescuer(
            task_log,
            queue,
            after=settings.rescue_after_seconds,
            position=lambda: projector.position.seq,
            stale=parts.stale(reads),
            pools=lambda: catalog.pools,
        )
        status = StatusEvents(client)
        projector.listeners.append(status.applied)
        vitals = Vitals(storage, task_log, reads, projector, commands, rescuer, status, self._background, Progress())
        self.numbers.watch(vitals.numbers)
        desk, aside = Desk(client, commands, credentials.secret_of), SetAside(client)
        intake = Intake(client, desk, aside, ack_wait=settings.ack_wait_seconds)
        self.numbers.watch(intake.numbers)
        bulk.subscribe(self.broker, bulk.Performer(task_log, commands))
        log_check.subscribe(self.broker, lambda: parts.known(storage, task_log, projector))
        replicas.subscribe(self.broker, vitals.replica)
        await self.broker.start()

        stack.push_async_callback(self._background.stop)
        keep = self._background.keep
        keep(projector.run(), "projector")
        keep(rescuer.run(), "rescuer")
        keep(status.run(), "status events")
        keep(intake.run(), "command intake")
        keep(catalog.follow(), "catalog")
        for mirror, name in ((credentials, "access"), (sessions, "sessions"), (secret_keys, "secret keys")):
            keep(mirror.follow(), name)
        keep(watch(client, task_log, projector.check), "connection")
        self._live = live = Live(storage, task_log, per_principal=settings.sse_per_principal)
        stack.push_async_callback(live.close)
        self.numbers.watch(live.numbers)
        return Api(
            log=task_log,
            live=live,
            rooms=Rooms(live.tail),
            commands=commands,
            catalog=catalog,
            credentials=credentials,
            tokens=Tokens(access, secret_keys, credentials),
            users=Users(access, credentials),
            sessions=sessions,
            saved=SavedViews(access),
            secrets=secrets,
            connections=connections,
            admission=Admission(
                credentials,
                sessions,
                Replays(Bucket(client, subjects.REPLAYS)),
                Pace(settings.rate_per_second, settings.rate_burst),
                Pace(settings.login_failures_per_minute / 60, settings.login_failures_per_minute),
            ),
            reads=reads,
            audit=AuditReads(engine),
            sync=SyncReads(engine),
            sync_tasks_per_project=settings.sync_tasks_per_project,
            selections=Selections(engine),
            results=results,
            logs=LogStore(client),
            desk=desk,
            aside=aside,
            foresight=Foresight(client),
            lists=ObjectLists(client),
            fleet=Fleet(
                Bucket(client, subjects.EXECUTORS),
                queue,
                nudges,
                lambda: catalog.pools,
                replicas=replicas.Replicas(client).all,
                storage=lambda: figures(client),
            ),
            numbers=self.numbers,
            reach=parts.reach(storage, task_log, projector),
            health=vitals.health,
        )

    def stopping(self) -> None:
        """End what never ends by itself: the server stops."""
        if self._live is not None:
            self._live.stopping()

    async def _connect(self) -> Client:
        where = ", ".join(without_login(server) for server in self._settings.nats_url.split(","))
        seconds = self._settings.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                client: Client = await self.broker.connect()
        except TimeoutError:
            raise CannotStart(f"NATS at {where} does not answer within {seconds:g} s") from None
        wrong = check_version(client)
        if wrong is not None:
            raise CannotStart(wrong)
        return client

    def _died(self, job: str, error: BaseException) -> None:
        log.error("stopping because a background job died", job=job, why=str(error))
        self.problem = error
        self._on_fatal()


def build(running: Running) -> ASGIApp:
    """Return the application, its gate outermost."""
    app = FastAPI(
        title=openapi.TITLE,
        version="2",
        lifespan=running.lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=problem.pages_for(HANDLERS),
    )
    routes.add(app)
    console.add(app)
    door = lambda: (app.state.api.admission, app.state.api.credentials)  # noqa: E731
    return Gate(app, door, running.numbers.count, problem.stranger, problem.refuse)
