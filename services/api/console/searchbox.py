"""The search box: `state:failed type:sql.script by:admin since:2h billing` as the parameters of REST's list.

Knows the qualifiers' names; what their values may be, and which tasks they find, is `rest/query.py`'s affair, so that
page and API cannot find different tasks. A word without a qualifier is looked for in names and parameters.
"""

import shlex
from collections.abc import Callable, Mapping
from typing import Final

Pairs = list[tuple[str, str]]


class BadSearch(ValueError):  # noqa: N818  what somebody typed
    """The text cannot be understood; the message says where and what to write instead."""


def parse(text: str) -> Pairs:
    """Return the list's parameters. Raises `BadSearch`."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise BadSearch('A quotation mark is not closed. Quote values with spaces: name:"Disks of db-17".') from None
    found: Pairs = []
    loose: list[str] = []
    for word in words:
        name, colon, value = word.partition(":")
        make = QUALIFIERS.get(name) if colon else None
        if make is None and (not colon or not name.isalpha()):
            loose.append(word)
        elif make is None:
            raise BadSearch(f"There is no qualifier {name}: there are {', '.join(QUALIFIERS)}. Or quote the word.")
        elif not value:
            raise BadSearch(f"{name}: what? Write a value behind the colon.")
        else:
            found += make(value)
    return found + ([("text", " ".join(loose))] if loose else [])


def _as(*names: str) -> Callable[[str], Pairs]:
    return lambda value: [(name, value) for name in names]


def _object(value: str) -> Pairs:
    kind, slash, name = value.partition("/")
    if value == "*":
        return []
    return [("objectKind", kind), ("objectName", name)] if slash and kind and name else [("objectName", value)]


def _label(value: str) -> Pairs:
    key, sign, rest = value.partition("=") if "=" in value else value.partition(":")
    if not sign:
        raise BadSearch("label: has a key and a value: label:stage=prod.")
    return [("label", f"{key}:{rest}")]


def _since(value: str) -> Pairs:
    return [("since" if value[-1:] in "smhdw" and value[:-1].isdigit() else "createdFrom", value)]


QUALIFIERS: Final[Mapping[str, Callable[[str], Pairs]]] = {
    "state": _as("state"),
    "status": _as("status"),
    "type": _as("taskType"),
    "by": _as("operator"),
    "name": _as("name"),
    "object": _object,
    "host": _as("hostName"),
    "cluster": _as("clusterName"),
    "tenant": _as("tenantName"),
    "label": _label,
    "team": lambda value: [("label", f"team:{value}")],
    "parent": _as("parent"),
    "since": _since,
    "until": _as("createdTo"),
    "finished": _as("finishedFrom"),
    "text": _as("text"),
}
"""What may stand before a colon, in the order in which it is suggested."""


def with_state(text: str, word: str | None) -> str:
    """Return the search with this state instead of any other; None for all states."""
    kept = [part for part in text.split() if not part.startswith("state:")]
    return " ".join([*([f"state:{word}"] if word else []), *kept])
