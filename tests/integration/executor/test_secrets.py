"""Where secrets and connections come from: the environment, files, sealed values and packages; and for whom."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from nats.aio.client import Client
from pydantic import TypeAdapter

from opsledger.testing import RunOperation
from services.executor.connections import BadConnections, Connections, from_file
from services.executor.disclosed import MaskedResults
from services.executor.fault import PermanentFault, TransientFault
from services.executor.masking import Masker
from services.executor.operations.command_run import CommandRun
from services.executor.operations.contract import ExecutorPolicy, Secret
from services.executor.secrets import Secrets, discover
from shared.messages import subjects
from shared.runtime.nats import connect
from shared.store.connections import ConnectionSpec
from shared.store.kv import Bucket
from shared.store.objects import Results
from shared.store.secrets import REFERENCE, ValueSecrets
from shared.store.streams import provision
from shared.store.vault import Vault
from tests.support.nats_server import NatsServer

KEY = Vault("k" * 32)


@pytest.fixture
async def client(nats_server: NatsServer) -> AsyncIterator[Client]:
    """A connection to a server of this test's own, with everything provisioned."""
    connected = await connect(nats_server.url, name="secrets tests")
    await provision(connected, replicas=1, lease=timedelta(seconds=45))
    yield connected
    await connected.close()


def values(client: Client, key: Vault | None = KEY) -> ValueSecrets:
    """The value secrets, opened with this key."""
    return ValueSecrets(Bucket(client, subjects.VALUES), key)


async def refused(secrets: Secrets, reference: str, team: str | None = None) -> str:
    """What is said of a reference that cannot be followed; trying again would not help."""
    with pytest.raises(PermanentFault) as caught:
        await secrets.resolve(reference, team)
    assert caught.value.detail == {"kind": "SECRET_UNAVAILABLE"}
    return caught.value.message


async def test_the_environment_gives_what_is_meant_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables OPSLEDGER_SECRET_* alone: the rest of the environment is not a task's business."""
    monkeypatch.setenv("OPSLEDGER_SECRET_CRM", "sesame")
    monkeypatch.setenv("OPSLEDGER_SECRET_EMPTY", "")
    secrets = Secrets()
    assert await secrets.resolve("env:OPSLEDGER_SECRET_CRM", None) == "sesame"
    for name in ("PATH", "OPSLEDGER_SECRETS_KEY", "OPSLEDGER_SECRET"):
        assert "begin with OPSLEDGER_SECRET_" in await refused(secrets, f"env:{name}")
    assert "no such variable" in await refused(secrets, "env:OPSLEDGER_SECRET_NONE")
    assert "it is empty" in await refused(secrets, "env:OPSLEDGER_SECRET_EMPTY")


async def test_files_are_read_below_their_folders_alone(tmp_path: Path) -> None:
    """By links within, as mounted secrets have them; never by a path or a link that leads out, nor from a pipe."""
    folder, outside = tmp_path / "secrets", tmp_path / "outside"
    (folder / "..data").mkdir(parents=True)
    (folder / "..data" / "crm").write_text("sesame\n", encoding="utf-8")
    (folder / "crm").symlink_to("..data/crm")
    outside.write_text("not yours", encoding="utf-8")
    (folder / "escape").symlink_to(outside)
    (folder / "binary").write_bytes(b"\xff\xfe")
    os.mkfifo(folder / "pipe")
    secrets = Secrets(folders=[tmp_path / "none", folder])
    assert await secrets.resolve("file:crm", None) == "sesame"
    assert await secrets.resolve(f"file:{folder}/crm", None) == "sesame"
    for name in ("escape", "../outside", str(outside), "pipe", "..data", "/proc/self/environ"):
        said = await refused(secrets, f"file:{name}")
        assert "not a file below a folder" in said or "cannot be read" in said
        assert "not yours" not in said
    assert "not UTF-8" in await refused(secrets, "file:binary")
    assert "no such file" in await refused(secrets, "file:nothing")
    assert "OPSLEDGER_SECRET_DIRS" in await refused(Secrets(), "file:crm")


async def test_sealed_values_are_for_their_teams(client: Client) -> None:
    """Another team is told what somebody is told who names what is not there; without the key nobody gets it."""
    secrets = Secrets(values(client))
    await values(client).put("crm/password", "sesame", by="admin", teams=["dba"])
    await values(client).put("open", "simsim", by="admin")
    assert await secrets.resolve("kv:crm/password", "dba") == "sesame"
    assert await secrets.resolve("kv:open", "web") == "simsim"
    assert await secrets.resolve("kv:open", None) == "simsim"
    hidden, missing = await refused(secrets, "kv:crm/password", "web"), await refused(secrets, "kv:none", "web")
    assert hidden.replace("crm/password", "none") == missing
    await refused(secrets, "kv:crm/password")
    assert "another key" in await refused(Secrets(values(client, Vault("x" * 32))), "kv:open")
    assert "OPSLEDGER_SECRETS_KEY" in await refused(Secrets(values(client, None)), "kv:open")


