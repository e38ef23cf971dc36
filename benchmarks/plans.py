"""The plans that are created: chains and a fan-out of `noop`, as the bytes of a request body. Knows no HTTP."""

import json
from typing import Any

CHAIN = 5
"""Subtasks of a chain."""
WIDTH = 1_000
"""Branches of the fan-out; its root and its join come on top."""


def chain() -> bytes:
    """Return a task of five `noop`s, each after the one before."""
    keys = [f"step-{number}" for number in range(1, CHAIN + 1)]
    links = [[], *([key] for key in keys)]
    return _body("chain", [_node(key, upstreams) for key, upstreams in zip(keys, links, strict=False)])


def fanout() -> bytes:
    """Return a task of one root, a thousand branches at once, and a join of all of them."""
    branches = [f"b{number}" for number in range(1, WIDTH + 1)]
    nodes = [_node("root", []), *(_node(key, ["root"]) for key in branches), _node("join", branches)]
    return _body("fan-out", nodes, concurrency=0)


def _node(key: str, upstreams: list[str]) -> dict[str, Any]:
    return {"key": key, "operation": "noop"} | ({"upstreams": upstreams} if upstreams else {})


def _body(name: str, subtasks: list[dict[str, Any]], **plan: Any) -> bytes:
    return json.dumps({"name": name, "plan": {"subtasks": subtasks, **plan}}, separators=(",", ":")).encode()
