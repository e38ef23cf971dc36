"""The search box: `state:failed type:sql.script by:admin since:2h billing` as the parameters of REST's list, and back.

Knows the qualifiers' names; what their values may be, and which tasks they find, is `rest/query.py`'s affair, so that
page and API cannot find different tasks. A word without a qualifier is looked for in names and parameters; so is one
in quotation marks, whatever it looks like.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

Pairs = list[tuple[str, str]]
Make = Callable[[str], Pairs]
ME: Final = "me"
"""Stands for whoever searches, behind `by:`."""

_TOKEN: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?")
_AGO: Final = re.compile(r"\d+[smhdw]")


class BadSearch(ValueError):  # noqa: N818  what somebody typed
    """The text cannot be understood; the message says where and what to write instead."""


@dataclass(frozen=True, slots=True)
class Qualifier:
    """What may stand before a colon: the parameters that it makes, what it means, and an example."""

    make: Make
    means: str
    example: str


def tokens(text: str) -> list[tuple[str, str]]:
    """Return (qualifier, value) of every word, the qualifier empty for a plain word. Raises `BadSearch`."""
    if text.count('"') % 2:
        raise BadSearch('A quotation mark is not closed. Quote values with spaces: name:"Disks of db-17".')
    found = []
    for token in _TOKEN.findall(text):
        name, colon, value = token.partition(":")
        if colon and name.isalpha():
            found.append((name.lower(), value.replace('"', "").strip()))
        else:
            found.append(("", token.replace('"', "").strip()))
    return found


def parse(text: str, me: str = ME) -> Pairs:
    """Return the list's parameters for whoever bears the name `me`. Raises `BadSearch`."""
    found: Pairs = []
    loose: list[str] = []
    for name, value in tokens(text):
        qualifier = QUALIFIERS.get(name)
        if name in {"", "text"} and value:
            loose.append(value)
        elif not name:
            continue
        elif qualifier is None:
            raise BadSearch(f"There is no qualifier {name}.{_meant(name)} To look for the word itself, quote it.")
        elif not value:
            raise BadSearch(f"{name}: what? Write a value behind the colon, such as {qualifier.example}.")
        else:
            found += qualifier.make(me if (name, value) == ("by", ME) else value)
    return found + ([("text", " ".join(loose))] if loose else [])


def write(words: Iterable[tuple[str, str]]) -> str:
    """Return the text of these (qualifier, value); what is empty is left out."""
    return " ".join(_written(name, value) for name, value in words if value.strip())


def _written(name: str, value: str) -> str:
    clean = " ".join(value.replace('"', "").split())
    if name:
        return f'{name}:"{clean}"' if " " in clean else f"{name}:{clean}"
    return " ".join(f'"{word}"' if word.partition(":")[0].isalpha() and ":" in word else word for word in clean.split())


def with_state(text: str, word: str | None, qualifier: str = "state") -> str:
    """Return the search with this state instead of any other; None for all states."""
    kept = [token for token in _TOKEN.findall(text) if token.partition(":")[0].lower() not in STATES]
    return " ".join([*([f"{qualifier}:{word}"] if word else []), *kept])


def likely(word: str, known: Sequence[str]) -> str | None:
    """Return the word that somebody may have meant."""
    return next(iter(get_close_matches(word.lower(), known, n=1, cutoff=0.6)), None)


def _meant(name: str) -> str:
    found = likely(name, list(QUALIFIERS))
    return f" Did you mean {found}:?" if found else f" There are {', '.join(QUALIFIERS)}."


# ---- what each qualifier makes -------------------------------------------------------------------------------


def _as(name: str) -> Make:
    return lambda value: [(name, value)]


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


def _moment(name: str) -> Make:
    """Return what makes a time of a day or of one without a zone: UTC is meant."""

    def make(value: str) -> Pairs:
        if _DAY.fullmatch(value):
            return [(name, f"{value}T00:00:00Z")]
        return [(name, f"{value}Z" if _MINUTE.fullmatch(value) else value)]

    return make


def _since(value: str) -> Pairs:
    return [("since", value)] if _AGO.fullmatch(value) else _moment("createdFrom")(value)


QUALIFIERS: Final[Mapping[str, Qualifier]] = {
    "state": Qualifier(_as("state"), "state of the task; several with commas", "state:failed,running"),
    "status": Qualifier(_as("status"), "status in the words of the source system", "status:successful"),
    "type": Qualifier(_as("taskType"), "task type, exact", "type:sql.script"),
    "by": Qualifier(_as("operator"), "who created it; by:me is you", "by:me"),
    "name": Qualifier(_as("name"), "part of the task's name", 'name:"Disks of db-17"'),
    "object": Qualifier(_object, "part of the object's name, or its kind and part of its name", "object:host/db-17"),
    "host": Qualifier(_as("hostName"), "part of the name of the host that it is about", "host:db-17"),
    "cluster": Qualifier(_as("clusterName"), "likewise of the cluster", "cluster:pg-17"),
    "tenant": Qualifier(_as("tenantName"), "likewise of the tenant", "tenant:billing"),
    "label": Qualifier(_label, "a label and its value", "label:stage=prod"),
    "team": Qualifier(lambda value: [("label", f"team:{value}")], "the team that it belongs to", "team:blue"),
    "parent": Qualifier(_as("parent"), "tasks that this task created", "parent:482"),
    "id": Qualifier(_as("ids"), "tasks by number; several with commas", "id:481,482"),
    "since": Qualifier(_since, "created so long ago at most, or from this time on (UTC)", "since:2h"),
    "until": Qualifier(_moment("createdTo"), "created before this time (UTC)", "until:2026-01-31"),
    "finished": Qualifier(_moment("finishedFrom"), "finished from this time on (UTC)", "finished:2026-01-31"),
    "before": Qualifier(_moment("finishedTo"), "finished before this time (UTC)", "before:2026-01-31T08:00"),
    "text": Qualifier(_as("text"), "words in names and parameters, as without a qualifier", "text:billing"),
}
"""What may stand before a colon, in the order in which it is suggested."""
STATES: Final = frozenset({"state", "status"})
"""The qualifiers that the states above a list take the place of."""
NAMES: Final[Mapping[str, str]] = {
    "state": "state", "status": "status", "taskType": "type", "operator": "by", "name": "name", "objectKind": "object",
    "objectName": "object", "hostName": "host", "clusterName": "cluster", "tenantName": "tenant", "label": "label",
    "parent": "parent", "ids": "id", "since": "since", "createdFrom": "since", "createdTo": "until",
    "finishedFrom": "finished", "finishedTo": "before", "text": "text",
}  # fmt: skip
"""The qualifier that stands for a parameter."""
