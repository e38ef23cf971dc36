"""Composition root of the executor: the only place that constructs. A FastStream application owns the connection."""

import asyncio
import os
import platform
import secrets
from collections.abc import Coroutine
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from faststream import FastStream
from faststream.nats import NatsBroker
from nats.aio.client import Client

from services.executor import answers, nudge
from services.executor.asking import ask_through
from services.executor.attempt import Tools
from services.executor.catalog import Catalog, discover
from services.executor.chain import Chains
from services.executor.confidential import Confidential
from services.executor.connection import Connection
from services.executor.disclosed import Disclosed, Disclosing
from services.executor.fault import TransientFault
from services.executor.lease import Leases
from services.executor.liveness import Liveness
from services.executor.opening import Opening
from services.executor.operations.contract import ExecutorPolicy
from services.executor.owners import Owners
from services.executor.settings import Settings
from services.executor.state import described
from services.executor.worker import Worker
from services.executor.writer import Self, Writer
from shared.log.jetstream import JetStreamStorage
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.queue.jetstream import JetStreamQueue
from shared.queue.pull import Puller
from shared.runtime.clock import now
from shared.runtime.logging import get
from shared.runtime.nats import broker_options, check_version, request
from shared.store.kv import Bucket, BucketUnavailable
from shared.store.logs import LogStore
from shared.store.objects import Results

log = get(__name__)