async def test_a_sealed_value_opens_under_its_own_name_alone(client: Client) -> None:
    """Whoever can write to the bucket cannot pass one secret off as another."""
    await values(client).put("root", "sesame", by="admin")
    bucket = Bucket(client, subjects.VALUES)
    entry = await bucket.get("root")
    assert entry is not None
    await bucket.put("mine", entry.value or b"")
    assert "another key" in await refused(Secrets(values(client)), "kv:mine")


async def test_an_operation_keeps_and_removes_a_value(client: Client) -> None:
    """For its task's team; what another team's task has kept it can neither change nor remove."""
    secrets = Secrets(values(client))
    await secrets.keep("kv:tenant/acme", "made-up", "dba", "task 7/1")
    found = await values(client).info("tenant/acme")
    assert found is not None
    assert (found.created_by, found.teams) == ("task 7/1", ["dba"])
    for value in ("", "mine"):
        with pytest.raises(PermanentFault, match="not this task's"):
            await secrets.keep("kv:tenant/acme", value, "web", "task 8/1")
    assert await secrets.resolve("kv:tenant/acme", "dba") == "made-up"
    await secrets.keep("kv:tenant/acme", "", "dba", "task 7/1")
    assert await values(client).all() == {}
    for reference in ("env:OPSLEDGER_SECRET_X", "kv:a..b", "kv:"):
        with pytest.raises(PermanentFault, match="kept under kv:NAME"):
            await secrets.keep(reference, "value", None, "task 7/1")


async def test_packages_bring_resolvers(caplog: pytest.LogCaptureFixture) -> None:
    """An entry point is a scheme; what it raises is a fault without its text, and ours cannot be replaced."""
    where = "tests.integration.executor.test_secrets"
    points = [
        EntryPoint("acme", f"{where}:acme", "opsledger.secret_resolvers"),
        EntryPoint("kv", f"{where}:acme", "opsledger.secret_resolvers"),
        EntryPoint("broken", f"{where}:nowhere", "opsledger.secret_resolvers"),
    ]
    secrets = Secrets(more=discover(points))
    assert await secrets.resolve("acme:team/db#password", None) == "acme says team/db#password"
    with pytest.raises(TransientFault) as caught:
        await secrets.resolve("acme:bad", None)
    assert "KeyError" in caught.value.message
    assert "sesame" not in str(caught.value.message)
    assert "acme, env, file, kv" in await refused(secrets, "broken:x")
    assert "named as env:NAME" in await refused(secrets, "hunter2")


async def acme(name: str) -> str:
    """A resolver as a package brings it."""
    await asyncio.sleep(0)
    if name == "bad":
        raise KeyError("sesame")
    return f"acme says {name}"


async def test_a_connection_brings_its_secrets(client: Client) -> None:
    """To tasks of its teams; to others it is not there; a secret that is missing is named."""
    spec = ConnectionSpec(
        name="crm",
        url="postgresql://crm@db/crm",
        options={"sslmode": "require"},
        secrets={"password": "kv:crm/password"},
        teams=["dba"],
    )
    bucket, secrets = Bucket(client, subjects.CONNECTIONS), Secrets(values(client))
    await bucket.put("crm", spec.encode())
    await bucket.put("odd", b'{"name":"odd"}')
    connections = Connections(bucket)

    async def resolve(reference: str) -> str:
        return await secrets.resolve(reference, "dba")

    with pytest.raises(PermanentFault, match="kv:crm/password"):
        await connections.get("crm", "dba", resolve)
    await values(client).put("crm/password", "sesame", by="admin")
    found = await connections.get("crm", "dba", resolve)
    assert (found.url, found.options, found.secrets) == (spec.url, {"sslmode": "require"}, {"password": "sesame"})
    assert "sesame" not in repr(found)
    for name, team in (("crm", "web"), ("crm", None), ("none", "dba"), ("a..b", "dba")):
        with pytest.raises(PermanentFault, match="no connection") as caught:
            await connections.get(name, team, resolve)
        assert caught.value.detail == {"kind": "NO_CONNECTION"}
    with pytest.raises(PermanentFault, match="url: Field required"):
        await connections.get("odd", None, resolve)


