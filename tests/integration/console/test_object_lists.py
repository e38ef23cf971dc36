"""Object lists of a synchronisation over REST and on the console; an executor's own code reads the destination."""

import re
from pathlib import Path

import httpx2
import pytest

from services.api.access import Role
from shared.messages.object_lists import PIECE
from tests.compat.huawei import offer
from tests.integration.api.harness import ServedApi, plan, refused
from tests.integration.console.signed import Person, with_user
from tests.integration.sync.stores import LISTS, Folder
from tests.integration.sync.told import Known, telling

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAILED = "there is <b>nothing</b>\t2026-11-21T09:20:31Z\tgone%3F\tgone?\tNoSuchKey\n"


async def standing(api: ServedApi, team: str | None = None) -> int:
    """A synchronisation into `to`."""
    await offer(api)
    body = {
        "type": "object.sync", "name": "in step", "params": {"source": "from", "destination": "to"},
        "labels": {"team": team} if team else {},
    }  # fmt: skip
    answer = await api.admin.post("/api/v2/tasks/instances", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["data"]["id"])


@pytest.fixture
def destination(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder.new(tmp_path / "destination")


async def test_lists_are_shown_and_sent(api: ServedApi, destination: Folder) -> None:
    """The newest first, those of one child alone if asked; a page of lines, and every byte as a download."""
    task = await standing(api)
    folder = f"{LISTS}/{task}/failed_object_lists"
    destination.put(f"{folder}/8-2-1-00001.txt", FAILED.encode(), age=60)
    whole = b"".join(b"no\t2026-11-21T09:20:31Z\tk%d\tk%d\tX\n" % (n, n) for n in range(9_000))
    assert len(whole) > 2 * PIECE
    destination.put(f"{folder}/9-2-1-00001.txt", whole, age=30)
    path = f"/api/v2/sync-tasks/{task}/lists/failed"
    async with telling(api.nats, Known(destination.connection("to"))), Person(api) as admin:
        found = (await api.admin.get(path)).json()["data"]
        assert (found["directory"], found["total"], found["totalExact"]) == (folder, 2, True)
        assert [one["name"] for one in found["contents"]] == ["9-2-1-00001.txt", "8-2-1-00001.txt"]
        assert [one["size"] for one in found["contents"]] == [len(whole), len(FAILED)]
        child = (await api.admin.get(path, params={"child": 8})).json()["data"]
        assert [one["name"] for one in child["contents"]] == ["8-2-1-00001.txt"]
        sent = await api.admin.get(f"{path}/9-2-1-00001.txt")
        assert sent.content == whole
        assert sent.headers["content-disposition"] == 'attachment; filename="9-2-1-00001.txt"'
        assert sent.headers["content-type"] == "text/plain; charset=utf-8"

        text = (await admin.get(f"/sync/{task}")).text
        assert f'href="/sync/{task}/lists/failed"' in text
        text = (await admin.get(f"/sync/{task}/lists/failed")).text
        assert re.findall(r'<tr data-href="([^"]+)"', text) == [
            f"/sync/{task}/lists/failed/{name}-2-1-00001.txt" for name in (9, 8)
        ]
        assert "8-2-1-00001.txt" not in (await admin.get(f"/sync/{task}/lists/failed?child=9")).text
        assert "No list: no object was ignored." in (await admin.get(f"/sync/{task}/lists/ignored")).text
        text = (await admin.get(f"/sync/{task}/lists/failed/8-2-1-00001.txt")).text
        assert "gone?" in text
        assert "there is &lt;b&gt;nothing&lt;/b&gt;" in text
        assert f'href="{path}/8-2-1-00001.txt" download' in text
        assert ">1 object<" in text
        text = (await admin.get(f"/sync/{task}/lists/failed/9-2-1-00001.txt")).text
        assert "500 objects, the first of this list: the download has all" in text


async def test_what_cannot_be_read_is_said(api: ServedApi, destination: Folder, tmp_path: Path) -> None:
    """No executor, no such list, a destination that is away: each in its own words."""
    task = await standing(api)
    path = f"/api/v2/sync-tasks/{task}/lists"
    async with Person(api) as admin:
        error = refused(await api.admin.get(f"{path}/failed"), 503, 1006)
        assert error["message"] == (
            f"No executor of the pool default answers. The lists lie in to, below {LISTS}/{task}/failed_object_lists."
        )
        assert refused(await api.admin.get(f"{path}/failed/8-2-1.txt"), 503, 1006)["message"] == error["message"]
        page = await admin.get(f"/sync/{task}/lists/failed")
        assert (page.status_code, error["message"] in page.text) == (503, True)

        async with telling(api.nats, Known(destination.connection("to"))):
            refused(await api.admin.get(f"{path}/all"), 404, 4001)
            refused(await api.admin.get(f"{path}/failed", params={"child": "x"}), 400, 1001)
            missing = refused(await api.admin.get(f"{path}/failed/8-2-1.txt"), 404, 4001)
            assert missing["target"] == {"kind": "list_not_found"}
            for name in ("..", "secret.txt", "8-2-1.txt%0a", "..%2f8-2-1.txt"):
                assert (await api.admin.get(f"{path}/failed/{name}")).status_code == 404
            assert (await admin.get(f"/sync/{task}/lists/failed/8-2-1.txt")).status_code == 404
        async with telling(api.nats, Known(Folder(tmp_path / "nowhere").connection("to"))):
            error = refused(await api.admin.get(f"{path}/failed"), 503, 1006)
            assert "there is no such folder on the executor" in error["message"]

    other = (await api.create(plan()))["id"]
    refused(await api.admin.get(f"/api/v2/sync-tasks/{other}/lists/failed"), 404, 4001)


async def test_half_a_list_never_looks_whole(api: ServedApi, destination: Folder) -> None:
    """When the destination goes away in the middle, the connection breaks."""
    task = await standing(api)
    destination.put(f"{LISTS}/{task}/object_lists/8-2-1.txt", b"x\n" * PIECE)
    async with telling(api.nats, Known(destination.connection("to")), most=1):
        with pytest.raises(httpx2.HTTPError):
            await api.admin.get(f"/api/v2/sync-tasks/{task}/lists/requested/8-2-1.txt")


async def test_lists_of_other_teams_do_not_exist(api: ServedApi, destination: Folder) -> None:
    """Neither over REST nor on the console; who reads may read them, whatever may be changed."""
    task = await standing(api, team="red")
    destination.put(f"{LISTS}/{task}/object_lists/8-2-1.txt", b"x\n")
    async with (
        telling(api.nats, Known(destination.connection("to"))),
        await with_user(api, "of-blue", Role.TASK_VIEWER, ["blue"]) as blue,
    ):
        for path in (f"/sync/{task}/lists/requested", f"/sync/{task}/lists/requested/8-2-1.txt"):
            assert (await blue.get(path)).status_code == 404
            assert (await blue.get(f"/api/v2{path.replace('/sync', '/sync-tasks', 1)}")).status_code == 404
