"""NATS accounts: with one for all, a reply subject writes what its sender may not; with ours it writes nothing (T29).

And everything runs with ours: each process with the credential made for it, a producer with its own.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.log.jetstream import JetStreamStorage
from shared.messages import subjects
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api, connect, options, request
from shared.store.connections import ConnectionSpec
from shared.store.kv import Bucket, BucketUnavailable
from shared.store.objects import Results
from shared.store.secrets import ValueSecrets
from shared.store.streams import provision
from shared.store.vault import Vault
from tests.integration.api.harness import INSTANCES
from tests.integration.api.test_process import Process
from tests.integration.bus.producer import SECRETS_KEY, producer_at
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer, binary
from tests.support.process import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLES = ("admin", "api", "executor", "producer")
GUARDED = ("TASKS", "COMMANDS", "KV_access", "KV_secrets", "KV_connections", "KV_idempotency")
"""What nobody may write through a reply subject."""
ATTACKS = (
    "tasks.9",
    "commands.cancel",
    "$KV.access.user/admin",
    "$KV.secrets.x",
    "$KV.connections.x",
    "$KV.idempotency.x",
)


class Configured(NatsServer):
    """A server whose accounts are given, with these variables in its environment."""

    def __init__(
        self, folder: Path, accounts: str, environment: dict[str, str] | None = None, name: str = "nats"
    ) -> None:
        super().__init__(folder, name=name)
        self._accounts, self._environment = accounts, environment or {}

    def launch(self) -> None:
        """Start it and wait until it listens."""
        config = self.folder / "nats.conf"
        config.write_text(
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor_port}\n"
            f"ports_file_dir: {json.dumps(str(self.folder))}\nmax_payload: 262144\n"
            f"jetstream {{ store_dir: {json.dumps(str(self.store_dir))}, max_file_store: 8GB }}\n{self._accounts}\n",
            encoding="utf-8",
        )
        with patch.dict(os.environ, self._environment):
            self._launch([str(binary()), "--config", str(config)], lambda: self._ports_file().exists())


class Accounts(Configured):
    """A server with the shipped accounts, which take their passwords from the environment."""

    def __init__(
        self, folder: Path, *, passwords: dict[str, str] | None = None, name: str = "nats", more: str = ""
    ) -> None:
        self.passwords = passwords or {role: f"p{secrets.token_hex(12)}" for role in ROLES}
        words = {f"NATS_{role.upper()}_PASSWORD": word for role, word in self.passwords.items()}
        shutil.copy(DEPLOY / "accounts.conf", folder)
        super().__init__(folder, f"include accounts.conf\n{more}", words, name)

    def at(self, role: str) -> str:
        """Where somebody connects, credentials included."""
        return f"nats://{role}:{self.passwords[role]}@127.0.0.1:{self.port}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Accounts]:
    """A running server with the shipped accounts."""
    folder = tmp_path / "nats"
    folder.mkdir()
    with Accounts(folder) as found:
        yield found


@pytest.fixture
async def clients(server: Accounts) -> AsyncIterator[dict[str, Client]]:
    """One connection of each role; the streams are there, with a task and an item to read."""
    found = {role: await connect(server.at(role), name=role) for role in ("admin", "api", "executor")}
    prefix = {"inbox_prefix": "_INBOX_PRODUCERS"}
    found["producer"] = await nats.connect(**options(server.at("producer"), name="producer"), **prefix)
    await provision(found["admin"], replicas=1, lease=timedelta(seconds=30))
    await request(found["admin"], "tasks.1", b"{}")
    await request(found["admin"], "work.default.1.1.1-1", b"{}")
    consumer = {"durable_name": "default-x", "name": "default-x", "ack_policy": "explicit"}
    call = "CONSUMER.CREATE.WORK.default-x"
    await api(found["admin"], call, {"stream_name": "WORK", "config": consumer, "action": "create"})
    yield found
    for client in found.values():
        await client.close()


async def lengths(client: Client) -> dict[str, int]:
    """How far each guarded stream has come."""
    return {name: (await api(client, f"STREAM.INFO.{name}"))["state"]["last_seq"] for name in GUARDED}


async def test_with_one_account_a_reply_subject_writes_what_its_sender_may_not(tmp_path: Path) -> None:
    """The trap itself: a user who may send commands and ask about streams forges a commit (nats-server #8274).

    Should this test fail one day, the server has closed the gap, and the accounts could be simpler.
    """
    user = 'user: producer, password: one, permissions: { publish: ["commands.*", "$JS.API.STREAM.INFO.>"] }'
    admin = "user: admin, password: two"
    accounts = f"accounts {{ ONE {{ jetstream: enabled, users: [ {{ {user} }}, {{ {admin} }} ] }} }}"
    with Configured(tmp_path, accounts) as server:
        at = f"127.0.0.1:{server.port}"
        admin_client = await connect(f"nats://admin:two@{at}", name="admin")
        await provision(admin_client, replicas=1, lease=timedelta(seconds=30))
        before = await lengths(admin_client)
        attacker = await connect(f"nats://producer:one@{at}", name="attacker")
        with pytest.raises((Unreachable, Unanswered)):
            await request(attacker, "tasks.9", b"forged", timeout=0.3)
        await attacker.publish("$JS.API.STREAM.INFO.COMMANDS", b"", reply="tasks.9")
        await attacker.flush()
        await eventually(lambda: _grown(admin_client, before))
        await attacker.close()
        await admin_client.close()


async def _grown(client: Client, before: dict[str, int]) -> bool:
    return (await lengths(client))["TASKS"] == before["TASKS"] + 1


@pytest.mark.parametrize("role", ["executor", "producer"])
async def test_with_ours_a_reply_subject_writes_nothing(clients: dict[str, Client], role: str) -> None:
    """Whatever an executor or a producer may ask for, the answer stays in its own account."""
    asked = {
        "executor": (
            ("$JS.API.STREAM.INFO.TASKS", b""),
            ("$JS.API.STREAM.MSG.GET.TASKS", b'{"last_by_subj":"tasks.1"}'),
            ("$JS.API.DIRECT.GET.TASKS", b'{"seq":1,"next_by_subj":"tasks.1","batch":5}'),
            ("$JS.API.CONSUMER.INFO.WORK.default-x", b""),
            ("$JS.API.CONSUMER.MSG.NEXT.WORK.default-x", b'{"batch":1,"expires":200000000}'),
            ("$JS.API.STREAM.MSG.GET.KV_catalog", b'{"seq":1}'),
            ("logs.1.1", b"{}"),
            ("$KV.executors.x", b"{}"),
            ("work.default.2.1.1-1", b"{}"),
            ("log.check", b"{}"),
        ),
        "producer": (
            ("commands.create", b"{}"),
            ("$JS.API.STREAM.INFO.COMMANDS", b""),
            ("$JS.API.CONSUMER.MSG.NEXT.COMMANDS.intake", b'{"batch":1}'),
        ),
    }[role]
    before = await lengths(clients["admin"])
    answers: list[str] = []

    async def hear(message: Any) -> None:
        answers.append(message.subject)

    if role == "executor":  # a producer may not even listen there
        for reply in ATTACKS:
            await clients[role].subscribe(reply, cb=hear)
    sent = 0
    for subject, body in asked:
        for reply in ATTACKS:
            await clients[role].publish(subject, body, reply=reply)
            sent += subject.startswith("commands.")
    if role == "executor":
        await eventually(lambda: set(ATTACKS) <= set(answers) and len(answers) >= 50)
    else:
        assert (
            json.loads(await request(clients[role], "commands.create", b"{}"))["seq"] == before["COMMANDS"] + sent + 1
        )
        sent += 1
    assert await lengths(clients["admin"]) == {**before, "COMMANDS": before["COMMANDS"] + sent}


CALLS = (
    "STREAM.UPDATE.TASKS",
    "STREAM.DELETE.TASKS",
    "STREAM.PURGE.TASKS",
    "STREAM.PURGE.WORK",
    "STREAM.MSG.DELETE.TASKS",
    "STREAM.CREATE.MINE",
    "STREAM.SNAPSHOT.TASKS",
    "CONSUMER.CREATE.TASKS",
    "CONSUMER.CREATE.OBJ_results.x",
    "CONSUMER.DELETE.WORK.default-x",
    "STREAM.NAMES",
    "STREAM.INFO.KV_access",
    "STREAM.MSG.GET.KV_access",
    "STREAM.MSG.GET.KV_secrets",
    "DIRECT.GET.KV_secrets",
    "STREAM.INFO.COMMANDS",
    "CONSUMER.MSG.NEXT.COMMANDS.intake",
)


async def test_an_executor_reaches_what_it_needs_and_nothing_else(clients: dict[str, Client]) -> None:
    """No setting of a stream, no consumer, no command, no bucket but those it works with."""
    executor = clients["executor"]
    for call in CALLS:
        with pytest.raises(Unreachable):
            await api(executor, call, {}, timeout=2)
    for subject in ("commands.create", "ids.task", "set-aside.commands", *ATTACKS[1:], "$KV.connections.x"):
        with pytest.raises(Unreachable):
            await request(executor, subject, b"{}", timeout=2)
    assert (await api(executor, "STREAM.INFO.TASKS"))["state"]["last_seq"] == 1
    results = Results(executor)
    reference = await results.put("large", b"x" * 700_000)
    assert await results.get(reference) == b"x" * 700_000
    assert await Results(clients["api"]).get(reference) == b"x" * 700_000


async def test_an_executor_reads_targets_and_its_secrets_and_no_key_that_signs(clients: dict[str, Client]) -> None:
    """Connections are read, value secrets read and written; nothing of KV `secrets` can be had, by whichever call."""
    admin, executor = clients["admin"], clients["executor"]
    key = Vault("k" * 32)
    await Bucket(admin, subjects.SECRETS).put("signing/1", key.seal("signing/1", "ols_secret"))
    await Bucket(admin, subjects.CONNECTIONS).put("crm", ConnectionSpec(name="crm", url="file:///srv").encode())
    values = ValueSecrets(Bucket(executor, subjects.VALUES), key)
    await ValueSecrets(Bucket(admin, subjects.VALUES), key).put("crm/password", "sesame", by="admin")
    found = await values.get("crm/password")
    assert found is not None
    assert found[0] == "sesame"
    await values.put("crm/other", "simsim", by="task 1/1")
    assert await values.remove("crm/other")
    connection = await Bucket(executor, subjects.CONNECTIONS).get("crm")
    assert connection is not None
    assert connection.value == b'{"url":"file:///srv","name":"crm"}'
    for bucket in (subjects.CONNECTIONS, subjects.SECRETS):
        with pytest.raises(BucketUnavailable):
            await Bucket(executor, bucket, timeout=0.5).put("crm", b"{}")
    with pytest.raises(BucketUnavailable):
        await Bucket(executor, subjects.SECRETS, timeout=0.5).get("signing/1")
    calls = ("STREAM.MSG.GET", "DIRECT.GET", "STREAM.INFO", "CONSUMER.CREATE")
    for call in (*(f"{one}.KV_secrets" for one in calls), "DIRECT.GET.KV_secrets.$KV.secrets.signing/1"):
        with pytest.raises(Unreachable):
            await api(executor, call, {"last_by_subj": "$KV.secrets.signing/1"}, timeout=2)


async def test_a_producer_sends_commands_and_hears_answers(clients: dict[str, Client]) -> None:
    """It is acknowledged by the stream; it reads and writes nothing else, other people's subjects included."""
    producer = clients["producer"]
    assert json.loads(await request(producer, "commands.create", b"{}"))["stream"] == "COMMANDS"
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    inbox = producer.new_inbox()
    await producer.subscribe(inbox, cb=hear)
    await producer.flush()

    async def answered() -> bool:
        # The other account may know of the inbox some milliseconds after its own does, on a busy machine.
        await clients["api"].publish(inbox, b"answer")
        return bool(heard)

    await eventually(answered)
    assert set(heard) == {inbox}
    for call in ("STREAM.INFO.COMMANDS", "STREAM.DELETE.COMMANDS", "STREAM.INFO.TASKS"):
        with pytest.raises((Unreachable, Unanswered)):
            await api(producer, call, timeout=0.2)
    for subject in (*ATTACKS[:1], *ATTACKS[2:], "work.default.1.1.1-1", "log.check", "bulk.perform"):
        with pytest.raises((Unreachable, Unanswered)):
            await request(producer, subject, b"{}", timeout=0.2)


async def test_an_api_changes_no_stream(clients: dict[str, Client]) -> None:
    """It makes the queue when that is missing, and cannot touch the log's settings, not even by a mistake of ours."""
    for call in ("STREAM.UPDATE.TASKS", "STREAM.DELETE.TASKS", "STREAM.DELETE.WORK", "STREAM.PURGE.COMMANDS"):
        with pytest.raises((Unreachable, Unanswered, ApiError)):
            await api(clients["api"], call, {}, timeout=0.2)
    assert (await api(clients["admin"], "STREAM.INFO.TASKS"))["state"]["last_seq"] == 1


@pytest.mark.parametrize("subject", ["foresee.default", "lists.default"])
async def test_an_api_asks_an_executor(clients: dict[str, Client], subject: str) -> None:
    """Across the accounts and back; who sends commands reaches no executor."""

    async def answer(message: Msg) -> None:
        await message.respond(b"an answer")

    await clients["executor"].subscribe(subject, queue="executors", cb=answer)
    await clients["executor"].flush()

    async def asked() -> bytes:
        return await request(clients["api"], subject, b"{}")

    assert await eventually(asked, ignoring=(Unreachable,), what="the accounts know it") == b"an answer"
    with pytest.raises((Unreachable, Unanswered)):
        await request(clients["producer"], subject, b"{}", timeout=0.3)


@pytest.mark.timeout(180)
async def test_the_whole_system_runs_with_these_accounts(server: Accounts, tmp_path: Path) -> None:
    """Provided by admin, served by api, run by executor, commanded by a producer; a nudge and a large plan included."""
    installation = Process(tmp_path, server.at("api"))
    more = {"OPSLEDGER_SECRETS_KEY": SECRETS_KEY}
    code, _, logged = await installation.run("init", **more, OPSLEDGER_NATS_URL=server.at("admin"))
    assert code == 0, logged
    serving = await installation.start("serve", **more)
    executing = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.executor",
        env={**installation.environment, "OPSLEDGER_NATS_URL": server.at("executor")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    nats_client = await nats.connect(**options(server.at("producer"), name="producer"), inbox_prefix="_INBOX_PRODUCERS")
    try:
        await eventually(installation.ready, timeout=40, ignoring=(httpx2.HTTPError,))
        async with installation.client() as admin:
            sender = await producer_at(admin, nats_client)
            answer = await sender.ask("create", {"plan": {"subtasks": [{"key": "a", "operation": "noop"}]}})
            assert answer["status"] == 201, answer
            await eventually(lambda: _is(admin, answer["task"], "SUCCESSFUL"), timeout=30)

            many = [{"key": f"k{n}", "operation": "noop", "description": "d" * 900} for n in range(300)]
            large = (await admin.post(INSTANCES, json={"plan": {"subtasks": many, "concurrency": 0}})).json()["data"]
            await eventually(lambda: _is(admin, large["id"], "SUCCESSFUL"), timeout=60)

            wait = {"plan": {"subtasks": [{"key": "w", "operation": "wait", "params": {"seconds": 60}}]}}
            waiting = (await sender.ask("create", wait))["task"]
            await eventually(lambda: _is(admin, waiting, "RUNNING"), timeout=30)
            assert (await sender.ask("cancel", {"task": waiting}))["status"] == 200
            await eventually(lambda: _is(admin, waiting, "CANCELLED"), timeout=5)  # a heartbeat is 10 s away
    finally:
        for child in (executing, serving):
            if child.returncode is None:
                child.terminate()
        outputs = [await child.communicate() for child in (executing, serving)]
        await nats_client.close()
    for _, logged_bytes in outputs:
        assert b"ermissions" not in logged_bytes, logged_bytes.decode()


def test_the_shipped_configuration_is_accepted_as_compose_runs_it() -> None:
    """Every variable that the two files name is set in compose.yaml, also to a password that reads as a number."""
    shipped = (DEPLOY.parent / "compose.yaml").read_text(encoding="utf-8")
    names = re.findall(r"^    ((?:NATS|ROUTE)_\w+): '", shipped, flags=re.MULTILINE)
    words = {name: f'"nats://routes:x@{name}:6222"' if name[6:].isdigit() else '"12e4"' for name in names}
    command = [str(binary()), "-t", "-c", str(DEPLOY / "nats.conf")]
    done = subprocess.run(command, env=words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"OPSLEDGER_NATS_URL: nats://(\w+):", shipped)) == {"admin", "api", "executor"}


async def _is(admin: httpx2.AsyncClient, task: int, state: str) -> bool:
    answer = await admin.get(f"{INSTANCES}/{task}")
    return bool(answer.status_code == 200 and answer.json()["data"]["state"] == state)


@pytest.mark.long
async def test_three_nodes_know_the_same_accounts(tmp_path: Path) -> None:
    """On three replicas, whichever node somebody is connected to: reading back, pulling, acknowledging, results."""
    routes = [free_port() for _ in range(3)]
    listing = ", ".join(f'"nats://routes:r@127.0.0.1:{port}"' for port in routes)
    passwords: dict[str, str] | None = None
    nodes: list[Accounts] = []
    opened: list[Client] = []
    for number, port in enumerate(routes):
        (tmp_path / f"n{number}").mkdir()
        cluster = f"cluster {{ name: t, listen: 127.0.0.1:{port}, no_advertise: true, routes: [{listing}]\n"
        login = "authorization { user: routes, password: r } }"
        node = Accounts(tmp_path / f"n{number}", passwords=passwords, name=f"n{number}", more=cluster + login)
        passwords = node.passwords
        nodes.append(node)
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_healthy()
        admin = await connect(nodes[0].at("admin"), name="admin")
        opened.append(admin)
        await provision(admin, replicas=3, lease=timedelta(seconds=30))
        consumer = {"durable_name": "default-x", "name": "default-x", "ack_policy": "explicit"}
        call = "CONSUMER.CREATE.WORK.default-x"
        await api(admin, call, {"stream_name": "WORK", "config": consumer, "action": "create"})
        for number, node in enumerate(nodes, start=1):
            executor = await connect(node.at("executor"), name="executor")
            opened.append(executor)
            storage, results = JetStreamStorage(executor), Results(executor)
            await storage.open()
            assert await storage.append(number, f"id-{number}", b"{}", 0) == number
            assert [one.seq for one in await storage.read(number)] == [number]
            reference = await results.put("same", bytes([number]) * 300_000)
            assert await results.get(reference) == bytes([number]) * 300_000
            await request(executor, f"work.default.{number}.1.1-1", b"{}")
            inbox = await executor.subscribe(executor.new_inbox())
            pull = "$JS.API.CONSUMER.MSG.NEXT.WORK.default-x"
            await executor.publish(pull, b'{"batch":1,"expires":4000000000}', reply=inbox.subject)
            item = await inbox.next_msg(timeout=5)
            assert item.subject == f"work.default.{number}.1.1-1"
            assert await request(executor, item.reply, b"+ACK") == b""
        await eventually(lambda: _empty(admin))
    finally:
        for client in opened:
            await client.close()
        for node in nodes:
            node.stop()


async def _empty(admin: Client) -> bool:
    return bool((await api(admin, "STREAM.INFO.WORK"))["state"]["messages"] == 0)
