"""The canary: a secret that is told to work which tries hard to say it stands in nothing that anybody can read."""

import base64
import io
import secrets
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil
import pytest

from shared.runtime.nats import connect
from shared.store.logs import LogStore
from shared.store.objects import Results
from tests.support.eventually import eventually_sync
from tests.support.leaks import digest, said
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("secrets")]
ROOT = Path(__file__).parents[2]
METADATA = "Metadata-Version: 2.1\nName: leaks\nVersion: 0.1\n"
ENDS = {"return": "SUCCESSFUL", "large": "SUCCESSFUL", "permanent": "FAILED", "unforeseen": "FAILED"}
ENTRY_POINTS = "[opsledger.operations]\nleak = tests.support.leaks:Leak\n"


class Canary:
    """A value that nobody else has, and how to find it: by its core, which every textual form contains as it is."""

    def __init__(self) -> None:
        self._core = secrets.token_hex(12)
        self.value = f"Kü/{self._core}+'\"\\ä"

    def found_in(self, data: bytes) -> bool:
        """Whether the data has the core, plain or hex, or what base64 makes of its inside at any alignment."""
        core = self._core.encode()
        needles = [core, core.hex().encode(), core.hex().upper().encode()]
        needles += [base64.b64encode(b"x" * before + core)[4:-4] for before in range(3)]
        return any(needle in data for needle in needles)


