"""What nobody can carry out is set aside with its reason, answered where that is possible, and blocks nothing (B21)."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from services.api.access import Role
from services.api.rest.shapes_set_aside import BusAnswer, SetAsideList
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import api as jetstream
from shared.store.kv import Bucket
from shared.task.plan import TypeCard
from tests.integration.api.harness import ServedApi, plan
from tests.integration.bus.producer import Producer, producer
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps(plan()).encode()
LARGE = json.dumps({**plan(), "labels": {"x": "y" * 210_000}}).encode()


async def newest(api: ServedApi) -> dict[str, Any]:
    """What was set aside last on the bus."""
    answer = await api.admin.get("/api/v2/set-aside", params={"source": "bus", "size": 1})
    assert answer.status_code == 200, answer.text
    SetAsideList.model_validate_json(json.dumps(answer.json()["data"]))  # nothing that is not documented
    found = answer.json()["data"]["contents"]
    return found[0] if found else {"seq": 0}


async def still_works(sender: Producer, api: ServedApi) -> None:
    """The next command is decided, and no message is left in the stream."""
    assert (await sender.ask("create", plan(name="after the poison")))["status"] == 201

    async def none() -> bool:
        return int((await jetstream(api.nats, f"STREAM.INFO.{subjects.COMMANDS}"))["state"]["messages"]) == 0

    await eventually(none)


@pytest.mark.parametrize(
    ("word", "body", "reason", "status"),
    [
        ("create", b"{", "bad_json", 400),
        ("create", b"", "bad_json", 400),
        ("create", b'\xef\xbb\xbf{"a":1}', "bad_json", 400),
        ("create", b'{"type":"a","type":"b"}', "bad_json", 400),
        ("create", b'{"a":NaN}', "bad_json", 400),
        ("create", b"[" * 40 + b"]" * 40, "bad_json", 400),
        ("create", b"0", "invalid", 422),
        ("create", b'{"type":"no.such.type"}', "invalid", 422),
        ("create", b'{"plan":{"subtasks":[]}}', "invalid", 400),
        ("create", json.dumps({**plan(), "creator": "admin"}).encode(), "invalid", 422),
        ("create", LARGE, "too_large", 413),
        ("retry", b"{}", "invalid", 422),
        ("retry", b'{"task":"1"}', "invalid", 422),
        ("retry", b'{"task":1e0}', "invalid", 422),
        ("retry", b'{"task":9223372036854775807}', "invalid", 422),
        ("retry", b'{"task":1,"force":true}', "invalid", 422),
        ("retry", b'{"task":1,"reason":"\\u202e"}', "invalid", 422),
        ("delete", b'{"task":1,"subtask":10001}', "invalid", 422),
        ("explode", GOOD, "unknown_command", 404),
    ],
)
async def test_signed_nonsense(api: ServedApi, word: str, body: bytes, reason: str, status: int) -> None:
    """It comes from somebody we know, and nobody can carry it out."""
    sender = await producer(api)
    answer = await sender.ask(word, body)
    assert answer["status"] == status, answer
    assert answer["error"]["message"]
    found = await newest(api)
    assert (found["reason"], found["subject"], found["size"]) == (reason, f"commands.{word}", len(body))
    assert "Authorization" not in found["headers"]
    await still_works(sender, api)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"without": ("Authorization",)}, "unsigned"),
        ({"Authorization": "Bearer ol_0123456789ab_secret"}, "unsigned"),
        ({"Authorization": "OPSLEDGER-HMAC-SHA256 olk_1:!!"}, "unsigned"),
        ({"Authorization": "OPSLEDGER-HMAC-SHA256 olk_1:" + "A" * 43 + "="}, "unknown_producer"),
        ({"Date": now().isoformat()}, "bad_signature"),
        ({"without": ("Date",)}, "bad_signature"),
        ({"Idempotency-Key": "another"}, "bad_signature"),
        ({"date": (now() - timedelta(minutes=16)).isoformat()}, "stale"),
        ({"date": (now() + timedelta(hours=3)).isoformat()}, "stale"),
        ({"date": "2026-02-30T00:00:00Z"}, "stale"),
        ({"date": "2026-11-21T00:00:00"}, "stale"),
    ],
)
async def test_strangers_get_one_answer(api: ServedApi, how: dict[str, Any], reason: str) -> None:
    """Unsigned, unknown, forged and late messages are answered alike; administrators see which it was."""
    sender = await producer(api)
    answer = await sender.ask("create", GOOD, **how)
    assert (answer["status"], answer["error"]["code"]) == (401, 3000)
    assert answer["error"]["message"].startswith("Sign the message")
    assert (await newest(api))["reason"] == reason
    await still_works(sender, api)


async def test_a_forged_body_is_not_carried_out(api: ServedApi) -> None:
    """The signature covers the body and the subject."""
    sender, other = await producer(api), await producer(api)
    forger = Producer(api.nats, sender.access_key, other.secret)
    assert (await forger.ask("create", GOOD))["status"] == 401
    assert (await newest(api))["message"].startswith("not what task_manager-")


async def test_a_key_that_is_none(api: ServedApi) -> None:
    """422, as over REST."""
    sender = await producer(api)
    answer = await sender.ask("create", GOOD, key="k" * 129)
    assert (answer["status"], "key" in answer) == (422, False)
    assert (await newest(api))["reason"] == "bad_key"


@pytest.mark.parametrize(
    "address",
    [
        "$JS.API.STREAM.DELETE.TASKS",
        "$JS.ACK.COMMANDS.x.1.2.3.4.5",
        "$KV.access.user/admin",
        "tasks.999999999",
        "work.default.1.0.1-1",
        "commands.create",
        "results.999999999",
        "_INBOX.>",
        "_INBOX.*.x",
        "_INBOX..x",
        "_INBOX",
        "_INBOX." + "x" * 300,
        "nudge.x",
    ],
)
async def test_an_answer_goes_to_inboxes_alone(api: ServedApi, address: str) -> None:
    """A producer cannot have us write where it may not itself (T29); the command is carried out all the same."""
    sender = await producer(api)
    names = (subjects.TASKS, subjects.WORK, subjects.COMMANDS, "KV_access")
    before = [(await jetstream(api.nats, f"STREAM.INFO.{name}"))["state"]["last_seq"] for name in names]
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    async with sender.inbox("results.*") as results:
        spy = await api.nats.subscribe(">" if address.startswith("_INBOX") else address, cb=hear)
        await api.nats.flush()
        await sender.send("create", plan(), key=f"spy-{address[:60]}", reply_to=address)
        assert (await results.next())["status"] == 201
        await spy.unsubscribe()
    assert heard.count(address) == (address == "commands.create")  # the producer's own message
    after = [(await jetstream(api.nats, f"STREAM.INFO.{name}"))["state"]["last_seq"] for name in names]
    assert (after[0], after[2], after[3]) == (before[0] + 1, before[2] + 1, before[3])


@pytest.mark.parametrize(
    "head",
    [
        b"NATS/1.0 404 No Messages\r\n\r\n",
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
        b"NATS/1.0 \xff\xfe\xfd \xff\r\n\r\n",
        b"NATS/1.0 404 \xff\xfe\r\n\xff: \xff\r\n\r\n",
        b"NATS/1.0\r\nAuthorization: \xff\xfe\r\n\r\n",
        b"NATS/1.0\r\n\xff\xfe: x\r\n\r\n",
        b"NATS/1.0\r\nno colon at all\r\n\r\n",
        b"NATS/1.0\r\nDate: a\r\nDate: b\r\n\r\n",
        b"NATS/1.0\r\nNats-Pending-Messages: 9999\r\n\r\n",
        b"NATS/1.0\r\nIdempotency-Key: " + b"k" * 60_000 + b"\r\n\r\n",
        b"NATS/1.0\r\nreply_to: tasks.1\r\nreply_to: _INBOX.x\r\n\r\n",
    ],
)
async def test_headers_as_nobody_writes_them(api: ServedApi, head: bytes) -> None:
    """Put on the wire by hand: they neither pass for the server's own words nor stop the intake."""
    sender, before = await producer(api), (await newest(api))["seq"]
    await raw_publish(api.settings.nats_url, subjects.command("create"), head, GOOD)
    await eventually(lambda: _newer(api, before))
    assert (await newest(api))["reason"] == "unsigned"
    await still_works(sender, api)


