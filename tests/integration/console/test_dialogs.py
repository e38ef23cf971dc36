"""Commands by dialogs: asked, told what would happen, carried out once, and never over somebody else's head."""

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
import pytest_asyncio

from services.api.access import Role
from shared.task import commands as cmd
from shared.task.events import Problem
from tests.integration.api.harness import INSTANCES, ServedApi, plan
from tests.integration.console.signed import Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")
OOPS = cmd.Failed(Problem(kind="EXIT_CODE", message="disk full"), retryable=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(api: ServedApi) -> AsyncIterator[Person]:
    """Somebody who may do everything."""
    async with Person(api) as person:
        yield person


async def failed(api: ServedApi, name: str = "breaks") -> int:
    """A task of two whose first subtask has failed."""
    task_id = int((await api.create(plan("a", "b", name=name)))["id"])
    seq = await api.finish(task_id, 1, OOPS)
    assert (await api.admin.get(f"{INSTANCES}/{task_id}", params={"min_seq": seq})).status_code == 200
    return task_id


async def fields(person: Person, path: str) -> dict[str, str]:
    """The hidden fields of a dialog's form."""
    text = (await person.get(path)).text
    form = text[text.index(f'action="{path}"') :]
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form)}


async def state(api: ServedApi, task_id: int) -> dict[str, Any]:
    """The task as REST shows it."""
    found: dict[str, Any] = (await api.admin.get(f"{INSTANCES}/{task_id}")).json()["data"]
    return found


async def newest(api: ServedApi, task_id: int) -> list[dict[str, Any]]:
    """The task's history, the newest first."""
    found: list[dict[str, Any]] = (await api.admin.get(f"{INSTANCES}/{task_id}/events?order=desc")).json()["data"][
        "contents"
    ]
    return found


async def test_the_dialog_says_what_would_happen_and_does_nothing(api: ServedApi, admin: Person) -> None:
    """In words and as a table, from the command's own dry run."""
    task_id = await failed(api)
    before = await state(api, task_id)

    answer = await admin.get(f"/tasks/{task_id}/retry")

    assert answer.status_code == 200
    assert "1 subtask runs again: a." in answer.text
    assert "Then b follows." in answer.text
    assert await state(api, task_id) == before


async def test_a_command_is_carried_out_with_its_reason(api: ServedApi, admin: Person) -> None:
    """The answer leads to the task; its history says who, why and by which door."""
    task_id = await failed(api)
    path = f"/tasks/{task_id}/retry"

    answer = await admin.http.post(path, data={**await fields(admin, path), "reason": "  space was made  "})

    assert (answer.status_code, answer.headers["location"]) == (303, f"/tasks/{task_id}")
    entry = (await newest(api, task_id))[0]
    assert entry["by"] == {"kind": "user", "name": "admin", "via": "console"}
    assert entry["reason"] == "space was made"
    assert [event["type"] for event in entry["events"]] == ["task.retried"]


async def test_a_form_sent_twice_commands_once(api: ServedApi, admin: Person) -> None:
    """A double click, and a third one later: all are led to the task, and it was retried once."""
    task_id = await failed(api)
    path = f"/tasks/{task_id}/retry"
    sent = await fields(admin, path)

    answers = await asyncio.gather(*(admin.http.post(path, data=sent) for _ in range(2)))
    answers.append(await admin.http.post(path, data=sent))

    assert [answer.status_code for answer in answers] == [303, 303, 303]
    commands = [event for entry in await newest(api, task_id) for event in entry["events"]]
    assert [event["type"] for event in commands].count("task.retried") == 1


async def test_who_was_overtaken_is_told_by_whom(api: ServedApi, admin: Person) -> None:
    """Nothing is done; the page says what somebody else did, and asks again for what would happen now."""
    task_id = await failed(api)
    path = f"/tasks/{task_id}/skip"
    old = await fields(admin, path)
    async with await with_user(api, "olga", Role.TASK_OPERATOR) as olga:
        mine = await fields(olga, f"/tasks/{task_id}/subtasks/1/retry")
        await olga.http.post(f"/tasks/{task_id}/subtasks/1/retry", data={**mine, "reason": "space was made"})
    await api.finish(task_id, 1, OOPS)

    answer = await admin.http.post(path, data={**old, "reason": "never mind"})

    assert answer.status_code == 412
    assert "Someone else acted just now: olga retried subtask 1: space was made." in answer.text
    assert 'value="never mind"' in answer.text
    assert (await state(api, task_id))["status"] == "FAILED"
    again = await admin.http.post(path, data={**await fields(admin, path), "reason": "never mind"})
    assert again.status_code == 303


