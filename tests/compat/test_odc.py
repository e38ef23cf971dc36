"""ODC's words for what runs scripts: its five statuses, its columns, its results, and what may be done when.

Written from ODC's published documents (seed 001) and its enumerations; the test plays the executor.
"""

import json
from typing import Any

import pytest
import pytest_asyncio

from shared.messages import subjects
from shared.runtime.clock import now
from shared.store.kv import Bucket
from shared.store.objects import Results
from shared.task import commands as cmd
from shared.task.events import Problem
from shared.task.plan import OperationCard, Plan, SubtaskPlan, TypeCard, freeze
from tests.compat import scenes, wire
from tests.integration.api.harness import INSTANCES, ServedApi, refused
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARAMS = {"connection": "shop", "sql": "SELECT 1"}
RECORDS = [{"index": 3, "sql": "SELEC 1", "error": "syntax error"}]
DONE: dict[str, Any] = {
    "kind": "sql",
    "dialect": "sqlite",
    "connection": "shop",
    "statements": 3,
    "success": 2,
    "failure": 1,
    "records": RECORDS,
    "results": [],
    "durationMs": 5,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def offered(api: ServedApi) -> None:
    """The task types that ODC knows are on offer."""
    bucket = Bucket(api.nats, subjects.CATALOG)
    for name in ("sql.script", "data.mock"):
        card = TypeCard(name=name, params_schema={"type": "object"})
        await bucket.put(f"type/{name}/default", card.model_dump_json().encode())
    known = api.gate._app.state.api.catalog
    await eventually(lambda: {"sql.script", "data.mock"} <= set(known.types))


async def script(api: ServedApi, until: str, outcome: cmd.Outcome | None = None, type_: str = "sql.script") -> int:
    """The id of a script's task that has come as far as `until` says: preparing, ready, running, ended."""
    task = int((await api.create({"type": type_, "params": PARAMS, "name": "Nightly"}))["id"])
    if until == "preparing":
        return task
    nodes = freeze(Plan(subtasks=[SubtaskPlan(key="execute", operation="noop")]), {"noop": OperationCard(name="noop")})
    await api.act(task, cmd.RecordPlan("p", nodes, now()))
    if until == "running":
        await api.claim(task, 1)
    if until == "ended":
        await api.finish(task, 1, outcome or cmd.Succeeded(DONE))
    return task


def failed(kind: str = "SQL_FAILED", detail: dict[str, Any] | None = None) -> cmd.Failed:
    """How a script ends under ABORT."""
    return cmd.Failed(Problem(kind=kind, message="a statement failed", detail=detail), retryable=False)


async def cancelled(api: ServedApi) -> int:
    """The id of a task that somebody aborted."""
    task = await script(api, "ready")
    wire.data(await api.admin.post(f"{INSTANCES}/{task}/cancel"))
    return task


async def one_of_each(api: ServedApi) -> dict[str, int]:
    """A task in every status of ODC."""
    return {
        "Preparing": await script(api, "preparing"),
        "Running": await script(api, "running"),
        "Aborted": await cancelled(api),
        "Completed": await script(api, "ended"),
        "Failed": await script(api, "ended", failed()),
    }


async def test_the_list_has_odc_s_columns(api: ServedApi) -> None:
    """Connection, task name, created at, status and actions, beside everything else; nobody else sees them."""
    tasks = await one_of_each(api)
    rows = {row["id"]: row for row in (await scenes.listed(api, dialect="odc", size=2000))["contents"]}
    plain = {row["id"]: row for row in (await scenes.listed(api, size=2000))["contents"]}
    enums = {
        "Preparing": ("PREPARING", "CREATED"),
        "Running": ("RUNNING", "EXECUTING"),
        "Aborted": ("CANCELED", "CANCELLED"),
        "Completed": ("DONE", "EXECUTION_SUCCEEDED"),
        "Failed": ("FAILED", "EXECUTION_FAILED"),
    }
    for status, task in tasks.items():
        row = rows[task]
        assert row["statusLabel"] == status
        columns = row["odc"]
        wire.holds(columns, {"createdAt": wire.moment})
        assert columns == {
            "connection": "shop",
            "taskName": "Nightly",
            "taskType": "ASYNC",
            "createdAt": columns["createdAt"],
            "status": status,
            "taskStatus": enums[status][0],
            "flowStatus": enums[status][1],
            "actions": ["View", "Abort" if status in {"Preparing", "Running"} else "Delete"],
        }
        details = await scenes.shown(api, task, dialect="odc")
        assert (details["odc"], details["params"]["sql"]) == (columns, "SELECT 1")
        assert "odc" not in plain[task]
        assert "odc" not in await scenes.shown(api, task, dialect="oms")


async def test_special_ends_have_their_own_enumerations(api: ServedApi) -> None:
    """A script that took too long failed with EXEC_TIMEOUT; mock data is MOCKDATA; other tasks have no columns."""
    late = await scenes.shown(api, await script(api, "ended", failed("TIMEOUT")), dialect="odc")
    assert [late["odc"][name] for name in ("status", "taskStatus", "flowStatus")] == [
        "Failed",
        "EXEC_TIMEOUT",
        "EXECUTION_EXPIRED",
    ]
    mock = await scenes.shown(api, await script(api, "ready", type_="data.mock"), dialect="odc")
    assert (mock["odc"]["taskType"], mock["odc"]["flowStatus"]) == ("MOCKDATA", "WAIT_FOR_EXECUTION")
    assert "odc" not in await scenes.shown(api, await scenes.created(api), dialect="odc")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("Preparing", "PREPARING", "preparing"), "Preparing"),
        (("Running", "RUNNING", "EXECUTING"), "Running"),
        (("Aborted", "CANCELED", "CANCELLED", "aborted"), "Aborted"),
        (("Completed", "DONE", "COMPLETED", "EXECUTION_SUCCEEDED", "SUCCESSFUL"), "Completed"),
        (("Failed", "FAILED", "EXECUTION_FAILED", "EXEC_TIMEOUT"), "Failed"),
    ],
)
async def test_filters_take_every_spelling(api: ServedApi, words: tuple[str, ...], status: str) -> None:
    """The label, the old enumeration and the newer one are the same status."""
    tasks = await one_of_each(api)
    for word in words:
        rows = (await scenes.listed(api, dialect="odc", status=word, taskType="sql.script", size=2000))["contents"]
        assert {row["odc"]["status"] for row in rows} == {status}
        assert tasks[status] in {row["id"] for row in rows}


