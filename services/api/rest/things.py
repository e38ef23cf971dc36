"""The cluster and the tenant that a task is about, in OCP's shape (specification §2.2).

The task's object is one of them, by kind, id and name; labels say the rest: `cluster.name` (or just `cluster`),
`cluster.id`, `cluster.obClusterId`, `cluster.type`, and `tenant.name`, `tenant.id`, `tenant.obTenantId`, `tenant.mode`.
So a task on a tenant names its cluster, and one on a host both. Where object and labels differ, the object counts.
"""

from collections.abc import Mapping
from typing import Any, Final

_KINDS: Final[Mapping[str, tuple[str, str, frozenset[str]]]] = {
    "cluster": ("obClusterId", "type", frozenset({"PRIMARY", "STANDBY"})),
    "tenant": ("obTenantId", "mode", frozenset({"ORACLE", "MYSQL"})),
}


def things(
    kind: str | None, object_id: str | None, object_name: str | None, labels: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Return `cluster` and `tenant` as far as they are known; one without a name is left out, numbers are numbers."""
    found = {}
    for thing, (number, word, words) in _KINDS.items():
        mine = kind == thing
        name = object_name if mine else labels.get(f"{thing}.name") or labels.get(thing)
        if not name:
            continue
        about: dict[str, Any] = {
            "id": _number(object_id if mine and object_id else labels.get(f"{thing}.id")),
            "name": name,
            number: _number(labels.get(f"{thing}.{number}")),
            word: labels.get(f"{thing}.{word}", "").upper(),
        }
        if about[word] not in words:
            del about[word]
        found[thing] = {field: value for field, value in about.items() if value is not None}
    return found


def _number(text: str | None) -> int | None:
    """Return a text as an int64, None for what is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None
