"""`object.sync.batch` and `finish` from folder to folder: the rule, the lists, the counts, the keys nobody can hold."""

from pathlib import Path
from typing import Any

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.operations.contract import PermanentFault
from services.executor.operations.object_sync_batch import ObjectSyncBatch
from services.executor.operations.object_sync_finish import ObjectSyncFinish
from tests.integration.sync.stores import OF, Folder, objects, rows


def _both(source: Folder, destination: Folder) -> dict[str, Any]:
    return {"from": source.connection("from"), "to": destination.connection("to")}


async def _batch(
    run_operation: RunOperation,
    source: Folder,
    destination: Folder,
    keys: list[str],
    *,
    into: Ran | None = None,
    **of: Any,
) -> Ran:
    params = {"keys": keys, "of": {**OF, **of}}
    return await run_operation(ObjectSyncBatch(), params, connections=_both(source, destination), into=into)


async def test_objects_are_copied_listed_and_counted(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """What was asked for lies at the destination byte by byte, and lists and counts say so."""
    source.put("a.txt", b"alpha")
    source.put("deep/down/b.bin", bytes(range(256)) * 5000)  # above the size that goes through threads

    ran = await _batch(run_operation, source, destination, ["a.txt", "deep/down/b.bin"])

    found = destination.all()
    assert objects(found) == source.all()
    assert rows(found, "object_lists") == [["a.txt"], ["deep/down/b.bin"]]
    synced = rows(found, "success_object_lists")
    assert [row[1:] for row in synced] == [["a.txt", "5"], ["deep/down/b.bin", "1280000"]]
    assert {key: ran.output["sync"][key] for key in ("requested", "synced", "failed", "ignored", "bytes")} == {
        "requested": 2,
        "synced": 2,
        "failed": 0,
        "ignored": 0,
        "bytes": 1_280_005,
    }
    assert ran.output["unsettled"] == 0


@pytest.mark.parametrize(
    ("mode", "same_size", "later", "copied"),
    [
        ("newer", True, True, False),
        ("newer", True, False, True),
        ("newer", False, True, True),
        ("always", True, True, True),
        ("never", False, False, False),
    ],
)
async def test_the_rule_says_what_is_ignored(
    run_operation: RunOperation,
    source: Folder,
    destination: Folder,
    mode: str,
    same_size: bool,
    later: bool,
    copied: bool,
) -> None:
    """Same size and a later time at the destination: ignored; the other modes copy always, or never over something."""
    source.put("k", b"new")
    destination.put("k", b"old" if same_size else b"older", age=0 if later else 7200)

    ran = await _batch(run_operation, source, destination, ["k"], overwrite=mode)

    found = destination.all()
    assert (found["k"] == b"new") is copied
    assert ran.output["sync"]["synced"] == int(copied)
    assert ran.output["sync"]["ignored"] == int(not copied)
    assert [row[1:] for row in rows(found, "skip_object_lists")] == ([] if copied else [["k", "3"]])


BAD_KEYS = [
    "../outside",
    "a/../../outside",
    "/etc/outside",
    "new\nline",
    "tab\tbed",
    "x" * 2000,
    "a//b",
    "./a",
    "folder/",
    "",
    "nul\0",
    "staged#1",
    "oms/sync_task/7/success_object_lists/forged.txt",
    "link/secret",
    "gone",
]


async def test_keys_that_cannot_be_held_fail_one_by_one_with_a_cause(
    run_operation: RunOperation, source: Folder, destination: Folder, tmp_path: Path
) -> None:
    """A dangerous or impossible key is a failed object with a cause in a well-formed list, and is written nowhere."""
    source.put("good", b"1")
    source.put("oms/sync_task/7/success_object_lists/forged.txt", b"1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_bytes(b"secret")
    (source.path / "link").symlink_to(tmp_path / "elsewhere")
    before = {str(path) for path in tmp_path.rglob("*")} | {
        str(destination.path / "good"),
        str(destination.path / "oms"),
    }

    batch = await _batch(run_operation, source, destination, ["good", *BAD_KEYS])
    with pytest.raises(PermanentFault) as failure:
        await run_operation(
            ObjectSyncFinish(),
            {"of": OF},
            upstreams={"batch-1": batch.output},
            connections=_both(source, destination),
            into=batch,
        )

    found = destination.all()
    assert objects(found) == {"good": b"1"}
    failed = rows(found, "failed_object_lists")
    assert all(len(row) == 5 and all(row) for row in failed if row[2])
    assert len(failed) == len(BAD_KEYS) == failure.value.detail["sync"]["failed"]
    by_name = {row[3]: row for row in failed}
    assert by_name["new\\nline"][2] == "new%0Aline"
    assert by_name["../outside"][4] == "InvalidKey"
    assert by_name["link/secret"][4] == "OutsideFolder"
    assert by_name["gone"][4] == "NoSuchKey"
    after = {str(path) for path in tmp_path.rglob("*") if not str(path).startswith(str(destination.path / "oms/"))}
    assert after <= before


async def test_names_are_kept_exactly(run_operation: RunOperation, source: Folder, destination: Folder) -> None:
    """Unicode, percent signs, spaces, quotes, backslashes and dots come over as they are, and stand so in the lists."""
    keys = ["ü-☃/日本", "100%", "a%2Fb", "a b+c", "q\"uo'te", "back\\slash", ".hidden", "..x", "a#b", "-rf", "~home"]
    for key in keys:
        source.put(key, key.encode())

    await _batch(run_operation, source, destination, keys)

    found = destination.all()
    assert objects(found) == {key: key.encode() for key in keys}
    assert [row[1] for row in rows(found, "success_object_lists")] == [key.replace("\\", "\\\\") for key in keys]


async def test_a_link_at_the_destination_is_not_followed(
    run_operation: RunOperation, source: Folder, destination: Folder, tmp_path: Path
) -> None:
    """A symbolic link in the destination does not carry a write out of its folder."""
    source.put("link/file", b"1")
    (tmp_path / "elsewhere").mkdir()
    (destination.path / "link").symlink_to(tmp_path / "elsewhere")

    ran = await _batch(run_operation, source, destination, ["link/file"])

    assert ran.output["unsettled"] == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_prefixes_are_joined_to_keys(run_operation: RunOperation, source: Folder, destination: Folder) -> None:
    """Keys are names below the source's prefix, and land below the destination's; lists name the keys."""
    source.put("in/k", b"1")

    await _batch(run_operation, source, destination, ["k"], source_prefix="in", destination_prefix="out/there/")

    found = destination.all()
    assert objects(found) == {"out/there/k": b"1"}
    assert rows(found, "object_lists") == [["k"]]


async def test_what_failed_is_tried_once_more_and_its_retry_adds_only_what_is_new(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """`finish` syncs what works now and lists the rest; its retry syncs that, and no object is listed failed twice."""
    batch = await _batch(run_operation, source, destination, ["late", "later", "never"])
    assert batch.output["unsettled"] == 3
    source.put("late", b"1")

    async def finish(generation: int) -> Any:
        return await run_operation(
            ObjectSyncFinish(),
            {"of": OF},
            upstreams={"batch-1": batch.output},
            connections=_both(source, destination),
            generation=generation,
            into=batch,
        )

    with pytest.raises(PermanentFault, match="2 objects could not be synced; the first is 'later'") as first:
        await finish(1)
    source.put("later", b"22")
    with pytest.raises(PermanentFault) as second:
        await finish(2)
    source.put("never", b"333")
    third = await finish(3)

    counts = [each["sync"] for each in (first.value.detail, second.value.detail, third.output)]
    assert [(each["synced"], each["failed"], each["bytes"]) for each in counts] == [(1, 2, 1), (1, 0, 2), (1, 0, 3)]
    assert first.value.detail["causes"] == {"NoSuchKey": 2}
    found = destination.all()
    assert [row[3] for row in rows(found, "failed_object_lists")] == ["later", "never"]
    assert [row[0] for row in rows(found, "object_lists")] == ["late", "later", "never"]
    assert [row[1] for row in rows(found, "success_object_lists")] == ["late", "later", "never"]


async def test_a_source_that_is_not_there_is_a_creation_failure(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """Without the source's folder every object fails, in the list of those that were not begun."""
    source.path.rmdir()
    batch = await _batch(run_operation, source, destination, ["a", "b"])

    with pytest.raises(PermanentFault, match="no such folder"):
        await run_operation(
            ObjectSyncFinish(),
            {"of": OF},
            upstreams={"batch-1": batch.output},
            connections=_both(source, destination),
            into=batch,
        )

    failed = rows(destination.all(), "failed_object_lists/creation_failures")
    assert [(row[3], row[4]) for row in failed] == [("a", "NoSuchFolder"), ("b", "NoSuchFolder")]


async def test_lists_that_cannot_be_written_fail_the_batch_and_lose_nothing(
    run_operation: RunOperation, source: Folder, destination: Folder
) -> None:
    """The batch fails saying which list and why, counts nothing, and its retry tells what was copied before."""
    source.put("k", b"1")
    (destination.path / "oms").write_bytes(b"a file where a folder should be")
    ran = Ran()

    with pytest.raises(PermanentFault, match=r"object_lists/1-1-1\.txt cannot be written") as failure:
        await _batch(run_operation, source, destination, ["k"], into=ran)
    (destination.path / "oms").unlink()
    again = await run_operation(
        ObjectSyncBatch(),
        {"keys": ["k"], "of": OF},
        connections=_both(source, destination),
        generation=2,
        into=ran,
    )

    assert failure.value.detail["kind"] == "LISTS_NOT_WRITTEN"
    assert failure.value.detail["sync"]["requested"] == 0
    assert failure.value.detail["done"]["synced"] == 1
    assert again.output["sync"]["synced"] == 1
    assert again.output["lists"]["synced"].endswith("/success_object_lists/1-1-1.txt")
