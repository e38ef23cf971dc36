"""The form for those who would rather fill in than type: it makes the search box's text, and is filled from it.

So there is one search, one address and one place that decides what it finds. Knows no task.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.console.http import see
from services.api.console.list_look import LOOKS, OURS, Look
from services.api.console.searchbox import QUALIFIERS, STATES, BadSearch, tokens, write
from services.api.rest.policy import needs
from services.api.rest.words import plain

WORDS: Final = ("name", "type", "by", "object", "host", "cluster", "tenant", "team", "label", "parent", "id")
"""The qualifiers that have a field of their own, in its order."""
LABELS: Final = {
    "name": "Name",
    "type": "Task type",
    "by": "Operator",
    "object": "Object",
    "host": "Host",
    "cluster": "Cluster",
    "tenant": "Tenant",
    "team": "Team",
    "label": "Label",
    "parent": "Created by task",
    "id": "IDs",
}
TIMES: Final = {
    "from": "Created from (UTC)",
    "until": "Created before (UTC)",
    "finished": "Completed from (UTC)",
    "before": "Completed before (UTC)",
}
AGES: Final = {
    "": "any time",
    "1h": "the last hour",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "4w": "4 weeks",
}
_AGO: Final = re.compile(r"\d+[smhdw]")
_SEVERAL: Final = frozenset({"label"})
"""Fields whose words are a qualifier each."""


@needs(Permission.READ)
async def search(request: Request) -> Response:
    """Lead to the list that the filled-in form means."""
    given = request.query_params
    look = LOOKS.get(given.get("look", ""), OURS)
    text = text_of(look, given.multi_items())
    kept = [(name, value) for name, value in given.multi_items() if name in {"sort", "cols"} and value]
    pairs = [*([("q", text)] if text else []), *kept]
    return see(look.path + (f"?{urlencode(pairs)}" if pairs else ""))


def text_of(look: Look, fields: Iterable[tuple[str, str]]) -> str:
    """Return the search of the filled-in form."""
    given: dict[str, list[str]] = {}
    for name, value in fields:
        if value.strip():
            given.setdefault(name, []).append(value.strip())
    words = [(look.qualifier, ",".join(given.get("state", [])))]
    for name in WORDS:
        for value in given.get(name, []):
            words += [(name, word) for word in value.split()] if name in _SEVERAL else [(name, value)]
    words += [("since", value) for value in given.get("since", [])[:1] or given.get("from", [])[:1]]
    words += [(name, value) for name in ("until", "finished", "before") for value in given.get(name, [])[:1]]
    return write([*words, *(("", value) for value in given.get("text", []))])


def filled(look: Look, text: str) -> dict[str, Any]:
    """Return the form as a search fills it; what cannot be understood fills nothing."""
    try:
        said = tokens(text)
    except BadSearch:
        said = []
    every: dict[str, list[str]] = {}
    for name, value in said:
        every.setdefault(name or "text", []).append(value)
    states = {plain(word).lower() for name in STATES for value in every.get(name, []) for word in value.split(",")}
    since = (every.get("since") or [""])[-1]
    ages = AGES if since in AGES or not _AGO.fullmatch(since) else {**AGES, since: f"the last {since}"}
    times = {"from": "" if _AGO.fullmatch(since) else since}
    times |= {name: (every.get(name) or [""])[-1] for name in ("until", "finished", "before")}
    return {
        "states": [{"word": chip.word, "value": chip.said, "on": chip.said in states} for chip in look.chips],
        "words": [
            {
                "name": name,
                "word": LABELS[name],
                "value": (" " if name in _SEVERAL else ",").join(every.get(name, [])),
                "example": QUALIFIERS[name].example.partition(":")[2].replace('"', ""),
            }
            for name in WORDS
        ],
        "ages": [{"word": word, "value": value, "on": value == since} for value, word in ages.items()],
        "times": [{"name": name, "word": TIMES[name], "value": _local(value)} for name, value in times.items()],
        "text": " ".join(every.get("text", [])),
    }


def _local(value: str) -> str:
    """Return a time as a browser's field takes it, empty for what is none."""
    found = re.match(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", value)
    return (found.group() if found.group(1) else f"{found.group()}T00:00") if found else ""


ROUTES: tuple[tuple[str, str, Any], ...] = (("GET", "/tasks/search", search),)