class World:
    """A running system with secrets in every place they can be in."""

    def __init__(self, folder: Path) -> None:
        package = folder / "leaks-0.1.dist-info"
        package.mkdir()
        (package / "METADATA").write_text(METADATA, encoding="utf-8")
        (package / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
        self.kept, self.mounted, self.given, self.password = Canary(), Canary(), Canary(), Canary()
        self.canaries = (self.kept, self.mounted, self.given, self.password)
        (folder / "mounted").mkdir()
        (folder / "mounted" / "canary").write_text(self.mounted.value + "\n", encoding="utf-8")
        self.up = Up(
            folder,
            executors=1,
            PYTHONPATH=f"{ROOT}:{folder}",
            OPSLEDGER_SECRET_DIRS=str(folder / "mounted"),
            OPSLEDGER_SECRET_CANARY=self.given.value,
        )
        self.references = ["kv:canary", "file:canary", "env:OPSLEDGER_SECRET_CANARY"]

    def prepare(self) -> None:
        """Set the secrets and define a connection as a person would."""
        for name, canary in (("canary", self.kept), ("targets/password", self.password)):
            ran = self.up.run("secret", "set", name, stdin=canary.value)
            assert ran.returncode == 0, ran.stderr
        words = ("target", "postgresql://ops@127.0.0.1:1/db", "--secret", "password=kv:targets/password")
        ran = self.up.run("connection", "add", *words)
        assert ran.returncode == 0, ran.stderr

    @property
    def hashes(self) -> list[str]:
        """What an operation that was told all of them gives back."""
        return [digest(canary.value) for canary in (self.kept, self.mounted, self.given, self.password)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One system for all tests of this module."""
    made = World(tmp_path_factory.mktemp("secrets"))
    with made.up:
        made.prepare()
        yield made


@pytest.fixture
def rest(world: World) -> Iterator[Rest]:
    """Its REST API as admin."""
    with Rest(world.up.url, world.up.password) as client:
        yield client


def leak(world: World, end: str) -> dict[str, Any]:
    """A plan whose one subtask says everything."""
    params = {"secrets": world.references, "connection": "target", "end": end, "made": str(secrets.randbits(64))}
    return {"plan": {"subtasks": [{"key": "leak", "operation": "leak", "params": params}]}}


def command(*argv: str, **params: Any) -> dict[str, Any]:
    """A plan of one command."""
    params = {"argv": list(argv), **params}
    return {"plan": {"subtasks": [{"key": "run", "operation": "command.run", "params": params}]}}


def found(world: World, data: bytes) -> bool:
    """Whether any of the canaries is in it."""
    return any(canary.found_in(data) for canary in world.canaries)


def read_everything(rest: Rest, task: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Give every answer about a task, zips unpacked."""
    one = f"/api/v2/tasks/instances/{task['id']}"
    paths = [one, f"{one}/events", f"{one}/results", "/api/v2/audit", "/api/v2/secrets", "/api/v2/connections"]
    for subtask in task["subtasks"]:
        paths += [f"{one}/subtasks/{subtask['id']}/log", f"{one}/subtasks/{subtask['id']}/log/download"]
    for path in paths:
        yield path, rest.http.get(path).content
    answer = rest.http.post(f"/api/v1/tasks/instances/{task['id']}/downloadDiagnosis")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        for name in archive.namelist():
            yield f"diagnosis: {name}", archive.read(name)


def test_whatever_an_operation_says_is_masked(world: World, rest: Rest) -> None:
    """It is told all four and proves it; no answer has one of them, whether it returns, fails, or is at fault."""
    for end, state in ENDS.items():
        task = rest.ended(rest.create(leak(world, end))["id"])
        assert task["state"] == state, task
        for where, data in read_everything(rest, task):
            assert not found(world, data), (end, where, data[-2000:])
        log = rest.log(task["id"], task["subtasks"][0]["id"])
        assert log.count("it is ***, is it not") >= 20
        if end == "return":
            output = task["subtasks"][0]["output"]
            assert output["hashes"][:4] == world.hashes
            assert output["***"] == 1
        if end == "permanent":
            assert task["subtasks"][0]["error"]["kind"] == "LEAK"
            back = rest.http.post(f"/api/v2/tasks/instances/{task['id']}/rollback")
            assert back.status_code == 200, back.text
            undone = rest.ended(task["id"])
            assert undone["subtasks"][0]["error"]["message"] == "cannot log in with ***"


def test_a_command_gets_a_secret_by_its_environment_alone(world: World, rest: Rest) -> None:
    """It has the value, no command line does while it runs, and what it prints of it is masked, cut or not."""
    environment = dict(zip(("A", "B", "C"), world.references, strict=True))
    script = (
        'printf %s "$A" | sha256sum; echo "$A$B"; printf %s "$C" | base64 -w0; head -c 9000 /dev/zero | tr "\\0" x;'
        'echo "$A" >&2; sleep 60'
    )
    task = rest.create(command("sh", "-c", script, secret_env=environment, keep_bytes=1000))
    running: list[psutil.Process] = []

    def sleeping() -> bool:
        running[:] = [child for child in world.up.children if child.name() == "sleep"]
        return bool(running)

    eventually_sync(sleeping, timeout=20, what="the command sleeps")
    assert running[0].environ()["A"] == world.kept.value
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert not found(world, file.read_bytes()), file
        except (FileNotFoundError, ProcessLookupError):
            continue
    running[0].terminate()
    task = rest.ended(task["id"])
    assert digest(world.kept.value) in rest.log(task["id"], task["subtasks"][0]["id"])
    for where, data in read_everything(rest, task):
        assert not found(world, data), (where, data[-2000:])


def test_a_first_start_offers_something_to_try(world: World, rest: Rest) -> None:
    """Three connections, whose files are there for the executor."""
    offered = {one["name"]: one["url"] for one in rest.http.get("/api/v2/connections").json()["data"]["contents"]}
    assert {"sample-db", "sample-source", "sample-destination"} <= offered.keys()
    paths = {name: Path(unquote(urlsplit(url).path)) for name, url in offered.items() if name.startswith("sample")}
    assert paths["sample-db"].is_file()
    assert paths["sample-source"].is_dir()
    assert all(path.is_relative_to(world.up.data_dir / "samples") for path in paths.values())


def test_a_secret_that_is_not_there_is_named(world: World, rest: Rest) -> None:
    """FAILED at once, with what is missing and where to look; the value of another is not given for it."""
    task = rest.ended(rest.create(command("true", secret_env={"A": "kv:nothing"}))["id"])
    error = task["subtasks"][0]["error"]
    assert (error["kind"], "kv:nothing" in error["message"]) == ("SECRET_UNAVAILABLE", True)
    assert "opsledger secret list" in error["message"]


async def test_nothing_at_rest_has_a_canary(world: World, rest: Rest) -> None:
    """Streams, buckets, result files, the view, process logs: after all of the above, the values are nowhere."""
    task = rest.ended(rest.create(leak(world, "large"))["id"])
    client = await connect(world.up.nats_url, name="canary test")
    try:  # lines are compressed on disk, so they are read as well
        lines = b"".join(await LogStore(client).read(task["id"], 1))
        assert b"it is ***" in lines
        assert not found(world, lines)
        name = f"{task['id']}-1-leak"
        stored = Results(client)
        info = await stored._info(name)
        assert info is not None
        content = b"".join([piece async for piece in stored._pieces(info)])
        assert content.count(b"***") >= 200
        assert not found(world, content)
    finally:
        await client.close()
    files = [path for path in world.up.data_dir.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"view.db", "executor-1.log", "api.log"} <= names
    assert any(path.suffix == ".blk" for path in files), "the broker's own files"
    for path in files:
        assert not found(world, path.read_bytes()), path


def test_the_grep_itself_finds_a_canary(world: World) -> None:
    """In each form that is looked for: a test that could not fail would prove nothing."""
    for canary in world.canaries:
        for form in said(canary.value):
            assert canary.found_in(f"before {form} behind".encode()), form
