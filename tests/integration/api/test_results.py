"""Results of scripts: listed, read by the page, downloaded as CSV and as they are; nothing of another team's or task's.

The test plays the executor: it writes result files into the store and settles subtasks with what `sql.execute` returns.
"""

import asyncio
import csv
import io
import json
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
import psutil
import pytest
import pytest_asyncio

from services.api.access import Role
from services.api.rest.results_shapes import ResultsShape, RowsShape
from services.api.rest.schemas import Answer
from shared.messages import subjects
from shared.runtime.nats import api as jetstream
from shared.store.objects import Results, _meta
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan, refused, served
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLUMNS = [{"name": "id", "type": "int8"}, {"name": "name", "type": "text"}, {"name": "price", "type": "numeric"}]


def output(*sets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What `sql.execute` returns."""
    return {
        "kind": "sql",
        "dialect": "sqlite",
        "connection": "shop",
        "statements": 5,
        "success": 5,
        "failure": 0,
        "records": [],
        "results": list(sets),
        "durationMs": 12,
        **more,
    }


class Scripts:
    """Tasks whose scripts have run."""

    def __init__(self, api: ServedApi) -> None:
        self.api = api
        self.store = Results(api.nats)

    async def file(self, name: str, rows: Iterable[list[Any]]) -> dict[str, Any]:
        """Store rows as a result file; its reference."""
        data = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
        return await self.store.put(name, data.encode())

    async def result(self, task: int, index: int, rows: list[list[Any]], *, number: int = 1) -> dict[str, Any]:
        """One statement's entry in the output, its rows stored."""
        file = await self.file(f"{task}-{number}-1-1/{index}.jsonl", rows)
        about = {"index": index, "sql": f"SELECT {index}", "columns": COLUMNS, "rows": len(rows), "truncated": False}
        return {**about, "file": file}

    async def ended(self, *outcomes: cmd.Outcome, **more: Any) -> int:
        """The id of a task whose steps ended like this."""
        task = int((await self.api.create(plan(*(f"step-{n}" for n in range(1, len(outcomes) + 1)), **more)))["id"])
        for number, outcome in enumerate(outcomes, 1):
            await self.api.finish(task, number, outcome)
        return task

    async def script(self, *sets: list[list[Any]], **more: Any) -> int:
        """The id of a task whose one script gave these result sets, of every second statement."""
        task = int((await self.api.create(plan("script")))["id"])
        found = [await self.result(task, 2 * place, rows) for place, rows in enumerate(sets, 1)]
        await self.api.finish(task, 1, cmd.Succeeded(output(*found, **more)))
        return task

    async def listed(self, task: int, **params: Any) -> dict[str, Any]:
        """What `/results` tells."""
        answer = await self.api.admin.get(f"{INSTANCES}/{task}/results", params=params)
        assert answer.status_code == 200, answer.text
        Answer[ResultsShape].model_validate_json(answer.content)
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def page(self, task: int, index: int, number: int = 1, **params: Any) -> dict[str, Any]:
        """A page of one result set."""
        answer = await self.api.admin.get(set_of(task, index, number), params=params)
        assert answer.status_code == 200, answer.text
        Answer[RowsShape].model_validate_json(answer.content)
        data: dict[str, Any] = answer.json()["data"]
        return data

    async def zipped(self, task: int) -> ZipFile:
        """The download, found to be whole."""
        answer = await self.api.admin.get(f"{INSTANCES}/{task}/results/download")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"] == f'attachment; filename="task-{task}-results.zip"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        found = ZipFile(io.BytesIO(answer.content))
        assert found.testzip() is None
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scripts(api: ServedApi) -> AsyncIterator[Scripts]:
    """Scripts of this module."""
    yield Scripts(api)


def set_of(task: int, index: int | str, number: int = 1) -> str:
    """The address of a result set."""
    return f"{INSTANCES}/{task}/subtasks/{task * 10_000 + number}/results/{index}"


def rows_of(archive: ZipFile, name: str) -> list[list[str]]:
    """A CSV file of the zip, as a program reads it."""
    return list(csv.reader(io.StringIO(archive.read(name).decode(), newline=""), strict=True))


async def test_a_script_tells_what_it_did(scripts: Scripts) -> None:
    """Its summary, its result sets with the names of their files, and where to fetch them."""
    task = await scripts.script([[1, "a", "1.50"]], [])
    (entry,) = (await scripts.listed(task))["results"]
    assert (entry["subtask"], entry["key"], entry["kind"], entry["status"]) == (
        task * 10_000 + 1,
        "script",
        "sql",
        "SUCCESSFUL",
    )
    assert (entry["statements"], entry["success"], entry["connection"]) == (5, 5, "shop")
    assert [(one["index"], one["rows"], one["file"]) for one in entry["results"]] == [
        (2, 1, "2.jsonl"),
        (4, 0, "4.jsonl"),
    ]
    assert [file["name"] for file in entry["files"]] == ["2.jsonl", "4.jsonl"]
    assert entry["download"] == f"{INSTANCES}/{task}/results/download"
    fetched = await scripts.api.admin.get(entry["files"][0]["path"])
    assert fetched.content == b'[1,"a","1.50"]\n'


async def test_a_failed_script_tells_the_same(scripts: Scripts) -> None:
    """Under ABORT the problem's detail has what was done until then: records, rows and files."""
    task = int((await scripts.api.create(plan("script")))["id"])
    one = await scripts.result(task, 1, [[1, "kept", None]])
    records = [{"index": 3, "sql": "SELEC 1", "error": "syntax error"}]
    detail = {**output(one, success=2, failure=1, records=records), "kind": "SQL_FAILED"}
    await scripts.api.finish(
        task, 1, cmd.Failed(Problem(kind="SQL_FAILED", message="no", detail=detail), retryable=False)
    )
    (entry,) = (await scripts.listed(task))["results"]
    assert (entry["kind"], entry["status"], entry["records"]) == ("sql", "FAILED", records)
    assert (await scripts.page(task, 1))["rows"] == [[1, "kept", None]]
    assert rows_of(await scripts.zipped(task), "1.csv")[1:] == [["1", "kept", ""]]


async def test_a_failure_too_large_for_the_log_is_told_whole(scripts: Scripts) -> None:
    """The detail is then a beginning that names the whole; where that is gone, the beginning has to do."""
    task = int((await scripts.api.create(plan("script")))["id"])
    one, two = await scripts.result(task, 1, [[1, "a", "1"]]), await scripts.result(task, 2, [[2, "b", "2"]])
    whole = await scripts.store.put(f"{task}-1-1-1/output.json", json.dumps(output(one, two)).encode())
    brief = {**output(one), "kind": "SQL_FAILED", "cause": "STATEMENT_FAILED", "resultsTruncated": True, "whole": whole}
    failed = cmd.Failed(Problem(kind="SQL_FAILED", message="no", detail=brief), retryable=False)
    await scripts.api.finish(task, 1, failed)
    (entry,) = (await scripts.listed(task))["results"]
    assert [found["index"] for found in entry["results"]] == [1, 2]
    assert "resultsTruncated" not in entry
    assert (entry["kind"], entry["cause"], entry["whole"]) == ("sql", "STATEMENT_FAILED", "output.json")
    assert (await scripts.page(task, 2))["rows"] == [[2, "b", "2"]]
    await scripts.store.put(f"{task}-1-1-1/output.json", b"{}")
    (entry,) = (await scripts.listed(task))["results"]
    assert [found["index"] for found in entry["results"]] == [1]


async def test_other_kinds_are_listed_and_others_are_not(scripts: Scripts) -> None:
    """Whatever has a `kind` is listed with its files; an output without one, and a plain failure, are not."""
    report = await scripts.store.put("whatever/report of today.html", b"<html>")
    task = await scripts.ended(
        cmd.Succeeded({"n": 1}),
        cmd.Succeeded({"kind": "mock", "written": 7, "files": [report]}),
        cmd.Failed(Problem(kind="EXIT_CODE", message="3", detail={"kind": "EXIT_CODE"}), retryable=False),
    )
    (entry,) = (await scripts.listed(task))["results"]
    assert (entry["key"], entry["kind"], entry["written"]) == ("step-2", "mock", 7)
    assert [file["name"] for file in entry["files"]] == ["report_of_today.html"]
    assert (await scripts.listed(task, subtask=task * 10_000 + 1))["results"] == []
    assert refused(await scripts.api.admin.get(f"{INSTANCES}/{task}/results", params={"subtask": 7}), 400, 1001)[
        "target"
    ] == {"parameter": "subtask"}


async def test_a_large_output_is_read_from_the_store(scripts: Scripts) -> None:
    """An output that an executor put into the object store is as good as one in the log."""
    task = int((await scripts.api.create(plan("script")))["id"])
    value = output(await scripts.result(task, 1, [[1, "x", "2"]]), note="n" * 100_000)
    reference = await scripts.store.put(f"output-{task}-1-1-1", json.dumps(value).encode())
    await scripts.api.finish(task, 1, cmd.Succeeded(output_ref=reference))
    (entry,) = (await scripts.listed(task))["results"]
    assert (entry["kind"], len(entry["note"])) == ("sql", 100_000)
    assert (await scripts.page(task, 1))["rows"] == [[1, "x", "2"]]
    assert (await scripts.zipped(task)).namelist() == ["1.csv", "csv_execute_result.json"]


async def test_rows_come_by_the_page(scripts: Scripts) -> None:
    """Cells as they are; pages join without a gap; a page behind the end is empty."""
    rows = [[n, f"naïve {n}\n", None if n % 2 else "-1.50"] for n in range(250)]
    task = await scripts.script(rows)
    first = await scripts.page(task, 2)
    assert (first["columns"], first["totalRows"], first["truncated"], first["sql"]) == (COLUMNS, 250, False, "SELECT 2")
    assert (first["rows"], first["page"], first["size"]) == (rows[:100], 1, 100)
    joined = [row for number in range(1, 6) for row in (await scripts.page(task, 2, page=number, size=60))["rows"]]
    assert joined == rows
    assert (await scripts.page(task, 2, page=6, size=60))["rows"] == []
    assert (await scripts.page(task, 2, page=10**8, size=1000))["rows"] == []


@pytest.mark.parametrize("params", [{"page": "0"}, {"size": "1001"}, {"size": "x"}, {"page": "-1"}])
async def test_pages_that_there_cannot_be_are_refused(scripts: Scripts, params: dict[str, str]) -> None:
    """The parameter is named (B15)."""
    answer = await scripts.api.admin.get(set_of(1, 2), params=params)
    assert refused(answer, 400, 1001)["target"] == {"parameter": next(iter(params))}


async def test_statements_without_rows_have_no_result_set(scripts: Scripts) -> None:
    """404 that names the statements with rows; nonsense in the path likewise."""
    task = await scripts.script([[1, "a", "1"]], [])
    for index in ("1", "02", "x", "-2", "9" * 40):
        error = refused(await scripts.api.admin.get(set_of(task, index)), 404, 4001)
        assert error["message"].endswith("Those with rows: 2, 4.")
    none = await scripts.ended(cmd.Succeeded({"n": 1}))
    refused(await scripts.api.admin.get(set_of(none, 1)), 404, 4001)
    refused(await scripts.api.admin.get(set_of(none, 1, number=9)), 404, 4001)
    error = refused(await scripts.api.admin.get(f"{INSTANCES}/{none}/results/download"), 404, 4001)
    assert "nothing to download" in error["message"]
    chinese = await scripts.api.admin.get(set_of(none, 1), headers={"Accept-Language": "zh-CN"})
    assert chinese.json()["error"]["message"] == "没有该执行结果。"


async def test_the_zip_is_laid_out_as_odc_s(scripts: Scripts) -> None:
    """{n}.csv counts all statements, the index names statement and file; cells cannot be formulas (S12)."""
    evil = [[1, '=HYPERLINK("http://x")', "-2.50"], [-5, "\t=1", None], [0, 'say "hi"', "=1"]]
    task = await scripts.script(evil, [])
    archive = await scripts.zipped(task)
    assert archive.namelist() == ["2.csv", "4.csv", "csv_execute_result.json"]
    assert json.loads(archive.read("csv_execute_result.json")) == [
        {"sequence": 2, "sql": "SELECT 2", "fileName": "2.csv"},
        {"sequence": 4, "sql": "SELECT 4", "fileName": "4.csv"},
    ]
    assert rows_of(archive, "2.csv") == [
        ["id", "name", "price"],
        ["1", '\'=HYPERLINK("http://x")', "-2.50"],
        ["-5", "'\t=1", ""],
        ["0", 'say "hi"', "'=1"],
    ]
    assert archive.read("4.csv") == b'"id","name","price"\r\n'
    assert archive.read("2.csv").splitlines()[2] == b'"-5","\'\t=1",'


async def test_several_scripts_have_a_folder_each(scripts: Scripts) -> None:
    """Named by the key of the subtask, and no two the same; a script without rows has none."""
    nodes = [{"key": key, "operation": "noop"} for key in ("load/1", "load 1", "none")]
    task = int((await scripts.api.create({"plan": {"subtasks": nodes}}))["id"])
    for number in (1, 2):
        found = await scripts.result(task, 1, [[number, "x", "1"]], number=number)
        await scripts.api.finish(task, number, cmd.Succeeded(output(found)))
    await scripts.api.finish(task, 3, cmd.Succeeded(output()))
    archive = await scripts.zipped(task)
    assert archive.namelist() == [
        "load_1/1.csv",
        "load_1/csv_execute_result.json",
        "load_1-2/1.csv",
        "load_1-2/csv_execute_result.json",
    ]
    one = await scripts.api.admin.get(f"{INSTANCES}/{task}/results/download", params={"subtask": task * 10_000 + 2})
    assert ZipFile(io.BytesIO(one.content)).namelist() == ["1.csv", "csv_execute_result.json"]


async def test_only_what_the_output_names_can_be_fetched(scripts: Scripts) -> None:
    """Not an object by its own name, not another task's file, nothing outside (B22)."""
    task, other = await scripts.script([[1, "mine", "1"]]), await scripts.script([[1, "theirs", "1"]])
    base = f"{INSTANCES}/{task}/subtasks/{task * 10_000 + 1}/files"
    answer = await scripts.api.admin.get(f"{base}/2.jsonl")
    assert answer.content == b'[1,"mine","1"]\n'
    assert answer.headers["content-disposition"] == f'attachment; filename="task-{task}-1-2.jsonl"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (answer.headers["x-content-type-options"], answer.headers["content-length"]) == ("nosniff", "15")
    for name in (f"{other}-1-1-1%2F2.jsonl", "..%2f..%2fetc%2fpasswd", "3.jsonl", "2.jsonl%00", "x" * 300):
        assert (await scripts.api.admin.get(f"{base}/{name}")).status_code == 404
    foreign = f"{INSTANCES}/{task}/subtasks/{other * 10_000 + 1}/files/2.jsonl"
    refused(await scripts.api.admin.get(foreign), 404)


async def test_an_output_cannot_name_what_it_does_not_know(scripts: Scripts) -> None:
    """A reference to another task's object is of no use without that object's hash."""
    await scripts.file("secret-of-another-task", [["secret"]])
    guess = {"object": "secret-of-another-task", "bytes": 11, "sha256": "0" * 64}
    task = await scripts.ended(cmd.Succeeded({"kind": "own", "file": guess}))
    answer = await scripts.api.admin.get(
        f"{INSTANCES}/{task}/subtasks/{task * 10_000 + 1}/files/secret-of-another-task"
    )
    assert "secret" not in refused(answer, 503, 1006)["message"].replace("secret-of-another-task", "")


async def test_a_file_that_is_gone_is_said_to_be_gone(scripts: Scripts) -> None:
    """404 with what to do, before anything is sent; the listing stays."""
    task = await scripts.script([[1, "a", "1"]], [[2, "b", "2"]])
    entry = (await scripts.listed(task))["results"][0]
    gone = await scripts.store._info(f"{task}-1-1-1/4.jsonl")
    assert gone is not None
    await jetstream(
        scripts.api.nats, f"STREAM.PURGE.OBJ_{subjects.RESULTS}", {"filter": f"$O.results.C.{gone['nuid']}"}
    )
    await scripts.store._store(_meta(f"{task}-1-1-1/4.jsonl"), json.dumps({**gone, "deleted": True}).encode())
    for path in (set_of(task, 4), entry["files"][1]["path"], entry["download"]):
        error = refused(await scripts.api.admin.get(path), 404, 4001)
        assert "Run script again" in error["message"]
        assert error["target"] == {"kind": "result_gone"}
    assert (await scripts.page(task, 2))["rows"] == [[1, "a", "1"]]
    assert (await scripts.listed(task))["results"][0] == entry


async def test_a_file_that_was_changed_is_not_shown(scripts: Scripts) -> None:
    """503 when the store has other bytes under the name, or has lost some of them."""
    task = await scripts.script([[1, "a", "1"]], [[n, "x" * 100, "1"] for n in range(5000)])
    entry = (await scripts.listed(task))["results"][0]
    await scripts.file(f"{task}-1-1-1/2.jsonl", [[1, "forged", "1"]])
    for path in (set_of(task, 2), entry["files"][0]["path"], entry["download"]):
        error = refused(await scripts.api.admin.get(path), 503, 1006)
        assert error["target"]["kind"] == "result_damaged"
    info = await scripts.store._info(f"{task}-1-1-1/4.jsonl")
    assert info is not None
    lost = {"filter": f"$O.results.C.{info['nuid']}", "keep": info["chunks"] - 1}
    await jetstream(scripts.api.nats, f"STREAM.PURGE.OBJ_{subjects.RESULTS}", lost)
    refused(await scripts.api.admin.get(set_of(task, 4), params={"page": 49}), 503, 1006)
    with pytest.raises(httpx2.RemoteProtocolError):
        await scripts.api.admin.get(entry["files"][1]["path"])


async def test_a_missing_output_is_named_and_the_others_are_told(scripts: Scripts) -> None:
    """`unread` says why; a download of everything would not be everything and is refused."""
    lost = {"object": "never-stored", "bytes": 100_000, "sha256": "0" * 64}
    task = await scripts.ended(cmd.Succeeded(output_ref=lost), cmd.Succeeded({"kind": "mock", "written": 1}))
    found = await scripts.listed(task)
    assert [entry["kind"] for entry in found["results"]] == ["mock"]
    (unread,) = found["unread"]
    assert (unread["key"], unread["why"]) == (
        "step-1",
        "its output cannot be read: the object store does not have it any more",
    )
    refused(await scripts.api.admin.get(f"{INSTANCES}/{task}/results/download"), 404, 4001)
    refused(await scripts.api.admin.get(set_of(task, 1)), 404, 4001)


async def test_another_team_s_results_are_not_there(scripts: Scripts) -> None:
    """404 as for a task that is missing, on every route; whoever may read, reads (B2, S3)."""
    api = scripts.api
    task = int((await api.create(plan("script", labels={"team": "a"})))["id"])
    one = await scripts.result(task, 1, [[1, "secret", "1"]])
    await api.finish(task, 1, cmd.Succeeded(output(one)))
    paths = [f"{INSTANCES}/{task}/results", f"{INSTANCES}/{task}/results/download", set_of(task, 1)]
    paths.append(f"{INSTANCES}/{task}/subtasks/{task * 10_000 + 1}/files/1.jsonl")
    stranger = await api.bearer(Role.TASK_MANAGER, teams=frozenset({"b"}), name="stranger")
    viewer = await api.bearer(Role.TASK_VIEWER, teams=frozenset({"a"}), name="viewer")
    for path in paths:
        answer = await stranger.get(path)
        assert refused(answer, 404, 4001)["message"] == f"The task {task} does not exist."
        assert (await viewer.get(path)).status_code == 200


async def test_results_stay_readable_after_a_delete(scripts: Scripts) -> None:
    """Delete takes a task out of the lists; its results stay where its history stays."""
    task = await scripts.script([[1, "a", "1"]])
    assert (await scripts.api.admin.delete(f"{INSTANCES}/{task}")).status_code == 200
    assert (await scripts.page(task, 2))["rows"] == [[1, "a", "1"]]


async def long_script(scripts: Scripts, rows: int) -> tuple[int, int]:
    """The id of a task with one long result set, written piece by piece, and the file's bytes."""
    task = int((await scripts.api.create(plan("script")))["id"])
    async with scripts.store.writer(f"{task}-1-1-1/1.jsonl") as file:
        for start in range(0, rows, 5000):
            lines = (f'[{n},"customer number {n}","{n % 1000}.50"]\n' for n in range(start, min(rows, start + 5000)))
            await file.write("".join(lines).encode())
    one = {"index": 1, "sql": "SELECT *", "columns": COLUMNS, "rows": rows, "truncated": False, "file": file.reference}
    await scripts.api.finish(task, 1, cmd.Succeeded(output(one)))
    return task, file.reference["bytes"]


async def downloaded(scripts: Scripts, task: int) -> tuple[int, float, float]:
    """The zip's bytes, the seconds it took, and by how much (MB) this process, with the API in it, has grown."""
    process = psutil.Process()
    size, before, peak, began = 0, process.memory_info().rss, 0, time.perf_counter()
    async with scripts.api.admin.stream("GET", f"{INSTANCES}/{task}/results/download") as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_raw():
            size += len(piece)
            peak = max(peak, process.memory_info().rss)
    return size, time.perf_counter() - began, (peak - before) / 1e6


async def test_a_long_result_passes_through(scripts: Scripts) -> None:
    """100,000 rows are downloaded whole, the API answers others meanwhile, and a page far behind is found."""
    task, _ = await long_script(scripts, 100_000)
    download = asyncio.create_task(scripts.zipped(task))
    waits = []
    while not download.done():
        began = time.perf_counter()
        assert (await scripts.api.admin.get(f"{INSTANCES}/{task}")).status_code == 200
        waits.append(time.perf_counter() - began)
    rows = rows_of(await download, "1.csv")
    assert (len(rows), rows[-1]) == (100_001, ["99999", "customer number 99999", "999.50"])
    assert len(waits) > 3
    assert max(waits) < 1
    assert (await scripts.page(task, 1, page=100_000, size=1))["rows"] == [[99_999, "customer number 99999", "999.50"]]


async def test_a_client_that_leaves_ends_the_download(scripts: Scripts) -> None:
    """Nothing goes on reading for nobody."""
    task, _ = await long_script(scripts, 100_000)
    before = asyncio.all_tasks()
    async with scripts.api.admin.stream("GET", f"{INSTANCES}/{task}/results/download") as answer:
        await anext(answer.aiter_raw())
    await eventually(lambda: not [one for one in asyncio.all_tasks() - before if "downl" in repr(one.get_coro())])
    assert (await scripts.api.admin.get(f"{INSTANCES}/{task}")).status_code == 200


async def test_open_downloads_are_bounded(scripts: Scripts, module_nats: NatsServer, tmp_path: Path) -> None:
    """They count as streams of whoever asks; the next is refused until one ends (S17)."""
    task, _ = await long_script(scripts, 100_000)
    path = f"{INSTANCES}/{task}/results/download"
    async with served(module_nats.url, f"sqlite:///{tmp_path}/view.db", sse_per_principal=1) as other:
        async with other.admin.stream("GET", path) as first:
            await anext(first.aiter_raw())
            refused(await other.admin.get(path), 429, 0)

        async def again() -> bool:
            return (await other.admin.get(path)).status_code == 200

        await eventually(again)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_million_rows_do_not_grow_the_api(scripts: Scripts) -> None:
    """They are downloaded within 60 MB of additional memory."""
    task, size = await long_script(scripts, 1_000_000)
    await downloaded(scripts, task)  # whatever is loaded once
    zipped, seconds, grown = await downloaded(scripts, task)
    began = time.perf_counter()
    assert (await scripts.page(task, 1, page=10_000, size=100))["rows"][-1][0] == 999_999
    last = time.perf_counter() - began
    print(f"{size / 1e6:.0f} MB, zip {zipped / 1e6:.1f} MB, {seconds:.1f} s, +{grown:.0f} MB, last page {last:.2f} s")  # noqa: T201  its figures
    assert grown < 60
