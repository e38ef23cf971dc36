"""`opsledger type list`: what is installed here, what the server offers, and what is broken."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.failure import Exit, UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.look.console import clean, err, grid, out, show
from opsledger.cli.rest.client import Client
from opsledger.cli.rest.connection import Address, resolve
from opsledger.cli.rest.trouble import ApiError, Unreachable
from opsledger.cli.rest.view import mapping, objects, text
from opsledger.cli.task.output import Output, write_json, write_lines
from opsledger.cli.type import bench

TYPES, OPERATIONS = "/api/v2/task-types", "/api/v2/operations"
_HERE = Address()
Cards = dict[str, Mapping[str, Any]]


def list_types(
    name: str | None = None,
    /,
    *,
    local: Annotated[Flag, Parameter(help="Ask no server: only what is installed here.")] = False,
    output: Output = "table",
    address: Address = _HERE,
) -> int:
    """List task types and operations: what is installed here, and what the server offers if one answers.

    Exit code 1 when an entry point that is installed here is broken.

    Parameters
    ----------
    name
        Only those whose name begins so; of a single one the parameters, too.
    local
        Ask no server.
    output
        table, json or jsonl (one of them a line).
    """
    here = mapping(bench.ask("list"))
    there = None if local else _server(address)
    rows = [
        row
        for kind, word in (("task type", "types"), ("operation", "operations"))
        for row in _rows(kind, _by_name(here, word), None if there is None else _by_name(there, word))
        if row["name"].startswith(name or "")
    ]
    broken = [one for one in objects(here.get("broken")) if text(one.get("name")).startswith(name or "")]
    if output == "json":
        write_json({"contents": rows, "broken": broken, "server": there is not None})
    elif output == "jsonl":
        write_lines(rows)
    else:
        _print(rows, broken)
    if not rows and not broken:
        raise UsageError(f"nothing is called {name}", next_step="see all: opsledger type list")
    return Exit.FAILED if broken else Exit.DONE


def _server(address: Address) -> Mapping[str, Any] | None:
    """What the server offers; None, with a word on why, when none can be asked."""

    async def ask() -> dict[str, Any]:
        async with Client(resolve(address)) as client:
            types, operations = await asyncio.gather(client.get(TYPES), client.get(OPERATIONS))
        return {name: mapping(it.data).get("contents") for name, it in (("types", types), ("operations", operations))}

    try:
        return asyncio.run(ask())
    except (UsageError, Unreachable, ApiError) as error:
        if address.url is not None or address.data_dir is not None:
            raise
        err().print(Text(f"no server was asked: {error.cause}", style="label"), soft_wrap=True)
        return None


def _by_name(found: Mapping[str, Any], word: str) -> Cards:
    return {text(card.get("name")): card for card in objects(found.get(word))}


def _rows(kind: str, here: Cards, there: Cards | None) -> list[dict[str, Any]]:
    """One row a name, in order: installed here, offered there, or both, with the version of each."""
    rows = []
    for name in sorted({*here, *(there or {})}):
        ours, theirs = here.get(name), (there or {}).get(name)
        card = ours or theirs or {}
        rows.append(
            {
                "name": name,
                "kind": kind,
                "installed": ours.get("version") if ours else None,
                "offered": theirs.get("version") if theirs else None,
                "standing": bool(card.get("standing")),
                "package": ours.get("package") if ours else None,
                "description": card.get("description"),
                "params_schema": card.get("params_schema"),
            }
        )
    return rows


def _print(rows: list[dict[str, Any]], broken: list[Mapping[str, Any]]) -> None:
    console = out()
    if rows:
        table = grid("name", "kind", "here", "server", "package", "what it does", wide="what it does")
        for row in rows:
            table.add_row(
                *(
                    clean(row["name"]),
                    "standing type" if row["standing"] else row["kind"],
                    _version(row["installed"]),
                    _version(row["offered"]),
                ),
                *(clean(row["package"] or "-"), Text(clean(row["description"] or ""))),
            )
        show(console, table)
    if len(rows) == 1:
        _print_params(mapping(rows[0]["params_schema"]))
    for one in broken:
        said = Text.assemble(("broken  ", "bad"), (clean(text(one.get("name"))), "head"))
        console.print(
            said.append(f"  {clean(text(one.get('value')))}: {clean(text(one.get('reason')))}"), soft_wrap=True
        )


def _print_params(schema: Mapping[str, Any]) -> None:
    fields = mapping(schema.get("properties"))
    if not fields:
        return
    required = schema.get("required") or []
    table = grid("parameter", "type", "default", "what it means", wide="what it means")
    for name, about in fields.items():
        field = mapping(about)
        default = "required" if name in required else str(field.get("default", ""))
        table.add_row(clean(name), _type(field), clean(default), Text(clean(text(field.get("description")))))
    out().print()
    show(out(), table)


def _type(field: Mapping[str, Any]) -> str:
    if field.get("format") == "secret":
        return "secret"
    choices = objects(field.get("anyOf")) or [field]
    words = [text(one.get("type")) or text(one.get("$ref")).rpartition("/")[2] or "any" for one in choices]
    return " or ".join(words)


def _version(number: object) -> str:
    return "-" if number is None else f"v{number}"
