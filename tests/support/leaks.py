"""An operation that is told secrets and says them wherever it can, in every form. For the canary test alone."""

import base64
import hashlib
import json
import logging
import sys
from typing import Annotated, Any, ClassVar
from urllib.parse import quote, quote_plus

import structlog
from pydantic import Field

from services.executor.operations.contract import Context, Operation, Params, PermanentFault, Secret

HALVES = """
import os, sys
value, out = os.environ["V"].encode(), sys.stdout.buffer
out.write(value[:7])
out.flush()
out.write(value[7:])
"""
"""A program that says a value in two pieces, without an end of line."""


class LeakParams(Params):
    """What to be told, and how to end."""

    secrets: list[Secret]
    connection: str
    end: str = "return"
    """`return`, `large`, `permanent` or `unforeseen`."""
    made: Annotated[str, Field(pattern="^[0-9]+$")] = "0"


class Leak(Operation[LeakParams]):
    """Says what it is told."""

    name: ClassVar[str] = "leak"

    async def execute(self, ctx: Context, params: LeakParams) -> Any:
        """Say all of it; the output has the values' hashes, which prove that they came."""
        values = [await ctx.secret(reference) for reference in params.secrets]
        values += (await ctx.connection(params.connection)).secrets.values()
        own = hashlib.sha256(f"made {params.made}".encode()).hexdigest()
        await ctx.store_secret("kv:made/by-operation", own)
        values.append(await ctx.secret("kv:made/by-operation"))
        forms = [form for value in values for form in said(value)]
        for form in forms:
            ctx.log.info(f"it is {form}, is it not")  # noqa: G004  not a logger of logging's
            await ctx.log.write("WARN", form)
            logging.getLogger("driver").warning("cannot log in with %s", form)
            structlog.get_logger("driver").error("cannot log in", password=form)
        ctx.progress(0.5, f"at {values[0]}")
        for value in values:
            await ctx.run([sys.executable, "-I", "-c", HALVES], env={"V": value})
        await ctx.run(["cat"], stdin="".join(f"\x1b[1m{value[:5]}\x1b[0m{value[5:]}\n" for value in values).encode())
        async with ctx.results.writer(f"{ctx.task_id}-{ctx.subtask}-leak") as file:
            for place in range(200):
                raw = forms[place % len(forms)].encode()
                await file.write(raw[:9])
                await file.write(raw[9:] + b"\n")
        told = {"hashes": [digest(value) for value in values], "file": file.reference, "said": forms, values[0]: 1}
        match params.end:
            case "permanent":
                raise PermanentFault(f"{'x' * 1990} {values[0]}", {"kind": "LEAK", "said": forms, **told})
            case "unforeseen":
                raise RuntimeError(values)
            case "large":
                return {**told, "more": forms * 100}
            case _:
                return told

    async def undo(self, ctx: Context, params: LeakParams, output: Any) -> None:
        """Say it once more, and fail with it."""
        value = await ctx.secret(params.secrets[0])
        ctx.log.info(value)
        raise PermanentFault(f"cannot log in with {value}")


def digest(value: str) -> str:
    """What proves that a value was known."""
    return hashlib.sha256(value.encode()).hexdigest()


def said(value: str) -> list[str]:
    """The forms in which programs say a value."""
    raw = value.encode()
    encoded = [b"", b"x:", b"u:", b"user:"]
    return [
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps({"password": value}),
        repr(value),
        raw.hex(),
        *(base64.b64encode(before + raw + b"\n").decode() for before in encoded),
        *(base64.urlsafe_b64encode(before + raw).decode() for before in encoded),
    ]
