"""The object lists of a synchronisation: the newest of a kind, and the lines of one. What is read is REST's affair."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.http import address, page
from services.api.console.object_lists_read import SAID, WORDS, place, text_of
from services.api.rest import query
from services.api.rest.policy import needs
from services.api.rest.sync import PATH as REST
from services.api.rest.sync_lists import Lists, lists_of, name_of
from shared.messages.object_lists import FOLDERS


@needs(Permission.READ)
async def lists(request: Request) -> Response:
    """Show the newest lists of a kind, of all children or of one."""
    child = query.number(request, "child", least=1)
    found = await lists_of(request)
    told = await found.newest(child)
    shown = [
        {
            "name": one.name,
            "href": place(found.task.id, found.which, one.name),
            "child": int(one.name.partition("-")[0]),
            "size": one.size,
            "at": one.at,
        }
        for one in told.lists
    ]
    total = f"{told.total:,}" if told.counted else f"more than {told.total:,}"
    return page(
        request,
        "object_lists.html",
        **_frame(request, found),
        lists=shown,
        shown=f"{len(shown)} shown, the newest of {total}" if told.total > len(shown) else f"{len(shown)} shown",
        child=child,
        every=address(request, child=None),
    )


@needs(Permission.READ)
async def one_list(request: Request) -> Response:
    """Show the first lines of a list, and the way to all of it."""
    found, name = await lists_of(request), name_of(request)
    told = await found.piece(name)
    return page(
        request,
        "object_list.html",
        **_frame(request, found),
        name=name,
        size=told.size,
        text=text_of(found.which, told.piece, told.size),
        download=f"{REST}/{found.task.id}/lists/{found.which}/{name}",
        child=int(name.partition("-")[0]),
        kind_href=place(found.task.id, found.which),
    )


def _frame(request: Request, found: Lists) -> dict[str, Any]:
    return {
        "task": found.task,
        "word": WORDS[found.which],
        "said": SAID[found.which],
        "folder": found.folder,
        "destination": found.destination,
        "kinds": [
            (WORDS[which], address(request, place(found.task.id, which)), which == found.which) for which in FOLDERS
        ],
    }


_LISTS: Final = "/sync/{task_id:digits}/lists/{which}"
ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", _LISTS, lists), ("GET", f"{_LISTS}/{{name}}", one_list))
