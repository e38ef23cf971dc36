"""The lint of an author's package: what is looked at, and all that is found. Refuses to know how it is printed."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from opsledger.workbench.findings import GRAVITY, Finding
from opsledger.workbench.lint_code import check_code
from opsledger.workbench.lint_params import check_params
from opsledger.workbench.lint_plan import check_plan
from opsledger.workbench.offers import offers_with
from services.executor.catalog import OPERATIONS, TASK_TYPES, Broken, discover, operation_card
from services.executor.operations.contract import Operation
from services.executor.task_types.contract import TaskType

OURS = "opsledger"
"""The distribution whose own operations are not an author's business."""
_FORM = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)+")


class NothingToLint(LookupError):  # noqa: N818  a fact about what was asked
    """Neither an entry point nor a module has this name."""


@dataclass
class Chosen:
    """What is looked at. `installed`: names that have an entry point."""

    operations: dict[str, Operation[Any]] = field(default_factory=dict)
    types: dict[str, TaskType] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    installed: set[str] = field(default_factory=set)


def choose(what: str | None) -> Chosen:
    """Return what a name, a module or nothing stands for; nothing means all that other packages install.

    Raises `NothingToLint`.
    """
    points = [*entry_points(group=OPERATIONS), *entry_points(group=TASK_TYPES)]
    if what is None:
        return _of_points([point for point in points if _owner(point) != OURS])
    named = [point for point in points if point.name == what]
    if named:
        return _of_points(named)
    try:
        module = importlib.import_module(what)
    except ModuleNotFoundError as error:
        if error.name is not None and (what == error.name or what.startswith(f"{error.name}.")):
            raise NothingToLint(f"no entry point and no module is called '{what}'") from None
        raise
    chosen = _of_points([p for p in points if p.module == what or p.module.startswith(f"{what}.")])
    for part in _modules(module, chosen):
        for found in vars(part).values():
            _add(chosen, found, part)
    return chosen


def lint(chosen: Chosen, *, ignore: Iterable[str] = ()) -> list[Finding]:
    """Return all findings but those of rules to ignore, the gravest first."""
    ignored = set(ignore)
    found = [finding for finding in _all(chosen) if finding.rule not in ignored]
    return sorted(found, key=lambda finding: (GRAVITY[finding.severity], finding.subject, finding.rule))


def _all(chosen: Chosen) -> Iterator[Finding]:
    offers = offers_with(chosen.operations.values(), chosen.types.values())
    for one in chosen.broken:
        yield Finding(
            *("error", one.name, "broken", f"{one.value} cannot be loaded: {one.reason}"),
            "mend what it names, or the entry point in pyproject.toml, and install the package again",
        )
    for operation in chosen.operations.values():
        yield from _named(operation.name, chosen, "operations", _doc(operation))
        yield from check_params(operation.name, operation.Params)
        yield from check_code(operation.name, operation)
        yield from _card(operation)
    for kind in chosen.types.values():
        yield from _named(kind.name, chosen, "task_types", kind.description)
        yield from check_params(kind.name, kind.params_model)
        yield from check_plan(kind, offers)


def _named(name: str, chosen: Chosen, group: str, described: str) -> Iterator[Finding]:
    if group == "operations" and _takes_ours(name, chosen):
        yield Finding(
            *("error", name, "taken", "opsledger itself has an operation of this name"),
            "begin with something of yours: acme.",
        )
    if not _FORM.fullmatch(name):
        yield Finding(
            *("warning", name, "name-form", "a name is lower-case words with dots, the first one yours"),
            f"for example acme.{name.rpartition('.')[2].lower() or 'greet'}",
        )
    if not described:
        yield Finding(
            *("warning", name, "no-docstring", "nothing says what it does"),
            "its docstring is what people see in the catalogue: write one sentence",
        )
    if name not in chosen.installed:
        yield Finding(
            *("warning", name, "not-installed", "it has no entry point, so no executor will offer it"),
            f'[project.entry-points."opsledger.{group}"] in pyproject.toml, then install the package again',
        )


def _card(operation: Operation[Any]) -> Iterator[Finding]:
    try:
        operation_card(operation, "default")
    except Exception as error:  # noqa: BLE001 - an executor that cannot make the card leaves the operation out
        yield Finding(
            *("error", operation.name, "card", f"it cannot be announced: {error}"),
            "look at its name, timeout and pool",
        )


def _doc(operation: Operation[Any]) -> str:
    return inspect.cleandoc(type(operation).__dict__.get("__doc__") or "")


def _takes_ours(name: str, chosen: Chosen) -> bool:
    """Whether an author's operation has the name of one of ours."""
    ours = [point for point in entry_points(group=OPERATIONS) if point.name == name and _owner(point) == OURS]
    return any(type(chosen.operations[name]).__module__ != point.module for point in ours)


def _owner(point: EntryPoint) -> str | None:
    return point.dist.name if point.dist is not None else None


def _of_points(points: list[EntryPoint]) -> Chosen:
    found = discover(points)
    names = {point.name for point in points}
    return Chosen(dict(found.operations), dict(found.types), list(found.broken), names)


def _modules(module: ModuleType, chosen: Chosen) -> Iterator[ModuleType]:
    yield module
    for info in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        if not info.name.rpartition(".")[2].startswith("__"):
            try:
                yield importlib.import_module(info.name)
            except Exception as error:  # noqa: BLE001 - a third party's module may raise anything while it is imported
                chosen.broken.append(Broken("module", info.name, info.name, f"{type(error).__name__}: {error}"))


def _add(chosen: Chosen, found: object, module: ModuleType) -> None:
    """Add what the module itself defines; what it only imports is somebody else's."""
    if isinstance(found, type) and issubclass(found, Operation) and found.__module__ == module.__name__:
        if "name" in found.__dict__ and not inspect.isabstract(found) and found.name not in chosen.operations:
            chosen.operations[found.name] = found()
    elif isinstance(found, Operation) and type(found).__module__ == module.__name__:
        chosen.operations.setdefault(found.name, found)
    elif isinstance(found, TaskType) and found.build.__module__ == module.__name__:
        chosen.types.setdefault(found.name, found)
