"""The lint: what it finds, what it leaves alone, and that each finding says how to mend it."""

from importlib.metadata import EntryPoint

import pytest

from opsledger.workbench import lint as linting
from opsledger.workbench.lint import NothingToLint, choose, lint
from services.executor.catalog import OPERATIONS

WARES = "tests.unit.kit.wares"


def rules(subject: str) -> set[tuple[str, str]]:
    """What is found about one subject: severity and rule."""
    return {(found.severity, found.rule) for found in lint(choose(WARES)) if found.subject == subject}


def test_what_is_careless_is_found() -> None:
    """Name, docstring, parameters, secrets, blocking, printing, no undo, running twice, and that nobody offers it."""
    assert rules("Careless") == {
        ("error", "plain-secret"),
        *(("warning", rule) for rule in ("name-form", "no-docstring", "loose-params", "plain-secret")),
        *(("warning", rule) for rule in ("secret-default", "no-undo", "runs-twice", "blocks", "prints")),
        ("warning", "not-installed"),
        ("hint", "no-description"),
    }


def test_what_is_careful_is_left_alone() -> None:
    """A function of its own may block, the token is looked at, and rollback is forbidden openly."""
    assert rules("test.careful") == {("warning", "not-installed")}
    assert rules("test.mark") == {("warning", "not-installed")}


def test_plans_of_examples_are_checked() -> None:
    """Circles, plans that change, and parameters that a step would refuse."""
    assert ("error", "plan") in rules("test.circle")
    assert {("error", "unsteady"), ("error", "step-params")} <= rules("test.clock")
    assert rules("test.party") == {("warning", "not-installed")}


def test_every_finding_says_how_to_mend_it() -> None:
    """And the gravest come first."""
    found = lint(choose(WARES))

    assert all(finding.mend and finding.message for finding in found)
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=("error", "warning", "hint").index)


def test_a_rule_can_be_left_out() -> None:
    """What changes nothing needs no undo."""
    assert not [found for found in lint(choose(WARES), ignore=["no-undo"]) if found.rule == "no-undo"]


def test_a_broken_entry_point_is_an_error_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be missing on every executor."""
    broken = EntryPoint("acme.gone", "acme.no_such_module:Gone", OPERATIONS)
    taken = EntryPoint("noop", f"{WARES}:mark", OPERATIONS)

    def points(group: str) -> list[EntryPoint]:
        return [broken, taken] if group == OPERATIONS else []

    monkeypatch.setattr(linting, "entry_points", points)

    found = {finding.subject: finding for finding in lint(choose(None))}

    assert found["acme.gone"].rule == "broken"
    assert "ModuleNotFoundError" in found["acme.gone"].message
    assert "the entry point says 'noop'" in found["noop"].message


def test_an_unknown_name_is_said_to_be_unknown() -> None:
    """Neither an entry point nor a module."""
    with pytest.raises(NothingToLint, match="no entry point and no module"):
        choose("acme.nothing")
