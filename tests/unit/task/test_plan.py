"""Plans: what makes a graph unfit, and what a frozen one has filled in (B9, B10, B17)."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.task.plan import (
    MAX_SUBTASKS,
    Abilities,
    OperationCard,
    Plan,
    RetryPolicy,
    SubtaskPlan,
    UndoPlan,
    check_graph,
    freeze,
)
from shared.task.refusals import PlanInvalid

CARDS = {
    "noop": OperationCard(name="noop"),
    "shell": OperationCard(
        name="shell",
        abilities=Abilities(retry=False, skip=False, cancel=False, undo=True),
        delivery="at_most_once",
        timeout_s=5,
        pool="db",
        prohibit_rollback=True,
    ),
}


def graph(**edges: list[str]) -> Plan:
    """A plan of noops: each key with its upstreams."""
    return Plan(subtasks=[SubtaskPlan(key=key, operation="noop", upstreams=up) for key, up in edges.items()])


@pytest.mark.parametrize(
    ("plan", "reason", "named"),
    [
        (Plan(subtasks=[]), "size", "0"),
        (graph(a=["a"]), "cycle", "'a'"),
        (graph(a=["b"], b=["a"]), "cycle", "'b'"),
        (graph(a=["c"], b=["a"], c=["b"], d=[]), "cycle", "←"),
        (graph(a=["x"]), "unknown_upstream", "'x'"),
        (graph(a=[], b=["a", "a"]), "duplicate_upstream", "'a'"),
        (Plan(subtasks=[SubtaskPlan(key="a", operation="noop")] * 2), "duplicate_key", "places 1 and 2"),
    ],
)
def test_an_unfit_graph_names_what_is_wrong(plan: Plan, reason: str, named: str) -> None:
    """One word for programs, the node or edge for people."""
    with pytest.raises(PlanInvalid) as refusal:
        check_graph(plan)
    assert refusal.value.reason == reason
    assert refusal.value.target["reason"] == reason
    assert named in refusal.value.message


def test_a_plan_has_at_most_five_thousand_subtasks() -> None:
    """And so many it may have; a long chain is no trouble."""
    nodes = [
        SubtaskPlan(key=f"s{number}", operation="noop", upstreams=[f"s{number - 1}"] if number else [])
        for number in range(MAX_SUBTASKS)
    ]
    assert len(freeze(Plan(subtasks=nodes), CARDS)) == MAX_SUBTASKS
    with pytest.raises(PlanInvalid, match="5001"):
        freeze(Plan(subtasks=[*nodes, SubtaskPlan(key="more", operation="noop")]), CARDS)


def test_a_long_circle_is_told_short() -> None:
    """A circle of a thousand does not make a message of a thousand names."""
    keys = [f"s{number}" for number in range(1000)]
    plan = graph(**{key: [keys[place - 1]] for place, key in enumerate(keys)})
    with pytest.raises(PlanInvalid) as refusal:
        check_graph(plan)
    assert len(refusal.value.message) < 250


def test_freezing_fills_in_the_cards_defaults() -> None:
    """Upstreams become numbers; what the node leaves open comes from its operation's card."""
    plan = Plan(
        subtasks=[
            SubtaskPlan(key="last", operation="noop", upstreams=["first", "middle"], name="The last"),
            SubtaskPlan(key="middle", operation="shell", upstreams=["first"]),
            SubtaskPlan(
                key="first",
                operation="noop",
                timeout=0.5,
                pool="own",
                delivery="at_most_once",
                retry=RetryPolicy(times=2),
                undo=UndoPlan(operation="shell"),
                prohibit_rollback=True,
            ),
        ]
    )
    last, middle, first = freeze(plan, CARDS)
    assert (last.name, last.upstreams, last.timeout_s, last.pool, last.has_undo) == (
        "The last",
        (2, 3),
        3600,
        "default",
        False,
    )
    assert (middle.name, middle.timeout_s, middle.pool, middle.delivery) == ("middle", 5, "db", "at_most_once")
    assert (middle.can_retry, middle.can_skip, middle.can_cancel) == (False, False, False)
    assert (middle.prohibit_rollback, middle.has_undo) == (True, True)
    assert (first.timeout_s, first.pool, first.delivery, first.has_undo) == (0.5, "own", "at_most_once", True)
    assert freeze(plan, CARDS, pool="site")[0].pool == "site"
    assert freeze(plan, CARDS, pool="site")[2].pool == "own"


@pytest.mark.parametrize(
    "node",
    [SubtaskPlan(key="a", operation="gone"), SubtaskPlan(key="a", operation="noop", undo=UndoPlan(operation="gone"))],
)
def test_an_operation_that_nobody_offers_is_refused(node: SubtaskPlan) -> None:
    """The message says what is on offer."""
    with pytest.raises(PlanInvalid, match="'gone'") as refusal:
        freeze(Plan(subtasks=[node]), CARDS)
    assert refusal.value.reason == "unknown_operation"


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "SUCCESSFUL"},
        {"key": ""},
        {"key": "x" * 101},
        {"key": "a\nb"},
        {"name": "x" * 201},
        {"name": "\u202eevil"},
        {"name": "nul\0"},
        {"name": "\ud800"},
        {"operation": "no spaces"},
        {"operation": "../x"},
        {"pool": "a.b"},
        {"pool": "*"},
        {"pool": ">"},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": 1e308},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"retry": {"times": -1}},
        {"retry": {"times": 101}},
        {"retry": {"times": 1, "delay_seconds": float("inf")}},
        {"delivery": "exactly_once"},
    ],
)
def test_a_field_out_of_bounds_is_refused(fields: dict[str, Any]) -> None:
    """Unknown fields, unreadable text, numbers that are none (B7, B10, B17)."""
    with pytest.raises(ValidationError):
        SubtaskPlan.model_validate({"key": "a", "operation": "noop", **fields})


@pytest.mark.parametrize("name", ["Prüfe Host 7", "检查主机", "🚀 <script>", "  padded  ", "x" * 200])
def test_readable_text_is_kept_as_it_is(name: str) -> None:
    """It is shown as text, wherever it comes from (B10)."""
    assert SubtaskPlan(key="a", operation="noop", name=name).name == name.strip()
