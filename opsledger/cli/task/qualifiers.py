"""`state:failed type:host.inspect by:admin since:2h`: what a search box takes, as parameters of the list.

Responsible for: the qualifiers' names and their times. Refuses to know: which tasks they find.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opsledger.cli.failure import UsageError
from opsledger.cli.task.moment import moment

Params = dict[str, Any]
KNOWN = "state status type by name label team object host cluster tenant since until finished text"
_FLAG = "--where"
_AGO = re.compile(r"[1-9][0-9]{0,5}[smhdw]", re.ASCII)


def parse(given: str, now: datetime) -> Params:
    """The list's parameters; a word without a qualifier is looked for in the text. UsageError names what is wrong."""
    try:
        words = shlex.split(given)
    except ValueError as error:
        raise UsageError(
            f"{_FLAG}: {error}", next_step="""quote values with spaces: name:"Disks of db-17" """
        ) from None
    if not words:
        raise UsageError(f"{_FLAG} is empty: every task there is would match", next_step=f"its qualifiers: {KNOWN}")
    found: Params = {}
    loose = []
    for word in words:
        name, colon, value = word.partition(":")
        if not colon:
            loose.append(word)
            continue
        if name not in _MAKERS:
            raise UsageError(f"{_FLAG}: there is no qualifier {name}", next_step=f"there are: {KNOWN}")
        if not value:
            raise UsageError(f"{_FLAG}: {name}: what?")
        _merge(found, _MAKERS[name](value, now))
    if loose:
        _merge(found, {"text": " ".join(loose)})
    return found


def merged(flags: Mapping[str, Any], given: str | None, now: datetime) -> Params:
    """The parameters of flags and of --where together; UsageError when both say the same thing."""
    found = {name: value for name, value in flags.items() if value is not None}
    for name, value in (parse(given, now) if given is not None else {}).items():
        if name in found:
            raise UsageError(f"{name} is given twice: as an option and in {_FLAG}")
        found[name] = value
    return found


def _merge(found: Params, more: Params) -> None:
    for name, value in more.items():
        before = found.get(name)
        if before is None:
            found[name] = value
        elif name == "label":
            found[name] = [*before, *value]
        elif name in {"state", "status", "taskType", "operator"}:
            found[name] = f"{before},{value}"
        elif before != value:
            raise UsageError(f"{_FLAG}: {name} is given twice, as {before} and as {value}")


def _word(name: str) -> Callable[[str, datetime], Params]:
    return lambda value, _: {name: value}


def _upper(name: str) -> Callable[[str, datetime], Params]:
    return lambda value, _: {name: value.upper()}


def _thing(kind: str) -> Callable[[str, datetime], Params]:
    return lambda value, _: {f"{kind}Name": value}


def _object(value: str, _: datetime) -> Params:
    kind, slash, name = value.partition("/")
    return {"objectKind": kind, "objectName": name} if slash and name else {"objectKind": kind}


def since(given: str | None, flag: str, now: datetime) -> Params:
    """How long ago as it is, so that a repeated request is the same; another time with its offset."""
    if given is not None and _AGO.fullmatch(given):
        return {"since": given}
    return {"createdFrom": moment(given, flag, now)}


def labels(given: list[str] | None) -> list[str] | None:
    """`key=value` words as the API has them. UsageError for other words."""
    if given is None:
        return None
    if strange := [word for word in given if "=" not in word]:
        raise UsageError(f"label {strange[0]}: not of the form key=value")
    return [":".join(word.split("=", 1)) for word in given]


def _label(value: str, _: datetime) -> Params:
    return {"label": [value] if ":" in value else labels([value])}


def _team(value: str, _: datetime) -> Params:
    return {"label": [f"team:{value}"]}


def _since(value: str, now: datetime) -> Params:
    return since(value, f"{_FLAG} since:", now)


def _time(name: str, qualifier: str) -> Callable[[str, datetime], Params]:
    return lambda value, now: {name: moment(value, f"{_FLAG} {qualifier}:", now)}


_MAKERS: Mapping[str, Callable[[str, datetime], Params]] = {
    "state": _upper("state"),
    "status": _upper("status"),
    "type": _word("taskType"),
    "by": _word("operator"),
    "name": _word("name"),
    "text": _word("text"),
    "label": _label,
    "team": _team,
    "object": _object,
    "host": _thing("host"),
    "cluster": _thing("cluster"),
    "tenant": _thing("tenant"),
    "since": _since,
    "until": _time("createdTo", "until"),
    "finished": _time("finishedFrom", "finished"),
}
