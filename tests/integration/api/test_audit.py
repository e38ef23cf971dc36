"""The audit over REST: who may read it, what it shows, and whether a history is what was written."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

import pytest

from services.api.access import Role
from services.api.rest.schemas import Answer
from services.api.rest.shapes_audit import AuditPage, ChainShape
from shared.messages import headers, subjects
from shared.runtime.clock import commit_id, now
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
AUDIT = "/api/v2/audit"


async def entries(api: ServedApi, **query: Any) -> list[dict[str, Any]]:
    """What the audit shows of a query, held against its shape."""
    answer = await api.admin.get(AUDIT, params={"min_seq": await api.last_seq(), **query})
    assert answer.status_code == 200, answer.text
    Answer[AuditPage].model_validate_json(answer.content)
    found: list[dict[str, Any]] = answer.json()["data"]["contents"]
    return found


async def test_accepted_and_refused_commands_are_there_with_their_reasons(api: ServedApi) -> None:
    """Who, what, when, why and the answer; an executor's claim is not a decision of anybody's."""
    task = await api.create(plan("a", name="Audited"))
    one = f"{INSTANCES}/{task['id']}"
    await api.claim(task["id"], 1)
    await api.admin.post(f"{one}/retry", json={"reason": "too early"})
    await api.admin.post(f"{one}/subtasks/{task['subtasks'][0]['id']}/cancel", json={"reason": "enough"})

    cancel, retry, create = await entries(api, task=task["id"])

    assert [entry["command"] for entry in (cancel, retry, create)] == ["subtask.cancel", "retry", "create"]
    assert (cancel["subtask"], cancel["reason"], cancel["outcome"]) == (task["subtasks"][0]["id"], "enough", "accepted")
    assert (retry["outcome"], retry["error"]["code"], retry["reason"]) == ("refused", 4007, "too early")
    assert create["by"] == {"kind": "user", "name": "admin", "via": "rest"}
    assert {entry["taskName"] for entry in (cancel, retry, create)} == {"Audited"}


async def test_filters_and_pages(api: ServedApi) -> None:
    """By words, time and text; pages follow each other by `next`."""
    tasks = [await api.create(plan("a")) for _ in range(5)]
    reason = f"maintenance {tasks[0]['id']}"
    for task in tasks:
        await api.admin.post(f"{INSTANCES}/{task['id']}/cancel", json={"reason": reason})

    found = await entries(api, text=reason.upper(), command="cancel", outcome="accepted", by="admin", via="rest")
    assert [entry["task"] for entry in found] == [task["id"] for task in reversed(tasks)]
    soon = (now() + timedelta(hours=1)).isoformat()
    assert await entries(api, text=reason, **{"from": soon}) == []
    assert len(await entries(api, text=reason, to=soon.replace("+", " "))) == 5

    paged, after = [], None
    while True:
        query: dict[str, Any] = {"text": reason, "size": 2} | ({"after": after} if after else {})
        data = (await api.admin.get(AUDIT, params=query)).json()["data"]
        paged += data["contents"]
        after = data["next"]
        if after is None:
            break
    assert paged == found


@pytest.mark.parametrize(
    "query",
    [
        {"outcome": "maybe"},
        {"task": "x"},
        {"from": "yesterday"},
        {"to": "2026-13-01"},
        {"after": "7"},
        {"after": "1.x"},
        {"size": "0"},
        {"size": "1001"},
        {"text": "\0"},
    ],
)
async def test_what_is_not_understood_is_400(api: ServedApi, query: dict[str, str]) -> None:
    """It names the parameter."""
    error = refused(await api.admin.get(AUDIT, params=query), 400, 1001)
    assert error["target"]["parameter"] == next(iter(query))


async def test_only_who_may_audit_reads_it(api: ServedApi) -> None:
    """An auditor and an admin; nobody else (S2)."""
    for role in Role:
        client = await api.bearer(role)
        wanted = 200 if role in {Role.AUDIT_VIEWER, Role.ADMIN} else 403
        for path in (AUDIT, f"{AUDIT}/verify?task={(await api.create(plan('a')))['id']}"):
            assert (await client.get(path)).status_code == wanted


async def test_a_chain_that_holds_says_so_and_a_commit_put_in_is_named(api: ServedApi) -> None:
    """The task's history from the log, with the view as witness of its end."""
    task = await api.create(plan("a"))
    await api.finish(task["id"], 1)
    seen = await api.last_seq()
    await entries(api, task=task["id"])

    answer = await api.admin.get(f"{AUDIT}/verify", params={"task": task["id"]})
    chain = Answer[ChainShape].model_validate_json(answer.content).data
    assert (chain.whole, chain.commits, chain.seq, chain.witnessed, chain.broken) == (True, 3, seen, seen, [])

    first = (await api.log.history(task["id"]))[0]
    forged = json.loads(first.body)
    forged["decisions"][0]["by"]["name"] = "eve"
    found = headers.of_commit(commit_id(), task["id"], 0)
    del found[headers.EXPECTED]
    ack = await api.nats.jetstream().publish(subjects.task(task["id"]), json.dumps(forged).encode(), headers=found)

    answer = await api.admin.get(f"{AUDIT}/verify", params={"task": task["id"]})
    chain = Answer[ChainShape].model_validate_json(answer.content).data
    assert not chain.whole
    assert [broken.seq for broken in chain.broken] == [ack.seq]


async def test_verify_needs_a_task_that_is_there(api: ServedApi) -> None:
    """Without one 400, with one that does not exist 404."""
    refused(await api.admin.get(f"{AUDIT}/verify"), 400, 1001)
    refused(await api.admin.get(f"{AUDIT}/verify", params={"task": 2**39}), 404, 4001)


async def test_the_job_follows_the_whole_log_and_names_the_first_broken_link(api: ServedApi) -> None:
    """Exit code 1 and the sequence, for a cron job to shout about."""
    task = await api.create(plan("a"))
    found = headers.of_commit(commit_id(), task["id"], 0)
    del found[headers.EXPECTED]
    ack = await api.nats.jetstream().publish(subjects.task(task["id"]), b"{}", headers=found)
    await entries(api, task=task["id"])

    job = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.api",
        "audit-verify",
        env={
            **os.environ,
            "OPSLEDGER_NATS_URL": api.settings.nats_url,
            "OPSLEDGER_DATABASE_URL": api.settings.database_url,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await job.communicate()

    assert job.returncode == 1, errors
    told = json.loads(output.splitlines()[-1])
    assert told["broken"] >= 1
    assert told["first"] <= ack.seq
    assert f"sequence {ack.seq}, task {task['id']}: it cannot be read".encode() in errors
