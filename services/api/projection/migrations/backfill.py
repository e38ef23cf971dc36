"""What 0004 adds to the rows that are there: the columns tasks are searched by, worked out from the others."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from services.api.creation import PLAN_TYPE
from services.api.projection.project import search_columns

_MANY = 500
_NEW = ("object_folded", "cluster_folded", "tenant_folded", "host_folded", "searched")


def backfilled(connection: sa.Connection) -> Iterator[list[dict[str, Any]]]:
    """Yield every row of `tasks` with the new columns, a batch at a time."""
    last = -1
    while True:
        query = sa.text("SELECT * FROM tasks WHERE id > :last ORDER BY id LIMIT :many")
        rows = [dict(row) for row in connection.execute(query, {"last": last, "many": _MANY}).mappings()]
        if not rows:
            return
        last = rows[-1]["id"]
        plans = _params(connection, [row["id"] for row in rows if _brings_its_plan(row)])
        for row in rows:
            about = (row["object_kind"], row["object_name"]) if row["object_kind"] is not None else None
            params = plans.get(row["id"], []) if _brings_its_plan(row) else json.loads(row["params"])
            found = search_columns(row["name"], about, json.loads(row["labels"]), params)
            row.update(zip(_NEW, found, strict=True))
        yield rows


def _brings_its_plan(row: dict[str, Any]) -> bool:
    return row["type"] == PLAN_TYPE and row["plan_ref"] is None


def _params(connection: sa.Connection, ids: list[int]) -> dict[int, list[Any]]:
    """Return the parameters of these tasks' subtasks, in number order."""
    found: dict[int, list[Any]] = {}
    query = sa.text("SELECT task_id, params FROM subtasks WHERE task_id IN :ids ORDER BY task_id, number")
    if ids:
        for row in connection.execute(query.bindparams(sa.bindparam("ids", ids, expanding=True))):
            found.setdefault(row.task_id, []).append(json.loads(row.params))
    return found
