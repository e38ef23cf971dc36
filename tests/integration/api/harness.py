"""One API over real NATS and a real database, served on a port of its own inside the test's loop.

Plays the executor where a test needs one: claims, reports and lines come from here, the API never runs work.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Self

import httpx2
import uvicorn
from nats.aio.client import Client
from pydantic import SecretStr

from services.api import provision
from services.api.access import Role, id_of_token
from services.api.app import Running, build
from services.api.rest.schemas import Failure
from services.api.rest.wire import BoundedProtocol
from services.api.server import Server
from services.api.settings import Settings
from services.api.tokens import issue
from shared.log.jetstream import JetStreamStorage
from shared.log.port import Note
from shared.log.transact import TaskLog
from shared.messages import subjects
from shared.messages.commit import By
from shared.runtime.clock import commit_id, now
from shared.runtime.nats import connect
from shared.store.kv import Bucket
from shared.store.logs import LogStore
from shared.task import commands as cmd
from shared.task.decide import decide
from shared.task.events import Item
from shared.task.plan import OperationCard, TypeCard
from tests.support.eventually import eventually
from tests.support.process import free_port

PASSWORD = "correct horse"
OPEN: dict[str, Any] = {
    "secrets_key": SecretStr("0123456789abcdef" * 4),
    "rate_per_second": 0,
    "login_failures_per_minute": 0,
}
"""Tests ask as fast as they can, unless they are about limits."""
INSTANCES = "/api/v2/tasks/instances"
GREETING = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}},
    "required": ["name"],
    "additionalProperties": False,
}
CARDS = (
    ("operation", OperationCard(name="noop")),
    ("operation", OperationCard(name="greet", params_schema=GREETING)),
    ("type", TypeCard(name="greeting", params_schema=GREETING)),
)
CLAIMANT = cmd.Claimant("inc-1", "worker-1", Item(stamp="s", seq=1))


async def cards() -> list[dict[str, Any]]:
    """What an executor would offer."""
    return [{"kind": kind, "card": card.model_dump(mode="json")} for kind, card in CARDS]


def plan(*keys: str, **more: Any) -> dict[str, Any]:
    """A body with a chain of no-ops."""
    names = keys or ("a",)
    nodes = [
        {"key": key, "operation": "noop", "upstreams": [names[place - 1]] if place else []}
        for place, key in enumerate(names)
    ]
    return {"plan": {"subtasks": nodes}, **more}


class ServedApi:
    """A provisioned and running API; use it as an async context."""

    def __init__(self, nats_url: str, database_url: str, **settings: Any) -> None:
        self.settings = Settings(
            nats_url=nats_url,
            database_url=database_url,
            port=free_port(),
            admin_password=SecretStr(PASSWORD),
            **{**OPEN, **settings},
        )
        self.stopped = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.settings.port}"

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _start(self) -> None:
        self.nats: Client = await connect(self.settings.nats_url, name="test")
        self._stack.push_async_callback(self.nats.close)
        await provision.run(self.settings, self.nats, cards=cards)
        self.log = TaskLog(JetStreamStorage(self.nats))
        self.logs = LogStore(self.nats)
        self.running = Running(self.settings, self.stopped.set)
        self.gate: Any = build(self.running)
        server = Server(
            uvicorn.Config(
                self.gate,
                host="127.0.0.1",
                port=self.settings.port,
                http=BoundedProtocol,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
            ),
            self.running.stopping,
        )
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # pytest keeps its own
        serving = asyncio.create_task(server.serve())
        self._stack.push_async_callback(_stopped, server, serving)
        while not server.started:
            assert not serving.done(), self.running.problem
            await asyncio.sleep(0.01)
        self.admin = await self._stack.enter_async_context(self.client(auth=("admin", PASSWORD)))

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def client(self, **settings: Any) -> httpx2.AsyncClient:
        """A client of this API; without `auth` or `headers` a stranger."""
        return httpx2.AsyncClient(base_url=self.url, timeout=20.0, trust_env=False, **settings)

    async def bearer(
        self, role: Role, *, days: float | None = None, teams: frozenset[str] | None = None, name: str | None = None
    ) -> httpx2.AsyncClient:
        """A client with a new token of this role, and of these teams alone, that the API has heard of."""
        bucket = Bucket(self.nats, subjects.ACCESS)
        token = await issue(bucket, name or role.value.lower(), role, days=days, teams=teams)
        _, credentials = self.gate._door()
        await eventually(lambda: id_of_token(token) in credentials.tokens)
        return await self._stack.enter_async_context(self.client(headers={"Authorization": f"Bearer {token}"}))

    async def create(self, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Create a task as admin and return its details."""
        answer = await self.admin.post(INSTANCES, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def last_seq(self) -> int:
        """The log's last sequence."""
        return int((await JetStreamStorage(self.nats).tail())["last_seq"])

    async def act(self, task_id: int, *commands: cmd.Command) -> int:
        """Decide these commands as an executor would; return the commit's sequence."""
        note = Note(commit_id(), now(), By(kind="executor", name="worker-1"))
        timed = [replace(command, at=note.at) for command in commands]
        return (await self.log.transact(task_id, lambda task: decide(task, *timed), note, fresh=True)).seq

    async def claim(self, task_id: int, number: int) -> int:
        """Claim a subtask; return the fence."""
        return await self.act(task_id, cmd.Claim(number, CLAIMANT, now()))

    async def finish(self, task_id: int, number: int, outcome: cmd.Outcome | None = None) -> int:
        """Claim and settle a subtask; return the log position."""
        fence = await self.claim(task_id, number)
        return await self.act(task_id, cmd.Settle(number, fence, outcome or cmd.Succeeded({"n": number}), now()))

    async def say(self, task_id: int, number: int, *texts: str, generation: int = 1, attempt: int = 1) -> None:
        """Store lines as an executor does."""
        lines = [{"t": now().timestamp(), "l": "INFO", "m": text} for text in texts]
        head = {"v": 1, "generation": generation, "attempt": attempt, "phase": "execute", "lines": lines}
        await self.logs.append(task_id, number, json.dumps(head).encode())


async def _stopped(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    await serving


@contextlib.asynccontextmanager
async def served(nats_url: str, database_url: str, **settings: Any) -> AsyncIterator[ServedApi]:
    """Run an API for as long as the block lasts."""
    async with ServedApi(nats_url, database_url, **settings) as api:
        yield api


def refused(answer: httpx2.Response, status: int, code: int | None = None) -> dict[str, Any]:
    """The error of an answer, which must be a proper envelope with this status and code, and no trace of ours."""
    if answer.url.path.startswith("/v2/"):
        return _huawei(answer, status)
    assert answer.status_code == status, answer.text
    envelope = Failure.model_validate_json(answer.content)
    assert envelope.status == status
    for leak in ("Traceback", "site-packages", "sqlalchemy", "nats.errors", ".py"):
        assert leak not in answer.text
    if code is not None:
        assert envelope.error.code == code, answer.text
    error: dict[str, Any] = answer.json()["error"]
    return error


def _huawei(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The same of an answer in Huawei's words, with our code and message."""
    assert answer.status_code == {422: 400, 409: 400, 412: 400, 504: 503}.get(status, status), answer.text
    body: dict[str, str] = answer.json()
    assert set(body) == {"error_msg", "error_code"}
    gateway = {"APIGW.0101": 1002, "APIGW.0301": 3000, "APIGW.0302": 3100, "APIGW.0308": 0}
    code = gateway.get(body["error_code"])
    return {
        "code": int(body["error_code"].removeprefix("OMS.")) if code is None else code,
        "message": body["error_msg"],
    }
