"""Synchronisation end to end: a standing task, its requests and sweeps, executors that die, counts that agree."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sync.stores import LISTS, Folder, objects, rows
from tests.support.eventually import eventually_sync
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("sync")]

LISTED = {
    "requested": "object_lists",
    "synced": "success_object_lists",
    "failed": "failed_object_lists",
    "ignored": "skip_object_lists",
}


class World:
    """A system without executors, two folders it knows as connections, and who asks."""

    def __init__(self, folder: Path) -> None:
        self.source, self.destination = Folder.new(folder / "source"), Folder.new(folder / "destination")
        file = folder / "connections.json"
        specs = [
            {"name": "from", "url": f"file://{self.source.path}"},
            {"name": "to", "url": f"file://{self.destination.path}"},
        ]
        file.write_text(json.dumps(specs), encoding="utf-8")
        self.up = Up(folder, executors=0, OPSLEDGER_CONNECTIONS_FILE=str(file))
        self.once = folder / "died"

    def agree(self, rest: Rest, task: int, expected: dict[str, int]) -> None:
        """Check that the view's counts are those expected, and that the lists have as many lines, each object once."""

        def counted() -> bool:
            answer = rest.http.get(f"/api/v2/sync-tasks/{task}")
            assert answer.status_code == 200, answer.text
            counts = answer.json()["data"]["counts"]
            assert {name: counts[name] for name in expected} == expected
            return True

        eventually_sync(counted, timeout=20, what="the view shows the counts")
        found = self.destination.all()
        for name, directory in LISTED.items():
            lines = [
                tuple(row[:1] + row[2:]) if name == "failed" else row[-2:][0] for row in rows(found, directory, task)
            ]
            assert len(lines) == expected[name], name
            assert len(set(lines)) == len(lines), name

    def tell(self, rest: Rest, task: int) -> None:
        """Check that the API shows the lists that lie there, each to the byte."""
        there = self.destination.all()
        for name, directory in LISTED.items():
            answer = rest.http.get(f"/api/v2/sync-tasks/{task}/lists/{name}").json()["data"]
            folder = f"{LISTS}/{task}/{directory}"
            assert (answer["destination"], answer["directory"], answer["totalExact"]) == ("to", folder, True)
            assert {f"{folder}/{one['name']}" for one in answer["contents"]} == {
                path for path in there if path.rpartition("/")[0] == folder
            }
            for one in answer["contents"]:
                whole = rest.http.get(f"/api/v2/sync-tasks/{task}/lists/{name}/{one['name']}")
                assert whole.content == there[f"{folder}/{one['name']}"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """It runs."""
    made = World(tmp_path)
    with made.up:
        yield made


def test_an_executor_that_dies_in_the_middle_costs_nothing(world: World) -> None:
    """Killed with -9 while it copies; the other one ends the request; lists, counts and bytes are as if nothing was."""
    keys = [f"k/{number}" for number in range(1_500)]
    for key in keys:
        world.source.put(key, key.encode() * 10)
    world.destination.put("k/0", world.source.all()["k/0"], age=0)
    failpoint = {"OPSLEDGER_FAILPOINT": "sync.copied:9", "OPSLEDGER_FAILPOINT_ONCE": str(world.once)}
    with (
        Rest(world.up.url, world.up.password) as rest,
        world.up.joined("executor", **failpoint) as first,
    ):
        eventually_sync(lambda: _offered(rest), timeout=30, what="object.sync is on offer")
        standing = rest.create({"type": "object.sync", "params": {"source": "from", "destination": "to"}})["id"]
        body = {"type": "object.sync.request", "parent": standing, "params": {"keys": [*keys, "gone", "../up"]}}
        task = rest.create(body)["id"]
        assert first.wait(30) == -9
        with world.up.joined("executor"):
            ended = rest.ended(task)
            assert (ended["state"], ended["subtasks"][-1]["status"]) == ("FAILED", "FAILED")
            assert "2 objects could not be synced" in ended["subtasks"][-1]["error"]["message"]
            assert objects(world.destination.all()) == world.source.all()
            size = sum(len(body) for key, body in world.source.all().items() if key != "k/0")
            counts = {"requested": 1_502, "synced": 1_499, "failed": 2, "ignored": 1, "bytes": size}
            world.agree(rest, standing, counts)
            world.tell(rest, standing)

            world.source.put("gone", b"back")
            answer = rest.http.post(f"/api/v2/tasks/instances/{task}/retry", json={})
            assert answer.status_code == 200, answer.text
            world.agree(rest, standing, counts | {"synced": 1_500, "bytes": size + 4})
            assert world.destination.all()["gone"] == b"back"
            assert rest.ended(task)["state"] == "FAILED"


def test_a_sweep_survives_the_death_of_its_executor(world: World) -> None:
    """Killed while a lane writes a list; another executor ends the sweep with every object once in each list."""
    for number in range(1_200):
        world.source.put(f"k/{number}", str(number).encode())
    failpoint = {"OPSLEDGER_FAILPOINT": "sync.listed.synced", "OPSLEDGER_FAILPOINT_ONCE": str(world.once)}
    with (
        Rest(world.up.url, world.up.password) as rest,
        world.up.joined("executor", **failpoint) as first,
    ):
        eventually_sync(lambda: _offered(rest), timeout=30, what="object.sync is on offer")
        standing = rest.create({"type": "object.sync", "params": {"source": "from", "destination": "to"}})["id"]
        sweep: dict[str, Any] = {"type": "object.sync.sweep", "parent": standing, "params": {"prefix": "k/"}}
        task = rest.create(sweep)["id"]
        assert first.wait(30) == -9
        with world.up.joined("executor"):
            ended = rest.ended(task)

        assert ended["state"] == "SUCCESSFUL"
        assert objects(world.destination.all()) == world.source.all()
        size = sum(len(body) for body in world.source.all().values())
        world.agree(rest, standing, {"requested": 1_200, "synced": 1_200, "failed": 0, "ignored": 0, "bytes": size})


def _offered(rest: Rest) -> bool:
    answer = rest.http.get("/api/v2/task-types")
    return answer.status_code == 200 and "object.sync" in answer.text
