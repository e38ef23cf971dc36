"""The log of one subtask: as OCP's clients know it, line by line, as it comes, and as a file."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.rest import query
from services.api.rest.envelope import ok
from services.api.rest.errors import bad_parameter
from services.api.rest.live.log_download import Download, text_of
from services.api.rest.live.log_follow import Follow
from services.api.rest.live.log_line import LEVELS, Cursor, Wanted
from services.api.rest.live.log_page import Pages
from services.api.rest.live.log_runs import RunAbout, concerns, meant, runs_of
from services.api.rest.live.response import EventStream
from services.api.rest.log_text import LogText
from services.api.rest.policy import needs, visible
from services.api.rest.ports import Api, api
from shared.log.port import Stored
from shared.messages.codec import Undecodable, decode
from shared.task.refusals import SubtaskNotFound, TaskNotFound

MOST: Final = 4 * 1024 * 1024
"""How many characters OCP's answer has at most; what is longer is shown from its end."""
DEFAULT_SIZE: Final = 1000
MAX_SIZE: Final = 5000
ASKED: Final = frozenset({"level", "find", "tail", "attempt", "after", "before", "cursor", "size", "follow"})
"""With one of these the answer is line by line."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose log."""

    task_id: int
    number: int
    subtask_id: int

    @property
    def download(self) -> str:
        """Where the whole log is."""
        return f"/api/v2/tasks/instances/{self.task_id}/subtasks/{self.subtask_id}/log/download"


@needs(Permission.READ)
async def log(request: Request) -> Response:
    """Show what the subtask has printed: OCP's one text, or with any parameter line by line."""
    place = await _place(request)
    if not ASKED.isdisjoint(request.query_params):
        return await _lines(request, place)
    found = api(request)
    batches, whole = await found.logs.newest(place.task_id, place.number, 2 * MOST)
    text = await followed(found, place.task_id, place.number)
    for batch in batches:
        text.batches([batch.body])
    note = f"[earlier lines are left out here; the whole log: GET {place.download}]"
    return ok(request, {"log": text.newest(MOST, note, cut=not whole)})


@needs(Permission.READ)
async def download(request: Request) -> Response:
    """Send the whole log as a file."""
    place, found = await _place(request), api(request)
    packed = query.flag(request, "gzip")
    wanted, _ = await _wanted(request, place)
    text = await followed(found, place.task_id, place.number)
    pieces = text_of(found.logs, place.task_id, place.number, text, wanted)
    return Download(pieces, name=f"task-{place.task_id}-subtask-{place.subtask_id}.log", packed=packed)


async def followed(found: Api, task_id: int, number: int) -> LogText:
    """Return the text's frame: its runs, and a note where lines may have expired."""
    text = LogText(task_id, number)
    for stored in await found.log.history(task_id):
        if concerns(stored, number):
            take(text, stored)
    kept = await found.logs.kept()
    if kept.since is not None:
        text.expired(kept.since)
    return text


async def _place(request: Request) -> Place:
    """Return which subtask the path names. Raises what says that there is none for the caller."""
    task_id = query.task_id(request)
    number = query.subtask_number(request, task_id)
    task = await api(request).log.load(task_id, fresh=True)
    if task is None:
        raise TaskNotFound(f"The task {task_id} does not exist.")
    visible(request, task)
    if task.find(number) is None:
        raise SubtaskNotFound(f"Task {task_id} has no subtask {number}.")
    return Place(task_id, number, int(request.path_params["subtask_id"]))


async def _lines(request: Request, place: Place) -> Response:
    found = api(request)
    after, before = _cursor(request, "after", "cursor"), _cursor(request, "before")
    tail = query.number(request, "tail", least=0, most=MAX_SIZE)
    size = query.number(request, "size", DEFAULT_SIZE, least=1, most=MAX_SIZE) or DEFAULT_SIZE
    follow = query.flag(request, "follow")
    if sum(given is not None for given in (after, before, tail)) > 1 or (follow and before is not None):
        raise bad_parameter("after, before and tail", "go one at a time, and only tail or after with follow")
    wanted, runs = await _wanted(request, place)
    pages = Pages(found.logs, place.task_id, place.number, wanted)
    if follow:
        return _stream(request, place, pages, after, tail)
    if tail is not None or before is not None:
        page = await pages.before(before, tail if tail is not None else size)
    else:
        upto = await pages.last()
        page = await pages.after(after or Cursor(), size, upto=upto)
    shown = page.shown()
    if after is None:
        shown |= await _about(request, place, runs)
    return ok(request, shown)


def _stream(request: Request, place: Place, pages: Pages, after: Cursor | None, tail: int | None) -> EventStream:
    found = api(request)
    seen = request.headers.get("last-event-id", "").strip()
    if seen:
        after, tail = Cursor.of(seen), None
        if after is None:
            raise bad_parameter("Last-Event-ID", "is the cursor of a line")
    source = Follow(
        found.logs,
        found.log,
        pages,
        task_id=place.task_id,
        number=place.number,
        after=after or Cursor(),
        tail=tail,
    )
    return EventStream(request, source, found.live.streams)


async def _about(request: Request, place: Place, runs: list[RunAbout] | None) -> dict[str, Any]:
    """Return what a reader who begins wants to know: the runs there are, and since when lines are kept."""
    found = api(request)
    if runs is None:
        runs = runs_of(await found.log.history(place.task_id), place.number)
    about: dict[str, Any] = {"runs": [run.shown() for run in runs]}
    kept = await found.logs.kept()
    if kept.since is not None and runs and runs[0].at < kept.since:
        about["expired"] = kept.since.isoformat()
    return about


async def _wanted(request: Request, place: Place) -> tuple[Wanted, list[RunAbout] | None]:
    """Return which lines are asked for, and the subtask's runs when they had to be looked at."""
    level = (request.query_params.get("level") or "All").upper()
    if level not in LEVELS:
        raise bad_parameter("level", "is one of All, Alert, DEBUG, INFO, WARN, ERROR")
    find, given, runs = query.text(request, "find"), query.text(request, "attempt"), None
    asked = None
    if given is not None:
        runs = runs_of(await api(request).log.history(place.task_id), place.number)
        asked = meant(runs, given)
        if asked is None:
            raise bad_parameter("attempt", "is generation-attempt such as 2-3, or the number of an execution")
    return Wanted(LEVELS[level], find, asked), runs


def _cursor(request: Request, *names: str) -> Cursor | None:
    given = query.text(request, *names)
    found = Cursor.of(given) if given is not None else None
    if given is not None and found is None:
        raise bad_parameter(names[0], "is the cursor of a page or of a line")
    return found


def take(text: LogText, stored: Stored) -> None:
    """Let the text's frame follow one commit; one that cannot be read changes nothing."""
    try:
        commit = decode(stored.body)
    except Undecodable:
        return
    for decision in commit.decisions:
        text.follow(decision)