async def test_a_file_outweighs_what_the_api_keeps(client: Client, tmp_path: Path) -> None:
    """Whoever runs the executor decides; a file that is wrong is said to be, and where."""
    bucket, file = Bucket(client, subjects.CONNECTIONS), tmp_path / "connections.json"
    await bucket.put("crm", ConnectionSpec(name="crm", url="postgresql://elsewhere/crm").encode())
    file.write_text('[{"name": "crm", "url": "postgresql://here/crm"}]', encoding="utf-8")
    connections = Connections(bucket, from_file(file))
    assert (await connections.get("crm", None, Secrets().resolve)).url == "postgresql://here/crm"  # type: ignore[arg-type]
    for text, said in (
        ('[{"name": "crm", "url": "postgresql://u:hunter2@here/crm"}]', "0.url: .*no password"),
        ('[{"name": "a", "url": "file:///a"}, {"name": "a", "url": "file:///b"}]', "named twice: a"),
        ("{", "not understood"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BadConnections, match=said) as caught:
            from_file(file)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(BadConnections, match="No such file"):
        from_file(tmp_path / "none.json")


async def test_nats_away_is_a_fault_that_may_pass(client: Client, nats_server: NatsServer) -> None:
    """A secret and a connection that cannot be looked up now are tried again; so is a result file."""
    nats_server.stop()
    secrets = Secrets(ValueSecrets(Bucket(client, subjects.VALUES, timeout=0.3), KEY))
    connections = Connections(Bucket(client, subjects.CONNECTIONS, timeout=0.3))
    results = MaskedResults(Results(client, timeout=0.3), Masker())
    with pytest.raises(TransientFault):
        await secrets.resolve("kv:crm", None)
    with pytest.raises(TransientFault):
        await connections.get("crm", None, Secrets().resolve)  # type: ignore[arg-type]
    with pytest.raises(TransientFault):
        await results.put("file", b"x")


@pytest.mark.parametrize("size", [7, 1000, 300_000])
async def test_result_files_are_masked_however_they_are_written(client: Client, size: int) -> None:
    """Across pieces and chunks; the reference names what is stored, and the file is read back whole."""
    masker, secret = Masker(), "correct horse battery staple"
    results = MaskedResults(Results(client), masker)
    content = b"".join(b"%d %s\n" % (number, secret.encode()) for number in range(20_000 if size > 7 else 500))
    async with results.writer("rows") as file:
        masker.add(secret)
        for place in range(0, len(content), size):
            await file.write(content[place : place + size])
    stored = b"".join([piece async for piece in results.read(file.reference)])
    assert stored == content.replace(secret.encode(), b"***")
    assert file.reference["bytes"] == len(stored)


async def test_a_command_is_given_secrets_by_its_environment(run_operation: RunOperation) -> None:
    """The values are there, and what is kept of its output is masked before its middle is left out."""
    secret = "correct horse battery staple"
    params = {
        "argv": ["sh", "-c", 'printf "%s" "$PW" | sha256sum; for n in $(seq 2000); do printf "%s" "$PW"; done'],
        "secret_env": {"PW": "kv:crm"},
        "keep_bytes": 333,
        "log_stdout": "NONE",
    }
    for keep in (333, 350, 371):
        ran = await run_operation(CommandRun(), {**params, "keep_bytes": keep}, secrets={"kv:crm": secret})
        assert sha256(secret.encode()).hexdigest() in ran.output["stdout"]
        assert ran.output["truncated"] is True
        for part in ("correct", "horse", "battery", "staple"):
            assert part not in ran.output["stdout"]


async def test_a_command_that_cannot_be_given_a_secret_does_not_run(run_operation: RunOperation) -> None:
    """A value with a NUL, a variable that is set twice, one that is ours: told before anything has happened."""
    command = {"argv": ["true"], "secret_env": {"PW": "kv:crm"}}
    with pytest.raises(PermanentFault, match="PW has a NUL"):
        await run_operation(CommandRun(), command, secrets={"kv:crm": "a\0b"})
    with pytest.raises(PermanentFault, match="PW: in env and in secret_env"):
        await run_operation(CommandRun(), {**command, "env": {"PW": "x"}})
    for wrong in ({"OPSLEDGER_X": "kv:crm"}, {"PW": "hunter2"}):
        with pytest.raises(PermanentFault, match="secret_env") as caught:
            await run_operation(CommandRun(), {"argv": ["true"], "secret_env": wrong})
        assert "hunter2" not in caught.value.message


def test_no_command_inherits_what_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the policy lets through: the key of secrets and the secrets stand among our variables."""
    monkeypatch.setenv("OPSLEDGER_SECRET_CRM", "sesame")
    monkeypatch.setenv("ACME_HOME", "/srv")
    assert ExecutorPolicy(env_allow=("*",)).inherited_env()["ACME_HOME"] == "/srv"
    assert not [name for name in ExecutorPolicy(env_allow=("*",)).inherited_env() if name.startswith("OPSLEDGER_")]


def test_references_are_the_same_everywhere() -> None:
    """What a parameter accepts as a reference is what a connection does, and what is resolved."""
    schema = TypeAdapter(Secret).json_schema()
    assert (schema["pattern"], schema["format"]) == (REFERENCE, "secret")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OPSLEDGER_SECRETS_KEY", "short", "at least 32 characters"),
        ("OPSLEDGER_SECRETS_KEY_FILE", "/nowhere/secrets.key", "there is no file /nowhere/secrets.key"),
        ("OPSLEDGER_CONNECTIONS_FILE", "/nowhere/connections.json", "No such file"),
    ],
)
async def test_what_is_configured_wrongly_ends_the_start(name: str, value: str, said: str) -> None:
    """Exit code 1 and one line that says what to do, before anything is connected to."""
    environment = {**os.environ, name: value}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.executor"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, logged = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    [line] = logged.decode().splitlines()
    assert said in json.loads(line)["why"]
