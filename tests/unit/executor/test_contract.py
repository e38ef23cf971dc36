"""The contract: what an author may leave out, and what is refused at definition."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsledger import kit
from services.executor.operations.contract import Context, ExecutorPolicy
from services.executor.operations.noop import Noop
from services.executor.operations.wait import Wait
from services.executor.processes import Children


class GreetParams(kit.Params):
    """Whom to greet."""

    name: str
    times: int = 1


class Greet(kit.Operation[GreetParams]):
    """Greets somebody."""

    name = "acme.greet"

    async def execute(self, ctx: kit.Context, params: GreetParams) -> str:
        """Greet."""
        ctx.progress(1.7, "greeted")
        return f"Hello, {params.name}."


def test_an_operation_needs_a_name_parameters_and_execute() -> None:
    """All else has a default: retried, skipped and cancelled freely, at least once, an hour, no undo."""
    greet = Greet()

    assert greet.Params is GreetParams
    assert (greet.version, greet.delivery, greet.timeout) == (1, "at_least_once", timedelta(hours=1))
    assert (greet.can_retry, greet.can_skip, greet.can_cancel, greet.has_undo()) == (True, True, True, False)


def test_overriding_undo_declares_it() -> None:
    """The ability to undo is derived, so it cannot be forgotten or claimed in vain."""

    class Marked(Greet):
        """Greets, and takes it back."""

        name = "acme.marked"

        async def undo(self, ctx: kit.Context, params: GreetParams, output: Any) -> None:
            """Take it back."""

    assert Marked.has_undo()
    assert Marked().Params is GreetParams


def test_a_definition_that_cannot_work_is_refused() -> None:
    """Misuse shows when the class is made, not when a task runs."""
    with pytest.raises(TypeError, match="names no parameter model"):

        class Bare(kit.Operation):  # type: ignore[type-arg]
            name = "acme.bare"

    with pytest.raises(TypeError, match="version starts at 1"):

        class Old(Greet):
            name = "acme.old"
            version = 0


def test_wrong_parameters_are_named_without_their_values() -> None:
    """The message says which fields are wrong and does not repeat what might be a secret."""
    with pytest.raises(kit.PermanentFault) as caught:
        Greet().parse({"times": "s3cret", "color": "s3cret"})

    assert caught.value.message.startswith("parameters of acme.greet do not fit: ")
    assert {"name", "times", "color"} <= set(caught.value.message.replace(":", "").replace(";", "").split())
    assert "s3cret" not in caught.value.message


async def test_the_plugin_runs_an_operation(run_operation: Any) -> None:
    """The fixture gives output, log and progress."""
    ran = await run_operation(Greet(), {"name": "Ada"})

    assert ran.output == "Hello, Ada."
    assert ran.progress == [(1.0, "greeted")]


async def test_noop_echoes_its_value(run_operation: Any) -> None:
    """What goes in comes out."""
    assert (await run_operation(Noop(), {"value": {"a": [1, None]}})).output == {"a": [1, None]}


async def test_wait_ends_when_its_time_is_over(run_operation: Any) -> None:
    """A short wait ends well."""
    assert (await run_operation(Wait(), {"seconds": 0.01})).output is None


async def test_wait_ends_at_once_when_cancelled(run_operation: Any) -> None:
    """A wait of an hour ends when asked to."""
    cancelled = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, cancelled.set)

    with pytest.raises(kit.Cancelled):
        await asyncio.wait_for(run_operation(Wait(), {"seconds": 3600}, cancelled=cancelled), 5)


@pytest.mark.parametrize("seconds", [-1, 86_401, "inf", "nan"])
def test_wait_has_bounds(seconds: object) -> None:
    """Less than nothing and more than a day are refused."""
    with pytest.raises(kit.PermanentFault):
        Wait().parse({"seconds": seconds})


async def test_without_a_store_a_secret_is_a_clear_fault(tmp_path: Path) -> None:
    """Where nothing keeps secrets, asking for one says so."""
    anything: Any = None
    context = Context(
        task_id=1, subtask=1, key="k", generation=1, attempt=1, phase="execute", token="1/1/1", fence=1, log=anything,
        upstreams={}, cancelled=asyncio.Event(), files=tmp_path, policy=ExecutorPolicy(), children=Children(),
        results=anything,
    )  # fmt: skip

    with pytest.raises(kit.PermanentFault, match="nothing here keeps secrets"):
        await context.secret("db-password")


def test_inherited_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only names that fit the policy are inherited."""
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("OPSLEDGER_NATS_URL", "nats://user:password@host")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    inherited = ExecutorPolicy().inherited_env()

    assert inherited["LC_TIME"] == "C"
    assert not {"OPSLEDGER_NATS_URL", "AWS_SECRET_ACCESS_KEY"} & set(inherited)
