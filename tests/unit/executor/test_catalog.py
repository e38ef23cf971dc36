"""The catalogue: what is found, what is broken, and the cards."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from pydantic import BaseModel

from opsledger import kit
from services.executor.catalog import OPERATIONS, TASK_TYPES, discover
from shared.task.plan import freeze

BUILT_IN = {
    "command.run": "services.executor.operations.command_run:CommandRun",
    "http.request": "services.executor.operations.http_request:HttpRequest",
    "file.write": "services.executor.operations.file_write:FileWrite",
    "wait": "services.executor.operations.wait:Wait",
    "noop": "services.executor.operations.noop:Noop",
}


def points(**more: str) -> list[EntryPoint]:
    """Return the built-in entry points, and more operations."""
    named = {**BUILT_IN, **{name.replace("_", "."): value for name, value in more.items()}}
    found = [EntryPoint(name, value, OPERATIONS) for name, value in named.items()]
    return [
        *found,
        EntryPoint("host.inspect", "services.executor.task_types.host_inspect:host_inspect", TASK_TYPES),
    ]


def test_the_built_ins_are_on_offer() -> None:
    """What is installed contains all of ours."""
    catalog = discover()

    assert set(BUILT_IN) <= set(catalog.operations)
    assert "host.inspect" in catalog.types


def test_cards_say_what_an_operation_allows() -> None:
    """Abilities, delivery, time and pool come from the class; the schema from its parameters."""
    cards = {card.name: card for card in discover(points()).operation_cards("blue")}

    assert {card.pool for card in cards.values()} == {"blue"}
    assert cards["command.run"].delivery == "at_most_once"
    assert cards["command.run"].timeout_s == 3600
    assert not cards["command.run"].abilities.undo
    assert cards["file.write"].abilities.undo
    assert cards["file.write"].delivery == "at_least_once"
    assert cards["noop"].description == "Does nothing; its output is `value`."
    assert cards["wait"].params_schema["required"] == ["seconds"]
    assert all(card.params_schema["additionalProperties"] is False for card in cards.values())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no.such.module:Thing", "ModuleNotFoundError"),
        ("services.executor.operations.noop:Nothing", "AttributeError"),
        ("services.executor.operations.noop:Noop", "what it names says 'noop'"),
        ("services.executor.operations.noop:NoopParams", "is not an operation"),
        ("services.executor.task_types.host_inspect:host_inspect", "is not an operation"),
    ],
)
def test_a_broken_entry_point_is_reported_and_left_out(value: str, reason: str) -> None:
    """One bad package does not stop the others."""
    catalog = discover(points(third_party=value))

    assert set(catalog.operations) == set(BUILT_IN)
    assert [(broken.name, broken.value) for broken in catalog.broken] == [("third.party", value)]
    assert reason in catalog.broken[0].reason


def test_a_name_offered_twice_is_reported() -> None:
    """The first one found stays; the second is broken, not silently in its place."""
    found = points()

    catalog = discover([*found, found[0]])

    assert catalog.broken[0].reason == "TypeError: 'command.run' is already offered by another entry point"


def test_host_inspect_makes_a_plan_that_freezes() -> None:
    """The graph forks after `system` and joins in `findings`, and every parameter fits its operation."""
    catalog = discover(points())
    plan = catalog.types["host.inspect"].plan({"report": "r.md", "thresholds": {"disk_warning_percent": 70}})

    nodes = freeze(plan, {card.name: card for card in catalog.operation_cards("default")})
    for node in nodes:
        catalog.operations[node.operation].parse(node.params)

    by_key = {node.key: node for node in nodes}
    assert len(nodes) == 10
    assert by_key["system"].upstreams == ()
    assert all(by_key[key].upstreams == (1,) for key in ("disks", "memory", "ports", "clock", "processes", "limits"))
    assert len(by_key["findings"].upstreams) == 8
    assert by_key["report"].params["content_from"] == {"upstream": "findings", "field": "data.report"}


def test_host_inspect_without_a_report_ends_with_the_findings() -> None:
    """Nothing is written to the host when nobody wants it."""
    plan = discover(points()).types["host.inspect"].plan({"report": None})

    assert [node.key for node in plan.subtasks][-1] == "findings"


def test_wrong_parameters_of_a_type_are_named() -> None:
    """A plan that cannot be says why."""
    with pytest.raises(kit.PermanentFault, match=r"thresholds\.disk_warning_percent"):
        discover(points()).types["host.inspect"].plan({"thresholds": {"disk_warning_percent": 170}})


def test_a_task_type_is_a_function_of_one_model() -> None:
    """The decorator refuses a function it could not call."""

    class Size(BaseModel):
        count: int

    @kit.task_type("acme.many", version=3)
    def many(params: Size) -> kit.Plan:
        """Makes many."""
        return kit.Plan(subtasks=[kit.SubtaskPlan(key=f"n{i}", operation="noop") for i in range(params.count)])

    def wrong(params: Any) -> kit.Plan:
        raise NotImplementedError

    assert (many.name, many.version, many.description) == ("acme.many", 3, "Makes many.")
    assert len(many.plan({"count": 4}).subtasks) == 4
    with pytest.raises(TypeError, match="annotate exactly one"):
        kit.task_type("acme.wrong")(wrong)