async def test_what_executors_report_meanwhile_is_no_obstacle(api: ServedApi, admin: Person) -> None:
    """A running task changes all the time: only what a person did counts as overtaken."""
    task_id = int((await api.create(plan("a", "b", "c")))["id"])
    path = f"/tasks/{task_id}/cancel"
    sent = await fields(admin, path)
    await api.finish(task_id, 1)

    answer = await admin.http.post(path, data=sent)

    assert answer.status_code == 303
    assert (await state(api, task_id))["state"] == "CANCELLED"


async def test_what_cannot_be_taken_back_needs_a_reason_and_the_name(api: ServedApi, admin: Person) -> None:
    """Skip, roll back and delete need a reason, the last two the task's name; what was typed is kept."""
    task_id = await failed(api, name="prod & <main>")
    for word in ("skip", "rollback", "delete"):
        answer = await admin.http.post(f"/tasks/{task_id}/{word}", data=await fields(admin, f"/tasks/{task_id}/{word}"))
        assert answer.status_code == 422, word
        assert "Say why" in answer.text
    path = f"/tasks/{task_id}/rollback"

    wrong = await admin.http.post(path, data={**await fields(admin, path), "reason": "over", "name": "prod"})
    right = await admin.http.post(path, data={**await fields(admin, path), "reason": "over", "name": "prod & <main>"})

    assert wrong.status_code == 422
    assert 'value="over"' in wrong.text
    assert "<main>" not in wrong.text.replace('<main id="main">', "")
    assert right.status_code == 303
    assert (await state(api, task_id))["direction"] == "BACKWARD"


async def test_an_unlawful_command_says_why_and_has_no_form(api: ServedApi, admin: Person) -> None:
    """Also when the form was sent from an older page: the refusal is the answer."""
    task_id = int((await api.create(plan("a")))["id"])

    shown = await admin.get(f"/tasks/{task_id}/retry")
    sent = await admin.post(f"/tasks/{task_id}/retry", turn=0, key="old")

    assert shown.status_code == 200
    assert "It is under way: wait until it is at rest, or cancel it first." in shown.text
    assert f'action="/tasks/{task_id}/retry"' not in shown.text
    assert sent.status_code == 400
    assert "is not allowed because the task" in sent.text


async def test_a_deleted_task_leads_to_the_list(api: ServedApi, admin: Person) -> None:
    """Its own page still says what it was, and that it is deleted."""
    task_id = await failed(api, name="gone")
    path = f"/tasks/{task_id}/delete"

    answer = await admin.http.post(path, data={**await fields(admin, path), "reason": "a test", "name": "gone"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/tasks")
    assert "It was deleted" in (await admin.get(f"/tasks/{task_id}")).text


async def test_a_viewer_reads_why_not_and_cannot_act(api: ServedApi) -> None:
    """The buttons are greyed with the role as the reason; the dialog has no form, and a form is 403."""
    task_id = await failed(api)
    async with await with_user(api, "vera", Role.TASK_VIEWER) as vera:
        page = await vera.get(f"/tasks/{task_id}")
        dialog = await vera.get(f"/tasks/{task_id}/retry")
        sent = await vera.post(f"/tasks/{task_id}/retry", turn=0, key="k")

    assert 'title="Your role TASK_VIEWER may not retry." aria-disabled="true"' in page.text
    assert "Your role TASK_VIEWER may not retry." in dialog.text
    assert "<textarea" not in dialog.text
    assert 'name="reason"' not in dialog.text
    assert sent.status_code == 403


async def test_a_subtask_that_is_not_there_is_404(api: ServedApi, admin: Person) -> None:
    """For asking as for doing."""
    task_id = await failed(api)

    assert (await admin.get(f"/tasks/{task_id}/subtasks/9/retry")).status_code == 404
    assert (await admin.post(f"/tasks/{task_id}/subtasks/9/retry", turn=0, key="k")).status_code == 404
    assert (await admin.get(f"/tasks/{task_id}/subtasks/1/rollback")).status_code == 404