async def test_delete_is_for_what_is_aborted_completed_or_failed(api: ServedApi) -> None:
    """Refused while it is preparing or running, and the message says what is allowed."""
    for status, task in (await one_of_each(api)).items():
        answer = await api.admin.delete(f"{INSTANCES}/{task}")
        if status in {"Preparing", "Running"}:
            assert "delete" not in refused(answer, 400, 4007)["target"]["allowed"]
        else:
            assert answer.status_code == 200, answer.text
            rows = (await scenes.listed(api, dialect="odc", ids=str(task)))["contents"]
            assert rows == []


async def test_abort_is_for_what_is_not_completed(api: ServedApi) -> None:
    """Aborting a script that runs asks it to stop; one that has ended is left as it is."""
    for status, task in (await one_of_each(api)).items():
        answer = await api.admin.post(f"{INSTANCES}/{task}/cancel")
        assert answer.status_code == (200 if status in {"Preparing", "Running"} else 400), (status, answer.text)


@pytest.mark.parametrize("ends", ["Completed", "Failed"])
async def test_results_have_odc_s_shape(api: ServedApi, ends: str) -> None:
    """Counts, failure records as ODC words them, whether there is a query, and where the zip is."""
    task = await script(api, "ready")
    rows = json.dumps([1]).encode() + b"\n"
    file = await Results(api.nats).put(f"{task}-1-1-1/1.jsonl", rows)
    one = {"index": 1, "sql": "SELECT 1", "columns": [{"name": "1", "type": ""}], "rows": 1, "truncated": False}
    value = {**DONE, "results": [{**one, "file": file}]}
    outcome = cmd.Succeeded(value) if ends == "Completed" else failed(detail={**value, "kind": "SQL_FAILED"})
    await api.finish(task, 1, outcome)
    data = wire.data(await api.admin.get(f"{INSTANCES}/{task}/results", params={"dialect": "odc"}))
    assert data == {
        "results": [
            {
                "subtask": task * 10_000 + 1,
                "key": "execute",
                "kind": "sql",
                "status": ends,
                "taskStatus": "DONE" if ends == "Completed" else "FAILED",
                "successCount": 2,
                "failCount": 1,
                "records": ["The execution failed on line 3.: SELEC 1 syntax error"],
                "containQuery": True,
                "zipFileDownloadUrl": f"/api/v2/tasks/instances/{task}/results/download",
                "jsonFileName": "csv_execute_result.json",
            }
        ]
    }


async def test_mock_data_counts_as_odc_does(api: ServedApi) -> None:
    """Written, conflicting, ignored and cleared, by ODC's names."""
    counts = {"written": 7, "conflicting": 2, "ignored": 1, "cleared": 5}
    task = await script(api, "ended", cmd.Succeeded({"kind": "mock", "table": "t", **counts}), type_="data.mock")
    (one,) = wire.data(await api.admin.get(f"{INSTANCES}/{task}/results", params={"dialect": "odc"}))["results"]
    assert (one["kind"], one["taskStatus"]) == ("mock", "DONE")
    assert [one[name] for name in ("writeCount", "conflictCount", "ignoreCount", "clearCount")] == [7, 2, 1, 5]


async def test_a_script_without_rows_has_no_query(api: ServedApi) -> None:
    """Then there is nothing to download, and no address of it."""
    task = await script(api, "ended")
    (one,) = wire.data(await api.admin.get(f"{INSTANCES}/{task}/results", params={"dialect": "odc"}))["results"]
    assert one["containQuery"] is False
    assert "zipFileDownloadUrl" not in one
