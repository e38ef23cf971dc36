"""Creating a task: pick a type or paste a plan, fill in its form, see what would happen, create it.

Forms come from the types' schemas (`fields.py`); a body is checked, previewed and created by the same commands that
REST gives. A form carries an idempotency key, so a double click creates one task.
"""

from secrets import token_hex
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.asked import Asked, Create
from services.api.console.create_draft import Draft
from services.api.console.create_like import body_of
from services.api.console.foreseen import Foreseen, foreseen
from services.api.console.http import form, page, see
from services.api.console.offered import offered, parents
from services.api.console.reading import readable
from services.api.creation import PLAN_TYPE
from services.api.invalid import Fault, Invalid
from services.api.rest.body import MAX_KEY
from services.api.rest.errors import Problem, bad_parameter
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.preview import outlook
from services.api.rest.tasks import shown_one
from shared.task.ids import MAX_TASK_ID
from shared.task.refusals import KeyReused, PlanInvalid

MANY_TYPES: Final = 12
"""With more types than this the page has a box to find one."""


@needs(Permission.MANAGE)
async def types(request: Request) -> Response:
    """Show what kinds of task there are."""
    cards, words = list(api(request).catalog.types.values()), request.query_params.get("q", "").lower().split()
    found = [card for card in cards if all(word in f"{card.name} {card.description}".lower() for word in words)]
    return page(
        request, "create.html", cards=found, q=" ".join(words), searched=bool(words) or len(cards) > MANY_TYPES,
        operations=len(api(request).catalog.operations),
    )  # fmt: skip


@needs(Permission.MANAGE)
async def blank(request: Request) -> Response:
    """Show an empty form, one like another task (`like`), or one filled in by the address (`/params/…`)."""
    draft = await _draft(request, {})
    draft.as_json = request.query_params.get("as") == "json"
    draft.fill(await _like(request))
    names = draft.names()
    draft.texts |= {name: text for name, text in request.query_params.items() if name in names}
    return await _show(request, draft)


@needs(Permission.MANAGE)
async def filled(request: Request) -> Response:
    """Carry out what the form's button says: preview or create; add or remove a row; write parameters as JSON."""
    texts = dict(await form(request))
    do, _, what = texts.pop("do", "preview").partition(":")
    key = texts.pop("key", "")
    draft = await _draft(request, texts)
    draft.as_json = texts.pop("as", "") == "json"
    match do:
        case "add":
            draft.add(what)
        case "remove":
            draft.remove(what)
        case "json" | "fields":
            faults = draft.switch(as_json=do == "json")
            draft.blame(faults, {})
        case "create":
            return await _create(request, draft, key)
        case _:
            return await _preview(request, draft, key)
    return await _show(request, draft, key=key)


async def _create(request: Request, draft: Draft, key: str) -> Response:
    body, faults = draft.body()
    try:
        readable(faults)
        asked = Asked.by(principal(request), "console", key[:MAX_KEY] if key.isascii() and key else None)
        done = await api(request).commands.perform(Create(body), asked)
    except KeyReused:
        draft.errors.others.append("This form was sent before, with other contents. Create again makes another task.")
        return await _show(request, draft, status=409)
    except (Invalid, PlanInvalid) as error:
        return await _wrong(request, draft, error, body, key)
    return see(f"/tasks/{done.task.id}")


async def _preview(request: Request, draft: Draft, key: str) -> Response:
    body, faults = draft.body()
    try:
        readable(faults)
        found = await api(request).commands.preview(Create(body), Asked.by(principal(request), "console"))
    except (Invalid, PlanInvalid) as error:
        return await _wrong(request, draft, error, body, key)
    told = await outlook(request, found)
    return await _show(request, draft, key=key, seen=foreseen(found, body, draft.card, told))


async def _wrong(
    request: Request, draft: Draft, error: Invalid | PlanInvalid, body: dict[str, Any], key: str
) -> Response:
    """Show the form again, with what was typed and what is wrong with it."""
    faults = error.faults if isinstance(error, Invalid) else [Fault("/plan", error.message)]
    draft.blame(faults, body)
    return await _show(request, draft, status=422, key=key)


async def _show(
    request: Request, draft: Draft, *, status: int = 200, key: str = "", seen: Foreseen | None = None
) -> Response:
    card = draft.card
    return page(
        request,
        "create_form.html",
        status=status,
        card=card,
        name=card.name if card is not None else PLAN_TYPE,
        as_json=draft.as_json,
        drawable=card is None or draft.drawable is not None,
        key=key or token_hex(16),
        wrong=draft.wrong(),
        others=draft.errors.others,
        seen=seen,
        offered=await offered(request),
        **draft.inputs(),
    )


async def _draft(request: Request, texts: dict[str, str]) -> Draft:
    """Return a draft of the type that the path names. Raises 404."""
    name, card = request.path_params["name"], None
    if name != PLAN_TYPE:
        card = api(request).catalog.types.get(name)
        if card is None:
            raise Problem(404, 4001, f"No executor offers task type {name[:100]}. /create has those on offer.")
    teams = principal(request).teams
    standing = await parents(request, card) if card is not None else {}
    return Draft(card, texts, teams=tuple(sorted(teams)) if teams is not None else None, parents=standing)


async def _like(request: Request) -> dict[str, Any]:
    """Return the body of the task that `like` names, an empty one when it names none. Raises 400, 404."""
    given = request.query_params.get("like", "")
    if not given:
        return {}
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MAX_TASK_ID):
        raise bad_parameter("like", "is the number of a task")
    task = await shown_one(request, int(given))
    name = request.path_params["name"]
    if task.type != name:
        raise Problem(404, 4001, f"The task {given} is of type {task.type}, not {name[:100]}.")
    return body_of(task, api(request).catalog.operations)


ROUTES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("GET", "/create", types),
    ("GET", "/create/{name}", blank),
    ("POST", "/create/{name}", filled),
)
