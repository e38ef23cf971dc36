"""Value secrets as pages: their names and who set them; set, set anew, removed. No page shows a value.

What is stored, and what is refused, is the API's affair (`rest/secrets.py`).
"""

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
from services.api.rest.errors import Problem
from services.api.rest.policy import needs
from services.api.rest.ports import api
from services.api.rest.secrets import put
from services.api.rest.secrets import remove as remove_secret
from shared.store.secrets import SecretInfo

STRING: Final = frozenset({"string"})
FIELDS: Final = (
    Field("name", Kind.TEXT, "Name", "Tasks and connections name it as kv:NAME.", required=True, types=STRING),
    Field(
        "value",
        Kind.LONG,
        "Value",
        "Sealed as soon as it arrives; nobody reads it back. Every character counts.",
        required=True,
        types=STRING,
    ),
    Field("teams", Kind.LINES, "Teams", "Only tasks of these teams may use it; empty: all tasks.", types=STRING),
)


@needs(Permission.ADMINISTER)
async def secrets(request: Request) -> Response:
    """List the secrets, without their values."""
    return page(request, "secrets.html", secrets=await api(request).secrets.all())


@needs(Permission.ADMINISTER)
async def edit(request: Request) -> Response:
    """Show the form of a secret: an empty one, or one to set `name` anew."""
    name = request.query_params.get("name", "")
    info = await _there(request, name) if name else None
    values = {"teams": info.teams} if info is not None else {}
    return _form(request, spelled(FIELDS, values, ""), name, Errors())


@needs(Permission.ADMINISTER)
async def save(request: Request) -> Response:
    """Set a secret as the form says."""
    texts = dict(await form(request))
    known = texts.get("known", "")
    value = texts.get("/value", "").replace("\r\n", "\n")
    body, faults = read(FIELDS, texts, "")
    name = known or body.get("name", "")
    faults += missing(FIELDS[1:] if known else FIELDS, body, "")
    if not known and name in await api(request).secrets.all():
        faults.append(Fault("/name", "there is a secret of this name: set that one anew"))
    try:
        readable(faults)
        await put(request, name, {"value": value, "teams": body.get("teams")})
    except Invalid as error:
        kept = {field: text for field, text in texts.items() if field != "/value"}
        return _form(request, kept, known, sorted_out(error.faults, named(FIELDS, texts, "")), 422)
    return see("/secrets")


@needs(Permission.ADMINISTER)
async def ask_removal(request: Request) -> Response:
    """Ask whether a secret is to be removed."""
    name = request.query_params.get("name", "")
    await _there(request, name)
    return page(
        request, "remove.html", what="secret", name=name, action="/secrets/remove", back="/secrets",
        said="Tasks that name it fail from now on. There is no way to get the value back.",
    )  # fmt: skip


@needs(Permission.ADMINISTER)
async def remove(request: Request) -> Response:
    """Remove a secret that no connection names."""
    await remove_secret(request, dict(await form(request)).get("name", ""))
    return see("/secrets")


def _form(request: Request, texts: Texts, known: str, errors: Errors, status: int = 200) -> Response:
    found = errors.by_name
    wrong = [(name, field.label, found[name]) for field in FIELDS if (name := f"/{field.name}") in found]
    return page(
        request, "target_form.html", status=status, what="secret", known=known, action="/secrets/edit", back="/secrets",
        inputs=drawn(FIELDS if not known else FIELDS[1:], texts, found, ""), wrong=wrong, others=errors.others,
        autofill="off",
    )  # fmt: skip


async def _there(request: Request, name: str) -> SecretInfo:
    """Return what is known of the secret. Raises 404."""
    info = (await api(request).secrets.all()).get(name)
    if info is None:
        raise Problem(404, 4001, "There is no such secret.")
    return info


ROUTES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("GET", "/secrets", secrets),
    ("GET", "/secrets/edit", edit),
    ("POST", "/secrets/edit", save),
    ("GET", "/secrets/remove", ask_removal),
    ("POST", "/secrets/remove", remove),
)