async def _newer(api: ServedApi, seq: int) -> bool:
    return int((await newest(api))["seq"]) > seq


async def raw_publish(url: str, subject: str, head: bytes, body: bytes) -> None:
    """Publish with a header block that no client library would send."""
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    login = {"user": unquote(at.username or ""), "pass": unquote(at.password or ""), "headers": True, "verbose": False}
    await reader.readline()
    size = f"{len(head)} {len(head) + len(body)}"
    writer.write(f"CONNECT {json.dumps(login)}\r\nHPUB {subject} {size}\r\n".encode() + head + body + b"\r\nPING\r\n")
    async with asyncio.timeout(5):
        while (line := await reader.readline()) != b"PONG\r\n":
            assert not line.startswith(b"-ERR"), line
    writer.close()
    await writer.wait_closed()


async def test_a_flood_of_nonsense_is_worked_off(api: ServedApi) -> None:
    """Each is taken once, stored once and acknowledged: no storm (T21)."""
    sender = await producer(api)
    before = (await jetstream(api.nats, "STREAM.INFO.SET-ASIDE"))["state"]["messages"]
    async with sender.inbox("results.*") as results:
        for _ in range(300):
            await api.nats.publish(subjects.command("create"), b"{")
        for _ in range(300):
            assert (await results.next())["status"] == 401
        await still_works(sender, api)
    after = (await jetstream(api.nats, "STREAM.INFO.SET-ASIDE"))["state"]["messages"]
    assert after - before == 300


