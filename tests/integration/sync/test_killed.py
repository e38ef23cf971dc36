"""kill -9 between every two steps of a synchronisation: lists, counts and bytes come out the same."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.nats import connect
from shared.store.streams import provision
from tests.integration.sync.stores import Folder, objects, rows
from tests.support.nats_server import NatsServer

USUAL = ["", "sync.decided", "sync.copied", "sync.done", "sync.listed.failed"]
REST = [
    "",
    "sync.surveyed",
    "sync.copied:2",
    "sync.listed.requested",
    "sync.listed.synced",
    "sync.listed.ignored",
    "sync.round",
]
LISTS = ("object_lists", "success_object_lists", "skip_object_lists", "failed_object_lists")
COUNTS = ("requested", "synced", "failed", "ignored", "bytes")


def _run(nats: str, folder: Path, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    file = folder / "steps.json"
    file.write_text(json.dumps(steps), encoding="utf-8")
    command = [sys.executable, "-m", "tests.integration.sync.killed", nats, str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def _seen(destination: Folder, batch: dict[str, Any], finish: dict[str, Any]) -> dict[str, Any]:
    """All that must not depend on deaths: lists without times and names of files, counts, bytes."""
    found = destination.all()
    lists = {}
    for which in LISTS:
        time = 1 if which == "failed_object_lists" else 0
        named = rows(found, which)
        lists[which] = sorted([*row[:time], *row[time + 1 :]] if which != "object_lists" else row for row in named)
    counts = [{name: each["sync"][name] for name in COUNTS} for each in (batch["output"], finish["fault"])]
    return {
        "lists": json.loads(json.dumps(lists).replace(str(destination.path), "")),
        "counts": counts,
        "objects": objects(found),
    }


@pytest.mark.parametrize("points", [USUAL, pytest.param(REST, marks=pytest.mark.long)], ids=["usual", "rest"])
async def test_a_batch_and_what_follows_survive_kill_9_between_any_two_steps(
    nats_server: NatsServer, tmp_path: Path, points: list[str]
) -> None:
    """Whatever step an attempt dies at, the next one ends with the same lists, the same counts and the same bytes."""
    client = await connect(nats_server.url, name="sync tests")
    await provision(client, replicas=1, lease=timedelta(seconds=45))
    await client.close()
    source = Folder.new(tmp_path / "source")
    keys = [f"copy/{number}" for number in range(60)] + [f"old/{number}" for number in range(5)]
    for key in keys:
        source.put(key, key.encode() * 20)
    source.put("large", os.urandom(9 * 1024 * 1024))
    keys += ["large", "never", "bad\nkey"]
    steps: list[dict[str, Any]] = []
    destinations = []
    for number, point in enumerate(points):
        destination = Folder.new(tmp_path / f"destination-{number}")
        destinations.append(destination)
        for old in range(5):
            destination.put(f"old/{old}", (source.path / f"old/{old}").read_bytes(), age=0)
        late = f"late-{number}"
        of = {"source": "from", "destination": "to", "task": 7}
        both = {"task": 100 + number, "from": str(source.path), "to": str(destination.path)}
        batch = {"operation": "object.sync.batch", "subtask": 1, "params": {"keys": [*keys, late], "of": of}, **both}
        finish = {"operation": "object.sync.finish", "subtask": 2, "params": {"of": of}, **both}
        place = len(steps)
        steps += [
            {**batch, "point": point},
            batch,
            {"put": str(source.path / late)},
            {**finish, "point": point, "after": [place + 1]},
            {**finish, "after": [place + 1]},
        ]

    done = _run(nats_server.url, tmp_path, steps)

    attempts = [done[at : at + 5] for at in range(0, len(done), 5)]
    deaths = {
        point: [bool(first.get("killed")), bool(third.get("killed"))]
        for point, (first, _, _, third, _) in zip(points, attempts, strict=True)
    }
    only_finish, only_batch = ("sync.listed.failed", "sync.round"), ("sync.listed.requested", "sync.listed.ignored")
    assert deaths == {
        point: [point not in ("", *only_finish), point not in ("", "sync.copied:2", *only_batch)] for point in points
    }
    seen = [
        json.loads(
            json.dumps(_seen(to, batch, finish), default=repr)
            .replace(f"late-{number}", "late")
            .replace(f"destination-{number}", "destination")
        )
        for number, (to, (_, batch, _, _, finish)) in enumerate(zip(destinations, attempts, strict=True))
    ]
    whole = seen[0]
    assert whole["counts"] == [
        {"requested": 69, "synced": 61, "failed": 0, "ignored": 5, "bytes": whole["counts"][0]["bytes"]},
        {"requested": 0, "synced": 1, "failed": 2, "ignored": 0, "bytes": 4},
    ]
    assert len(whole["lists"]["object_lists"]) == 69
    assert len(whole["lists"]["success_object_lists"]) == 62
    assert whole["objects"].keys() == {*keys[:66], "late"}
    for point, found in zip(points, seen, strict=True):
        assert found == whole, point


async def test_a_lane_survives_kill_9_between_any_two_steps(nats_server: NatsServer, tmp_path: Path) -> None:
    """A lane killed at each step of its second batch tells the same in the end, and lists nothing twice."""
    client = await connect(nats_server.url, name="sync tests")
    await provision(client, replicas=1, lease=timedelta(seconds=45))
    await client.close()
    source = Folder.new(tmp_path / "source")
    for number in range(510):
        source.put(f"k/{number}", b"1")
    points = ["", "sync.decided:2", "sync.done:2", "sync.listed.synced:2"]
    steps: list[dict[str, Any]] = []
    destinations = []
    for number, point in enumerate(points):
        destination = Folder.new(tmp_path / f"destination-{number}")
        destinations.append(destination)
        of = {"source": "from", "destination": "to", "task": 7}
        both = {"task": 100 + number, "from": str(source.path), "to": str(destination.path)}
        lane = {"operation": "object.sync.lane", "subtask": 2, "params": {"lane": 1, "lanes": 1, "of": of}, **both}
        place = len(steps)
        steps += [
            {"operation": "object.sync.list", "subtask": 1, "params": {"of": of}, **both},
            {**lane, "point": point, "after": [place]},
            {**lane, "after": [place]},
        ]

    done = _run(nats_server.url, tmp_path, steps)

    assert [bool(first.get("killed")) for first in done[1::3]] == [bool(point) for point in points]
    for destination, ended in zip(destinations, done[2::3], strict=True):
        found = destination.all()
        assert {name: ended["output"]["sync"][name] for name in COUNTS} == {
            "requested": 510,
            "synced": 510,
            "failed": 0,
            "ignored": 0,
            "bytes": 510,
        }
        assert objects(found) == source.all()
        assert sorted(row[1] for row in rows(found, "success_object_lists")) == sorted(source.all())
        assert len(rows(found, "object_lists")) == 510
