"""What an executor tells of object lists: which there are, what stands in one, and nothing else of a destination."""

import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.testing import RunOperation
from services.executor.operations.contract import Connection
from services.executor.operations.object_sync_batch import ObjectSyncBatch
from services.executor.sync.telling import SHOWN, lists_told
from shared.messages.object_lists import PIECE, ListAnswer
from tests.integration.sync.stores import LISTS, OF, Folder, rows
from tests.integration.sync.told import Known
from tests.support.s3 import Bucket, S3Server


async def ask(known: Known, which: str = "synced", **more: Any) -> ListAnswer:
    """Ask about the lists of task 7."""
    question = {"task": 7, "destination": "to", "which": which, **more}
    return ListAnswer.model_validate_json(await lists_told(json.dumps(question).encode(), known))


async def test_lists_of_a_batch_are_told(run_operation: RunOperation, source: Folder, destination: Folder) -> None:
    """As they lie there, the newest first, and what stands in them to the byte."""
    source.put("a", b"1")
    connections = {"from": source.connection("from"), "to": destination.connection("to")}
    await run_operation(ObjectSyncBatch(), {"keys": ["a"], "of": OF}, connections=connections)
    known = Known(destination.connection("to"))

    (one,) = (await ask(known)).lists
    told = await ask(known, name=one.name)
    assert told.piece == (destination.path / LISTS / "7/success_object_lists" / one.name).read_bytes()
    assert told.piece.decode().split("\t")[1] == rows(destination.all(), "success_object_lists")[0][1] == "a"
    assert one.size == told.size == len(told.piece)
    assert (await ask(known, "failed")).lists == ()


@pytest.fixture
def many(destination: Folder) -> Folder:
    """Lists of two requests, and a long one."""
    for number in range(SHOWN):
        destination.put(f"{LISTS}/7/failed_object_lists/8-2-1-{number:05}.txt", b"x\n", age=1000.0 - number)
    destination.put(f"{LISTS}/7/failed_object_lists/81-2-1-00001.txt", b"".join(b"%d\n" % n for n in range(99_999)))
    destination.put(f"{LISTS}/7/failed_object_lists/creation_failures/8-2-1-00001.failed_list.txt", b"y\n")
    return destination


async def test_of_many_the_newest_are_told_and_all_are_counted(many: Folder) -> None:
    """One directory is not another's; those of one request can be asked for."""
    known = Known(many.connection("to"))
    told = await ask(known, "failed")
    assert (told.total, len(told.lists), told.lists[0].name) == (SHOWN + 1, SHOWN, f"8-2-1-{SHOWN - 1:05}.txt")
    assert [one.name for one in (await ask(known, "failed", child=81)).lists] == ["81-2-1-00001.txt"]
    assert (await ask(known, "failed", child=8)).total == SHOWN
    assert [one.name for one in (await ask(known, "not_begun")).lists] == ["8-2-1-00001.failed_list.txt"]
    assert (await ask(known, task=8)).total == 0


async def test_a_long_list_comes_in_pieces(many: Folder) -> None:
    """That join to it."""
    known, name = Known(many.connection("to")), "81-2-1-00001.txt"
    whole = (many.path / LISTS / "7/failed_object_lists" / name).read_bytes()
    pieces = [(await ask(known, "failed", name=name, offset=at)).piece for at in range(0, len(whole) + PIECE, PIECE)]
    assert b"".join(pieces) == whole
    assert len(pieces) > 3


async def test_nothing_else_of_a_destination_is_told(destination: Folder, tmp_path: Path) -> None:
    """No other name, no way out through links, no connection of another team."""
    known = Known(destination.connection("to"))
    destination.put("secret.txt", b"secret")
    secret = tmp_path / "9-1-1.txt"
    secret.write_text("secret", encoding="utf-8")
    folder = destination.path / LISTS / "7" / "success_object_lists"
    folder.mkdir(parents=True)
    (folder / "1-1-1.txt").symlink_to(secret)
    (folder.parent / "skip_object_lists").symlink_to(tmp_path)

    assert "link leads out" in str((await ask(known, name="1-1-1.txt")).refused)
    assert "link leads out" in str((await ask(known, "ignored")).refused)
    assert "link leads out" in str((await ask(known, "ignored", name="9-1-1.txt")).refused)
    for name in ("../../../secret.txt", "secret.txt", "1-1-1.txt/../1-1-1.txt", "/1-1-1.txt", "1-1-1.txt\n"):
        assert (await ask(known, name=name)).refused == "The question cannot be read."
    assert (await ask(known, name="2-1-1.txt")).missing
    assert (await ask(known, team="red")).refused == "There is no connection 'to'."
    assert (await ask(known, destination="elsewhere")).refused == "There is no connection 'elsewhere'."
    gone = Connection("to", f"file://{tmp_path}/nowhere", {})
    assert "there is no such folder" in str((await ask(Known(gone))).refused)


async def test_lists_in_a_bucket_are_told(s3_server: S3Server, bucket: Bucket) -> None:
    """Likewise; a bucket that is not there is said."""
    path = f"{LISTS}/7/skip_object_lists/8-2-1.txt"
    s3_server.client().put_object(Bucket=bucket.name, Key=path, Body=b"2026-11-21T09:20:31Z\ta\t1\n")
    known = Known(s3_server.connection("to", bucket.name))
    assert [one.name for one in (await ask(known, "ignored")).lists] == ["8-2-1.txt"]
    assert (await ask(known, "ignored", name="8-2-1.txt")).piece == b"2026-11-21T09:20:31Z\ta\t1\n"
    assert (await ask(known, "ignored", name="9-2-1.txt")).missing
    none = Known(s3_server.connection("to", "no-such-bucket"))
    assert "there is no such bucket" in str((await ask(none, "ignored")).refused)
