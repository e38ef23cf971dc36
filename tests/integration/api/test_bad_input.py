"""The table of bad input (reliability page §8): each gets its answer, and nothing of it is stored."""

import asyncio
import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from services.api.access import Role
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps(plan()).encode()


def raw(value: Any) -> bytes:
    """A body."""
    return json.dumps(value).encode()


def subtask(**more: Any) -> bytes:
    """A body with one subtask."""
    return raw({"plan": {"subtasks": [{"key": "a", "operation": "noop", **more}]}})


def deep(levels: int) -> bytes:
    """A plan whose parameters are nested so deep."""
    return GOOD.replace(b'"noop"', b'"noop","params":' + b'{"a":' * levels + b"1" + b"}" * levels)


@dataclass
class Case:
    """What is sent, and what comes back."""

    name: str
    status: int
    code: int | None = 1001
    body: bytes | None = GOOD
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = INSTANCES
    pointer: str | None = None


JSON = {"Content-Type": "application/json"}
MANY = [{"key": str(number), "operation": "noop"} for number in range(5001)]
CASES = [
    Case("B3 declared too large", 413, 1004, b"x" * (4 * 1024 * 1024 + 1)),
    Case("B5 key too long", 422, headers={"Idempotency-Key": "k" * 129}),
    Case("B5 key empty", 422, headers={"Idempotency-Key": ""}),
    Case("B5 key with a tab", 422, headers={"Idempotency-Key": "a\tb"}),
    Case("B6 broken", 400, body=b"{"),
    Case("B6 empty", 400, body=b""),
    Case("B6 duplicate key", 400, body=GOOD.replace(b'"noop"', b'"noop","key":"b"')),
    Case("B6 NaN", 400, body=GOOD.replace(b'"noop"', b'"noop","timeout":NaN')),
    Case("B6 Infinity", 400, body=GOOD.replace(b'"noop"', b'"noop","timeout":Infinity')),
    Case("B6 1e999", 400, body=GOOD.replace(b'"noop"', b'"noop","timeout":1e999')),
    Case("B6 too deep", 400, body=deep(40)),
    Case("B6 very deep", 400, body=deep(20_000)),
    Case("B6 lone surrogate", 400, body=raw(plan(name="\ud800"))),
    Case("B6 byte order mark", 400, body=b"\xef\xbb\xbf" + GOOD),
    Case("B6 not UTF-8", 400, body=raw(plan(name="~~")).replace(b"~~", b"\xff\xfe")),
    Case("B6 UTF-16", 400, body=GOOD.decode().encode("utf-16")),
    Case("B6 huge integer", 400, body=GOOD.replace(b'"noop"', b'"noop","params":{"n":' + b"9" * 400 + b"}")),
    Case("B6 an array", 422, body=b"[]"),
    Case("B6 a text", 422, body=b'"plan"'),
    Case("B6 null", 400, body=b"null"),
    Case("B7 status", 422, body=raw(plan(status="SUCCESSFUL")), pointer="/status"),
    Case("B7 creator", 422, body=raw(plan(created_by="root")), pointer="/created_by"),
    Case("B7 id", 422, body=raw(plan(id=1)), pointer="/id"),
    Case("B7 in a subtask", 422, body=subtask(state="READY"), pointer="/plan/subtasks/0/state"),
    Case("B7 in the object", 422, body=raw(plan(object={"kind": "a", "name": "b", "x": 1})), pointer="/object/x"),
    Case("B8 unknown type", 422, body=raw({"type": "nope"}), pointer="/type"),
    Case("B8 unknown operation", 422, body=subtask(operation="nope"), pointer="/plan/subtasks/0/operation"),
    Case("B8 type's parameter", 422, body=raw({"type": "greeting", "params": {"name": 1}}), pointer="/params/name"),
    Case("B8 stranger", 422, body=raw({"type": "greeting", "params": {"name": "a", "b": 1}}), pointer="/params"),
    Case(
        "B8 operation's parameter",
        422,
        body=subtask(operation="greet", params={"name": {"$gt": ""}}),
        pointer="/plan/subtasks/0/params/name",
    ),
    Case("B8 type is a number", 422, body=raw({"type": 7}), pointer="/type"),
    Case("B8 type is a path", 422, body=raw({"type": "../../x"}), pointer="/type"),
    Case("B9 no subtasks", 400, 4003, raw({"plan": {"subtasks": []}})),
    Case(
        "B9 too many",
        400,
        4003,
        raw({"plan": {"subtasks": MANY}}),
    ),
    Case("B9 self edge", 400, 4003, subtask(upstreams=["a"])),
    Case("B9 missing upstream", 400, 4003, subtask(upstreams=["b"])),
    Case("B9 duplicate key", 400, 4003, raw({"plan": {"subtasks": [{"key": "a", "operation": "noop"}] * 2}})),
    Case(
        "B9 cycle",
        400,
        4003,
        raw(
            {
                "plan": {
                    "subtasks": [
                        {"key": "a", "operation": "noop", "upstreams": ["b"]},
                        {"key": "b", "operation": "noop", "upstreams": ["a"]},
                    ]
                }
            }
        ),
    ),
    Case("B10 name too long", 422, body=raw(plan(name="n" * 10_000)), pointer="/name"),
    Case("B10 name with direction override", 422, body=raw(plan(name="a\u202eb")), pointer="/name"),
    Case("B10 name with NUL", 422, body=raw(plan(name="a\0b")), pointer="/name"),
    Case("B10 name with a new line", 422, body=raw(plan(name="a\nb")), pointer="/name"),
    Case("B10 blank name", 422, body=raw(plan(name="   ")), pointer="/name"),
    Case("B10 label with a control", 422, body=raw(plan(labels={"a": "\x1b[31m"})), pointer="/labels/a"),
    *(
        Case(f"B11 {name}", 404, 4001 if code else 1002, None, {}, "GET", f"{INSTANCES}/{given}")
        for name, given, code in (
            ("wildcard", "t.*", True),
            ("greater", "%3E", True),
            ("long", "9" * 5000, True),
            ("SQL", "1'%20OR%201=1", True),
            ("negative", "-1", True),
            ("float", "1.0", True),
            ("too large", str(2**63), True),
            ("up", "..%2F..%2Fetc%2Fpasswd", False),
        )
    ),
    *(
        Case(f"B15 {query}", 400, 1011 if "sort" in query else 1001, None, {}, "GET", f"{INSTANCES}?{query}")
        for query in (
            "size=-1",
            "size=1000000000",
            "size=2001",
            "page=0",
            "page=1e3",
            "sort=password",
            "sort=id;drop",
            "status=DONE",
            "state=x",
            "type=x",
            "min_seq=-1",
            "min_seq=abc",
            "name=%00",
        )
    ),
    Case("B15 history size", 400, 1001, None, {}, "GET", f"{INSTANCES}/1/events?size=0"),
    Case("B15 history cursor", 400, 1001, None, {}, "GET", f"{INSTANCES}/1/events?after=x"),
    *(
        Case(f"B17 timeout {value!r}", 422, 1001, subtask(timeout=value), pointer="/plan/subtasks/0/timeout")
        for value in (0, -1, 1e308, "60", "2026-02-30", True)
    ),
    Case(
        "B17 retry delay",
        422,
        body=subtask(retry={"times": 1, "delay_seconds": -5}),
        pointer="/plan/subtasks/0/retry/delay_seconds",
    ),
    Case("B18 form", 415, 1005, headers={"Content-Type": "application/x-www-form-urlencoded"}),
    Case("B18 text", 415, 1005, headers={"Content-Type": "text/plain"}),
    Case("B18 XML", 415, 1005, b"<a/>", headers={"Content-Type": "application/xml"}),
    Case("B18 gzip bomb", 415, 1005, gzip.compress(b" " * 10_000_000), headers={**JSON, "Content-Encoding": "gzip"}),
    Case("B18 unknown coding", 415, 1005, headers={**JSON, "Content-Encoding": "br, gzip"}),
    Case("B22 a log by path", 404, None, None, {}, "GET", f"{INSTANCES}/1/subtasks/..%2f..%2fetc%2fpasswd/log"),
    Case("B22 an asset by path", 404, 1002, None, {}, "GET", "/docs/assets/..%2f..%2fpyproject.toml"),
    *(
        Case(f"B23 {method} {path}", 405, 1003, None, {}, method, path)
        for method, path in (
            ("PUT", INSTANCES),
            ("DELETE", INSTANCES),
            ("PATCH", f"{INSTANCES}/1"),
            ("POST", f"{INSTANCES}/1/events"),
            ("OPTIONS", INSTANCES),
            ("TRACE", f"{INSTANCES}/1"),
            ("POST", "/health/ready"),
        )
    ),
    Case(
        "B23 override header",
        405,
        1003,
        None,
        {"X-HTTP-Method-Override": "GET"},
        "PUT",
        INSTANCES,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_bad_input_is_refused_and_leaves_nothing(api: ServedApi, case: Case) -> None:
    """The status and code of the table, an envelope without a trace of ours, and a log that has not moved."""
    before = await api.last_seq()
    headers = {**JSON, **case.headers} if case.body is not None else case.headers
    answer = await api.admin.request(case.method, case.path, content=case.body, headers=headers)

    error = refused(answer, case.status, case.code)
    if case.pointer is not None:
        assert error["target"]["pointer"] == case.pointer
        assert error["subErrors"][0]["field"] == case.pointer
    assert await api.last_seq() == before


async def test_head_is_not_allowed_either(api: ServedApi) -> None:
    """405 without a body, as HEAD has none (B23)."""
    answer = await api.admin.head(INSTANCES)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_a_chunked_body_is_cut_at_the_limit(api: ServedApi) -> None:
    """Without a length the limit holds all the same, and the connection is closed (B3)."""
    before = await api.last_seq()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    credential = httpx2.BasicAuth("admin", "correct horse")._auth_header  # the header alone is wanted
    head = f"POST {INSTANCES} HTTP/1.1\r\nHost: x\r\nAuthorization: {credential}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    piece = b"x" * 65_536

    async def pour() -> None:
        for _ in range(80):
            writer.write(b"10000\r\n" + piece + b"\r\n")
            await writer.drain()

    pouring = asyncio.create_task(pour())
    status = await asyncio.wait_for(reader.readline(), 10)
    headers = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    await asyncio.gather(pouring, return_exceptions=True)
    writer.close()

    assert b" 413 " in status
    assert b"connection: close" in headers.lower()
    assert await api.last_seq() == before


async def test_markup_is_kept_as_text(api: ServedApi) -> None:
    """Names with markup, emoji and foreign letters are stored and come back as they are (B10)."""
    for name in ("<script>alert(1)</script>", "名前 😀", "Ünïcödé & 'quotes' \"double\"", "=HYPERLINK(1)"):
        task = await api.create(plan(name=name))
        assert task["name"] == name
        answer = await api.admin.get(f"{INSTANCES}/{task['id']}")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_filter_text_is_literal(api: ServedApi) -> None:
    """Wildcards and quotes match themselves (B16)."""
    task = await api.create(plan(name="50%_done"))
    where = {"min_seq": task["logSeq"]}
    for text, found in (("50%_d", 1), ("50__done", 0), ("%", 1), ("' OR '1'='1", 0), ("\\", 0)):
        answer = await api.admin.get(INSTANCES, params={**where, "name": text})
        assert answer.json()["data"]["page"]["totalElements"] == found, text


async def test_all_strangers_get_the_same_answer(api: ServedApi) -> None:
    """Missing, malformed, unknown, wrong and expired credentials cannot be told apart (B1)."""
    before = await api.last_seq()
    expired = await api.bearer(Role.ADMIN, days=-1)
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer ol_000000000000_nothing"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": "Negotiate abc"},
        {"Authorization": str(expired.headers["Authorization"])},
        {"X-Actor": "admin", "X-Forwarded-User": "admin"},
    ]
    bodies = set()
    async with api.client() as stranger:
        for header in headers:
            for method, path in (("GET", INSTANCES), ("POST", INSTANCES), ("GET", "/nope"), ("GET", "/docs")):
                answer = await stranger.request(method, path, headers=header)
                error = refused(answer, 401, 3000)
                assert answer.headers["www-authenticate"].startswith("Basic ")
                bodies.add(json.dumps(error, sort_keys=True))
        wrong = await stranger.get(INSTANCES, auth=("admin", "wrong"))
        bodies.add(json.dumps(refused(wrong, 401, 3000), sort_keys=True))
        unknown = await stranger.get(INSTANCES, auth=("nobody", "wrong"))
        bodies.add(json.dumps(refused(unknown, 401, 3000), sort_keys=True))
    assert len(bodies) == 1
    assert await api.last_seq() == before


async def test_roles_open_what_they_grant(api: ServedApi) -> None:
    """Viewers read and cannot write; managers can do both (B2, S2)."""
    viewer, manager = await api.bearer(Role.TASK_VIEWER), await api.bearer(Role.TASK_MANAGER)
    before = await api.last_seq()
    reads = (
        "/api/v2/task-types",
        "/api/v2/operations",
        INSTANCES,
        "/health/ready",
        "/metrics",
        "/docs",
        "/openapi.json",
    )
    for client in (viewer, manager):
        for path in reads:
            assert (await client.get(path)).status_code == 200, path
    refused(await viewer.post(INSTANCES, json=plan()), 403, 3100)
    refused(await viewer.post(INSTANCES, content=b"{"), 403, 3100)
    assert await api.last_seq() == before
    assert (await manager.post(INSTANCES, json=plan())).status_code == 201


async def test_a_body_without_a_content_type_is_json(api: ServedApi) -> None:
    """Real clients often send none (specification §2.1)."""
    answer = await api.admin.post(INSTANCES, content=GOOD)
    assert answer.status_code == 201
    answer = await api.admin.post(INSTANCES, content=GOOD, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 201