async def run(settings: Settings) -> int:
    """Run one executor until it is told to stop; return the exit code. Raises `LogRegression`, `CannotStart`."""
    confidential = Confidential.read(
        settings.secrets_key,
        settings.secrets_key_file,
        settings.data_dir,
        connections=settings.connections_file,
        folders=settings.secret_dirs,
    )
    name = settings.name or f"{platform.node()}-{os.getpid()}"
    incarnation = f"{os.getpid()}-{secrets.token_hex(8)}"
    broker = NatsBroker(logger=None, **broker_options(settings.nats_url, name=f"opsledger executor {name}"))
    executor = _Executor(settings, confidential, broker, name, incarnation)

    @broker.subscriber(subjects.nudge(incarnation), title="nudge", decoder=answers.as_it_came)
    async def nudged(body: bytes) -> None:
        """Look at a task now, take no new work, or take work again."""
        executor.nudged(body)

    for pool in sorted(settings.pools):
        answers.subscribe(broker, pool, lambda: executor.offers, executor.disclosed)
    app = FastStream(broker, logger=None)
    app.after_startup(executor.start)
    app.on_shutdown(executor.stop)
    stopping = asyncio.create_task(app.run())
    failing = asyncio.create_task(executor.failed.wait())
    try:
        await asyncio.wait({stopping, failing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        app.exit()
        await stopping
        failing.cancel()
    if executor.problem is not None:
        raise executor.problem
    return 0


class _Executor:
    """Everything one executor process is made of."""

    def __init__(
        self, settings: Settings, confidential: Confidential, broker: NatsBroker, name: str, incarnation: str
    ) -> None:
        self._settings = settings
        self._confidential = confidential
        self._broker = broker
        self._name = name
        self._incarnation = incarnation
        self._tasks: list[asyncio.Task[None]] = []
        self._disclosing: Disclosing | None = None
        self.offers = Catalog()
        self.failed = asyncio.Event()
        self.problem: BaseException | None = None

    def disclosed(self, team: str | None) -> Disclosed:
        """Return where a connection is had as a task of this team would have it. Raises `TransientFault`."""
        if self._disclosing is None:
            raise TransientFault("The executor that was asked is starting. Try again.")
        return self._disclosing.to_team(team, by=self._name)

    async def start(self) -> None:
        """Construct everything and begin to pull."""
        settings = self._settings
        client: Client = self._broker.connection
        wrong = check_version(client)
        if wrong is not None:
            raise SystemExit(wrong)
        storage = JetStreamStorage(client)
        task_log = TaskLog(storage, patience=settings.ack_wait_seconds)
        connection = Connection(storage, task_log, lambda: request(client, subjects.LOG_CHECK, b"{}", timeout=2.0))
        await connection.open()
        queue = JetStreamQueue(client, replicas=settings.replicas, ack_wait=settings.ack_wait_seconds)
        executors, catalog = Bucket(client, subjects.EXECUTORS), Bucket(client, subjects.CATALOG)
        offers = self.offers = discover()
        for broken in offers.broken:
            log.error("not on offer", group=broken.group, name=broken.name, value=broken.value, why=broken.reason)
        pools = settings.pools
        files = (settings.data_dir or Path(gettempdir()) / "opsledger") / "files"
        files.mkdir(parents=True, exist_ok=True)
        policy = ExecutorPolicy(
            env_allow=tuple(settings.env_allow),
            egress_allow=tuple(settings.egress_allow),
            file_roots=tuple(settings.file_roots),
            output_limit_bytes=settings.output_limit_bytes,
            cancel_grace=settings.cancel_grace_seconds,
        )
        ask = ask_through(lambda subject, body, seconds: request(client, subject, body, timeout=seconds))
        values, connections = Bucket(client, subjects.VALUES), Bucket(client, subjects.CONNECTIONS)
        self._disclosing = self._confidential.disclosing(values, connections)
        tools = Tools(offers, policy, LogStore(client), Results(client), files, ask, self._disclosing)
        me = Self(self._incarnation, self._name, pools, frozenset(offers.operations))
        owners = Owners(executors, catalog, ack_wait=settings.ack_wait_seconds)
        self._leases = Leases(task_log, ack_wait=settings.ack_wait_seconds, cancel_grace=settings.cancel_grace_seconds)
        writer = Writer(me, task_log, queue)
        self._chains = Chains(writer, Opening(writer, tools, owners), tools)
        self._worker = Worker(
            self._chains, self._leases, slots=settings.concurrency, ack_wait=settings.ack_wait_seconds
        )
        self._liveness = Liveness(
            executors,
            catalog,
            offers,
            incarnation=self._incarnation,
            pools=pools,
            slots=settings.concurrency,
            ack_wait=settings.ack_wait_seconds,
            describe=lambda: described(self._name, self._chains, self._worker, self._leases),
        )
        self._worker.on_free.append(self._freed)
        await self._announce()
        self._pullers = [
            Puller(client, queue, pool, free=self._worker.free, take=self._worker.take, poison=self._poison)
            for pool in sorted(pools)
        ]
        for puller in self._pullers:
            self._worker.on_free.append(puller.wake)
            self._keep(puller.run(), "pull")
        self._keep(self._leases.run(), "leases")
        self._keep(self._liveness.run(), "liveness")
        self._keep(connection.watch(client, self._back), "connection")
        await self._pullers[0].ready.wait()
        log.info("executor ready", name=self._name, pools=sorted(pools), slots=settings.concurrency, pid=os.getpid())

    async def stop(self) -> None:
        """Drain: no new work, running work finishes or is handed back."""
        log.info("executor stopping", running=len(self._leases.held) if hasattr(self, "_leases") else 0)
        for puller in getattr(self, "_pullers", []):
            puller.stop()
        if hasattr(self, "_worker"):
            await self._worker.drain(self._settings.drain_seconds)
            await self._liveness.leave()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        log.info("executor stopped")

    def nudged(self, body: bytes) -> None:
        """A nudge came."""
        try:
            wanted = nudge.read(body)
        except ValueError as problem:
            log.warning("nudge not understood", body=body[:200].decode("utf-8", "replace"), why=str(problem))
            return
        match wanted:
            case nudge.Look(task_id):
                self._leases.look(task_id)
            case nudge.Drain(on, by):
                log.info("draining" if on else "taking work again", by=by, running=len(self._leases.held))
                self._worker.rest(by, now()) if on else self._worker.resume()
                self._liveness.changed()

    def _freed(self) -> None:
        """A slot is free: who drains this executor waits for the last one."""
        if self._worker.resting is not None and not self._leases.held:
            self._liveness.changed()

    @staticmethod
    def _poison(subject: str, body: bytes, why: str) -> None:
        log.error("work item set aside", subject=subject, why=why, bytes=len(body))

    async def _announce(self) -> None:
        while True:
            try:
                await self._liveness.announce()
            except BucketUnavailable as problem:
                log.warning("cannot announce what is on offer yet", why=str(problem))
                await asyncio.sleep(0.5)
            else:
                return

    def _back(self) -> None:
        """The connection is back: requests that were out are void, and who asked to cancel was perhaps not heard."""
        for puller in self._pullers:
            puller.reset()
        self._leases.look()

    def _keep(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.create_task(work, name=what)
        task.add_done_callback(self._over)
        self._tasks.append(task)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.problem = task.exception()
            log.error("a background job ended", job=task.get_name(), why=repr(self.problem))
            self.failed.set()