async def test_replay_and_discard(api: ServedApi) -> None:
    """What can be decided now is decided and answered, and leaves the list; the rest stays until it is discarded."""
    sender = await producer(api)
    assert (await sender.ask("create", {"type": "later", "params": {}}, key="later"))["status"] == 422
    seq = (await newest(api))["seq"]
    path = f"/api/v2/set-aside/{seq}"
    again = await api.admin.post(f"{path}/replay")
    assert (again.status_code, again.json()["error"]["target"]["reason"]) == (422, "invalid")
    card = TypeCard(name="later").model_dump_json().encode()
    await Bucket(api.nats, subjects.CATALOG).put(subjects.card("type", "later", "default"), card)
    await eventually(lambda: _on_offer(api, "later"))
    async with sender.inbox("results.*") as results:
        answer = (await api.admin.post(f"{path}/replay")).json()["data"]
        BusAnswer.model_validate(answer)
        assert (answer["status"], answer["key"]) == (201, "later")
        assert (await results.next())["task"] == answer["task"]
    assert (await api.admin.post(f"{path}/replay")).status_code == 404
    repeated = await sender.ask("create", {"type": "later", "params": {}}, key="later")
    assert (repeated["task"], repeated["replayed"]) == (answer["task"], True)

    await sender.ask("create", b"{")
    path = f"/api/v2/set-aside/{(await newest(api))['seq']}"
    assert (await api.admin.delete(path)).status_code == 200
    assert (await api.admin.delete(path)).status_code == 404
    for nothing in ("x", "0", "-1", "9" * 18, "9" * 30):
        assert (await api.admin.post(f"/api/v2/set-aside/{nothing}/replay")).status_code == 404
        assert (await api.admin.delete(f"/api/v2/set-aside/{nothing}")).status_code == 404


async def _on_offer(api: ServedApi, name: str) -> bool:
    return (await api.admin.get(f"/api/v2/task-types/{name}")).status_code == 200


async def test_a_large_message_is_kept_in_part_and_not_replayed(api: ServedApi) -> None:
    """Its beginning is shown; it could not be carried out anyway."""
    sender = await producer(api)
    await sender.ask("create", LARGE)
    found = await newest(api)
    assert (found["size"], found["replayable"]) == (len(LARGE), False)
    assert (await api.admin.post(f"/api/v2/set-aside/{found['seq']}/replay")).status_code == 400


async def test_the_list_is_paged_and_for_administrators(api: ServedApi) -> None:
    """Newest first, across discarded ones; a manager sees nothing of it."""
    sender = await producer(api)
    for _ in range(40):
        await sender.ask("create", b"{")
    top = (await newest(api))["seq"]
    for seq in range(top - 30, top - 5):
        assert (await api.admin.delete(f"/api/v2/set-aside/{seq}")).status_code == 200
    where: dict[str, str | int] = {"source": "bus", "size": 10}
    first = (await api.admin.get("/api/v2/set-aside", params=where)).json()["data"]["contents"]
    assert [one["seq"] for one in first] == [*range(top, top - 6, -1), *range(top - 31, top - 35, -1)]
    second = await api.admin.get("/api/v2/set-aside", params={**where, "before": first[-1]["seq"]})
    assert second.json()["data"]["contents"][0]["seq"] == first[-1]["seq"] - 1
    assert (await api.admin.get("/api/v2/set-aside", params={"source": "x"})).status_code == 400
    manager = await api.bearer(Role.TASK_MANAGER)
    assert (await manager.get("/api/v2/set-aside")).status_code == 403
