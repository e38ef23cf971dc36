"""Synchronisation with a real S3 server: content, attributes, parts, checksums, and what the server refuses."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from opsledger.testing import Ran, RunOperation
from services.executor.operations.contract import Connection, PermanentFault, TransientFault
from services.executor.operations.object_sync_batch import ObjectSyncBatch
from services.executor.operations.object_sync_finish import ObjectSyncFinish
from tests.integration.sync.stores import OF, Folder, objects, rows
from tests.support import s3
from tests.support.process import free_port
from tests.support.s3 import Bucket, S3Server

MIB = 1024 * 1024


async def _batch(
    run_operation: RunOperation, source: Connection, destination: Connection, keys: list[str], **of: Any
) -> Ran:
    return await run_operation(
        ObjectSyncBatch(),
        {"keys": keys, "of": {**OF, **of}},
        connections={"from": source, "to": destination},
    )


async def test_from_a_folder_to_a_bucket(
    run_operation: RunOperation, source: Folder, s3_server: S3Server, bucket: Bucket
) -> None:
    """Small objects and one of three parts arrive whole; lists lie in the bucket; a second request ignores them."""
    keys = ["a.txt", "ü-☃/per%2Fcent +", "x" * 1000, "big.bin"]
    for key in keys[:3]:
        (source.path / key[:200]).parent.mkdir(parents=True, exist_ok=True)
    source.put("a.txt", b"alpha")
    source.put("ü-☃/per%2Fcent +", b"beta")
    big = os.urandom(12 * MIB)
    source.put("big.bin", big)
    to = s3_server.connection("to", bucket.name, part_mib="5")

    ran = await _batch(run_operation, source.connection("from"), to, keys)

    found = bucket.all()
    assert objects(found) == source.all()
    assert bucket.head("big.bin")["ETag"].endswith('-3"')
    assert [row[1] for row in rows(found, "success_object_lists")] == ["a.txt", "ü-☃/per%2Fcent +", "big.bin"]
    assert ran.output["sync"]["bytes"] == 5 + 4 + 12 * MIB
    assert ran.output["unsettled"] == 1
    assert bucket.unfinished() == []


async def test_from_bucket_to_bucket_with_what_is_known_of_objects(
    run_operation: RunOperation, s3_server: S3Server, bucket: Bucket, bucket_b: Bucket
) -> None:
    """Content type and user metadata come along, for small objects and for large ones."""
    for key, body in (("small", b"1"), ("large", os.urandom(6 * MIB))):
        bucket.put(key, body, {"colour": "green"}, ContentType="text/x-green")

    await _batch(
        run_operation,
        s3_server.connection("from", bucket.name),
        s3_server.connection("to", bucket_b.name, part_mib="5"),
        ["small", "large"],
    )

    assert objects(bucket_b.all()) == bucket.all()
    for key in ("small", "large"):
        assert bucket_b.head(key)["ContentType"] == "text/x-green"
        assert bucket_b.head(key)["Metadata"] == {"colour": "green"}


async def test_metadata_may_stay_behind(
    run_operation: RunOperation, s3_server: S3Server, bucket: Bucket, bucket_b: Bucket
) -> None:
    """With metadata off only the bytes travel."""
    bucket.put("k", b"1", {"colour": "green"})

    await _batch(
        run_operation,
        s3_server.connection("from", bucket.name),
        s3_server.connection("to", bucket_b.name),
        ["k"],
        metadata=False,
    )

    assert bucket_b.head("k")["Metadata"] == {}


async def test_many_keys_are_compared_by_a_listing(
    run_operation: RunOperation, s3_server: S3Server, bucket: Bucket, bucket_b: Bucket
) -> None:
    """Forty keys that lie together are compared with a handful of requests, and rightly: there is no HEAD."""
    keys = [f"in/k-{number:03}" for number in range(40)]
    for key in keys:
        bucket.put(key, b"1")
    marks = s3_server.log_path.stat().st_size

    ran = await _batch(
        run_operation,
        s3_server.connection("from", bucket.name),
        s3_server.connection("to", bucket_b.name),
        [*keys, "in/k-999"],
    )

    said = s3_server.log_path.read_bytes()[marks:].decode()
    assert ran.output["sync"]["synced"] == 40
    assert ran.output["unsettled"] == 1
    assert said.count('"HEAD ') == 0


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ("bucket", "there is no such bucket: make it"),
        ("endpoint", "cannot be reached: look at the endpoint"),
        ("keys", "access keys are refused|wrong keys"),
        ("http", "allow_http=true"),
        ("option", "unknown option colour; known are"),
        ("folder", "no such folder on the executor's host"),
    ],
)
async def test_a_destination_that_refuses_fails_the_batch_with_a_cause(
    run_operation: RunOperation, source: Folder, s3_server: S3Server, bucket: Bucket, what: str, match: str
) -> None:
    """What is wrong, where, and what to do; nothing is listed, nothing copied."""
    source.put("k", b"1")
    good = s3_server.connection("to", bucket.name)
    bad = {
        "bucket": s3_server.connection("to", "no-such-bucket"),
        "endpoint": s3_server.connection("to", bucket.name, endpoint=f"http://127.0.0.1:{free_port()}"),
        "keys": Connection("to", good.url, good.options, {"access_key_id": "AKIA0", "secret_access_key": "wrong"}),
        "http": Connection("to", good.url, {**good.options, "allow_http": "false"}, good.secrets),
        "option": s3_server.connection("to", bucket.name, colour="green"),
        "folder": Connection("to", "file:///no/such/folder"),
    }[what]
    if what == "keys":
        s3_server.strict()

    try:
        with pytest.raises((PermanentFault, TransientFault), match=match) as failure:
            await _batch(run_operation, source.connection("from"), bad, ["k"])
    finally:
        s3_server.lenient()

    assert isinstance(failure.value, TransientFault) is (what == "endpoint")
    assert "'to'" in failure.value.message
    assert bucket.all() == {}


@pytest.mark.parametrize("what", ["bucket", "endpoint"])
async def test_a_source_that_refuses_ends_in_the_list_of_creation_failures(
    run_operation: RunOperation, destination: Folder, s3_server: S3Server, bucket: Bucket, what: str
) -> None:
    """A source as a whole out of reach: each object is listed as not begun, with the cause."""
    name = "no-such-bucket" if what == "bucket" else bucket.name
    options = {"endpoint": f"http://127.0.0.1:{free_port()}"} if what == "endpoint" else {}
    connections = {"from": s3_server.connection("from", name, **options), "to": destination.connection("to")}
    keys = [f"k{number}" for number in range(20)]

    batch = await run_operation(ObjectSyncBatch(), {"keys": keys, "of": OF}, connections=connections)
    with pytest.raises(PermanentFault, match="20 objects could not be synced"):
        await run_operation(
            ObjectSyncFinish(), {"of": OF}, upstreams={"batch": batch.output}, connections=connections, into=batch
        )

    failed = rows(destination.all(), "failed_object_lists/creation_failures")
    assert [row[3] for row in failed] == keys
    assert {row[4] for row in failed} == {"NoSuchBucket" if what == "bucket" else "Unreachable"}


async def test_a_store_that_comes_back_is_waited_for(
    run_operation: RunOperation, source: Folder, tmp_path: Path
) -> None:
    """A server that is down fails the batch as transient; once it is up, the same batch goes through."""
    source.put("k", b"1")
    server = s3.S3Server(tmp_path)
    to = server.connection("to", "late")

    with pytest.raises(TransientFault):
        await _batch(run_operation, source.connection("from"), to, ["k"])
    with server:
        bucket = server.bucket("late")
        await _batch(run_operation, source.connection("from"), to, ["k"])
        assert objects(bucket.all()) == {"k": b"1"}


async def test_a_store_that_stalls_is_tried_again(
    run_operation: RunOperation, destination: Folder, tmp_path: Path
) -> None:
    """A server that stands still for longer than its time-out costs time, not objects."""
    with s3.running(tmp_path) as server:
        bucket = server.bucket("stalls")
        keys = [f"k{number}" for number in range(20)]
        for key in keys:
            bucket.put(key, key.encode())
        source = server.connection("from", bucket.name, timeout_seconds="1")
        server.pause()
        asyncio.get_running_loop().call_later(1.5, server.resume)

        ran = await _batch(run_operation, source, destination.connection("to"), keys)

    assert ran.output["sync"]["synced"] == 20
    assert objects(destination.all()) == {key: key.encode() for key in keys}


async def test_keys_that_may_not_write_fail_with_a_cause(
    run_operation: RunOperation, source: Folder, tmp_path: Path
) -> None:
    """A user who may list and not write: the batch says which list it could not write, and why."""
    source.put("k", b"1")
    with s3.running(tmp_path) as server:
        bucket = server.bucket("closed")
        iam = server.client("iam")
        iam.create_user(UserName="reader")
        iam.put_user_policy(
            UserName="reader",
            PolicyName="read",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": ["s3:List*", "s3:Get*"], "Resource": "*"}],
                }
            ),
        )
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        good = server.connection("to", bucket.name)
        keys = {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
        server.strict()

        with pytest.raises(PermanentFault, match=r"cannot be written: destination 'to'.* no permission") as failure:
            await _batch(
                run_operation, source.connection("from"), Connection("to", good.url, good.options, keys), ["k"]
            )

        server.lenient()
        assert bucket.all() == {}
    assert failure.value.detail["done"] == {"synced": 0, "bytes": 0, "ignored": 0, "unsettled": 1}
    assert keys["secret_access_key"] not in failure.value.message
