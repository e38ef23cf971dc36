"""Connections as pages: listed for those whose tasks may use them, defined and removed by administrators.

What is stored, and what is refused, is the API's affair (`rest/connections.py`). A password is never typed here: a
connection names the secrets it needs.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.fields import Field, Kind
from services.api.console.filling import Texts, spelled
from services.api.console.http import form, page, see
from services.api.console.inputs import Errors, drawn, named, sorted_out
from services.api.console.reading import missing, read, readable
from services.api.invalid import Fault, Invalid
from services.api.rest.connections import define, seen_by
from services.api.rest.errors import Problem
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from shared.store.connections import ConnectionSpec

STRING: Final = frozenset({"string"})
NAME: Final = Field("name", Kind.TEXT, "Name", "Letters, digits and ._- alone.", required=True, types=STRING)
URL: Final = Field(
    "url",
    Kind.TEXT,
    "Address",
    "postgresql://user@host:5432/database, mysql://…, sqlite:///folder/file.db, s3://bucket/prefix, gs://…, az://…, "
    "file:///folder. No password in it.",
    required=True,
    types=STRING,
)
REST: Final = (
    Field("options", Kind.PAIRS, "Options", "Settings of the driver, such as sslmode = require.", types=STRING),
    Field(
        "secrets",
        Kind.PAIRS,
        "Secrets",
        "What each is for, and where it lies: password = kv:crm/password. Set kv: secrets first.",
        types=STRING,
    ),
    Field("description", Kind.LONG, "Description", types=STRING),
    Field("teams", Kind.LINES, "Teams", "Only tasks of these teams may use it; empty: all tasks.", types=STRING),
)
FIELDS: Final = (NAME, URL, *REST)


@needs(Permission.READ)
async def connections(request: Request) -> Response:
    """List the connections that tasks of the reader's teams may use."""
    found = [spec for spec in await api(request).connections.all() if seen_by(request, spec)]
    who = principal(request)
    return page(
        request, "connections.html", connections=found, may=who.may(Permission.ADMINISTER),
        may_create=who.may(Permission.MANAGE),
    )  # fmt: skip


@needs(Permission.ADMINISTER)
async def edit(request: Request) -> Response:
    """Show the form of a connection: an empty one, or that of the one that `name` names."""
    name = request.query_params.get("name", "")
    spec = await _there(request, name) if name else None
    values = spec.model_dump(mode="json") if spec is not None else {}
    return _form(request, spelled(FIELDS, values, ""), name if spec is not None else "", Errors())


@needs(Permission.ADMINISTER)
async def save(request: Request) -> Response:
    """Define a connection as the form says."""
    texts = dict(await form(request))
    body, faults = read(FIELDS, texts, "")
    known = texts.get("known", "")
    faults += missing(FIELDS[1:] if known else FIELDS, body, "")
    if not known and await _exists(request, body.get("name")):
        faults.append(Fault("/name", "there is a connection of this name: change that one"))
    try:
        readable(faults)
        await define(request, known or body.pop("name", ""), body)
    except Invalid as error:
        return _form(request, texts, known, sorted_out(error.faults, named(FIELDS, texts, "")), 422)
    return see("/connections")


@needs(Permission.ADMINISTER)
async def ask_removal(request: Request) -> Response:
    """Ask whether a connection is to be removed."""
    spec = await _there(request, request.query_params.get("name", ""))
    return page(
        request, "remove.html", what="connection", name=spec.name, action="/connections/remove", back="/connections",
        said="Tasks that name it fail from now on, those that wait included. What runs now keeps what it was given.",
    )  # fmt: skip


@needs(Permission.ADMINISTER)
async def remove(request: Request) -> Response:
    """Remove a connection."""
    name = dict(await form(request)).get("name", "")
    await _there(request, name)
    await api(request).connections.remove(name, by=principal(request).name)
    return see("/connections")


def _form(request: Request, texts: Texts, known: str, errors: Errors, status: int = 200) -> Response:
    fields = FIELDS if not known else FIELDS[1:]
    wrong = _wrong(errors.by_name)
    return page(
        request, "target_form.html", status=status, what="connection", known=known, action="/connections/edit",
        back="/connections", inputs=drawn(fields, texts, errors.by_name, ""), wrong=wrong, others=errors.others,
        autofill="on",
    )  # fmt: skip


def _wrong(errors: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, field.label, errors[name]) for field in FIELDS if (name := f"/{field.name}") in errors]


async def _exists(request: Request, name: Any) -> bool:
    return any(spec.name == name for spec in await api(request).connections.all())


async def _there(request: Request, name: str) -> ConnectionSpec:
    """Return the connection. Raises 404."""
    for spec in await api(request).connections.all():
        if spec.name == name:
            return spec
    raise Problem(404, 4001, "There is no such connection.")


ROUTES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("GET", "/connections", connections),
    ("GET", "/connections/edit", edit),
    ("POST", "/connections/edit", save),
    ("GET", "/connections/remove", ask_removal),
    ("POST", "/connections/remove", remove),
)
