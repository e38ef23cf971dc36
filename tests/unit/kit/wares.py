"""Operations and a task type of an author, for the kit's tests: a marker file, and what is at odds with the rules."""

# ruff: noqa: G004 - a task's log is not Python's logging

import asyncio
import subprocess
import time
from typing import Any

from pydantic import BaseModel, Field

from opsledger.kit import (
    Connection,
    Context,
    NoParams,
    Operation,
    Params,
    Plan,
    RetryPolicy,
    Secret,
    SubtaskPlan,
    TransientFault,
    operation,
    task_type,
)


class MarkParams(Params):
    """Which mark."""

    name: str = Field(description="Name of the file.", examples=["one"])


class Marked(BaseModel):
    """What was marked."""

    path: str


@operation("test.mark", timeout=30)
async def mark(ctx: Context, params: MarkParams) -> Marked:
    """Leaves a mark."""
    ctx.log.info(f"marking {params.name}")
    with (ctx.files / params.name).open("a", encoding="utf-8") as file:
        file.write(f"{ctx.token}\n")
    return Marked(path=params.name)


@mark.undo
async def unmark(ctx: Context, params: MarkParams, output: Marked | None) -> None:
    """Remove it."""
    ctx.log.info(f"removing {output.path if output else 'whatever is there'}")
    (ctx.files / params.name).unlink(missing_ok=True)


@operation("test.once", delivery="at_most_once", rollback=False)
async def once(ctx: Context) -> str:
    """Does what nobody can do twice."""
    return ctx.token


@operation("test.busy")
async def busy(ctx: Context) -> None:
    """Works until somebody wants the end."""
    await ctx.unless_cancelled(_for_ever(ctx))


async def _for_ever(ctx: Context) -> None:
    ctx.log.info("working")
    await asyncio.Event().wait()


@operation("test.pair")
async def pair(ctx: Context) -> dict[str, list[str]]:
    """Makes two files, one after the other."""
    found = sorted(path.name for path in ctx.files.iterdir() if path.is_file())
    (ctx.files / "one").touch()
    ctx.log.info("half of it")
    (ctx.files / "two").touch()
    return {"found": found}


@pair.undo
async def unpair(ctx: Context, output: object) -> None:
    """Remove what is there of them."""
    ctx.log.info("removing")
    for name in ("one", "two"):
        (ctx.files / name).unlink(missing_ok=True)


@operation("test.block")
async def block(ctx: Context) -> None:
    """Blocks where nobody sees it."""
    nap = getattr(time, "sleep")  # noqa: B009 - hidden from the lint
    nap(0.7)


class SecretParams(Params):
    """Which secret, and the connection that has one more."""

    key: Secret = Field(description="The key.")


@operation("test.tell", rollback=False)
async def tell(ctx: Context, params: SecretParams) -> dict[str, Any]:
    """Says what must not be said."""
    value, there = await ctx.secret(params.key), await ctx.connection("db")
    ctx.log.info(f"the key is {value}, the password {there.secrets['password']} of {ctx.token}")
    return {"key": value, "url": there.url}


DB = Connection("db", "postgresql://app@db/app", {}, {"password": "hunter2hunter2"})


class PartyParams(Params):
    """Who comes."""

    guests: list[str] = Field(description="Names.", examples=[["ada", "bob"]])


@task_type("test.party")
def party(params: PartyParams) -> Plan:
    """Marks guests one after the other, and tries the first one often."""
    steps: list[SubtaskPlan] = []
    for guest in params.guests:
        after = [steps[-1].key] if steps else []
        retry = RetryPolicy(times=3, delay_seconds=600)
        steps.append(
            SubtaskPlan(key=guest, operation="test.mark", params={"name": guest}, upstreams=after, retry=retry)
        )
    return Plan(subtasks=steps)


BUSY = TransientFault("The other side is busy.")


# ---- what the lint has something to say about ---------------------------------------------------------------


class LooseParams(BaseModel):
    """Takes anything."""

    password: str = "changeme"
    api_token: str | None = None
    key: Secret = "env:OPSLEDGER_SECRET_X"


class Careless(Operation[LooseParams]):  # noqa: D101 - the lint shall miss it
    name = "Careless"

    async def execute(self, ctx: Context, params: LooseParams) -> None:  # noqa: D102 - the lint shall miss it
        time.sleep(0)
        subprocess.run(["true"], check=False)
        print("done")  # noqa: T201 - likewise


class Careful(Operation[NoParams]):
    """Does what may block elsewhere."""

    name = "test.careful"
    prohibit_rollback = True

    async def execute(self, ctx: Context, params: NoParams) -> str:
        """Hand it over."""

        def later() -> None:
            time.sleep(0)

        later()
        return ctx.token


@task_type("test.circle")
def circle(params: NoParams) -> Plan:
    """Goes round."""
    return Plan(
        subtasks=[
            SubtaskPlan(key="a", operation="noop", upstreams=["b"]),
            SubtaskPlan(key="b", operation="noop", upstreams=["a"]),
        ]
    )


@task_type("test.clock")
def clock(params: NoParams) -> Plan:
    """Never the same twice, and gives its step what it does not take."""
    return Plan(subtasks=[SubtaskPlan(key=f"at-{time.perf_counter_ns()}", operation="wait", params={"minutes": 1})])
