"""What the workbench prints: findings, a plan as a table, a task as it runs. Refuses to know how any of it was made."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from opsledger.cli.look.console import clean, clean_log, grid, show
from opsledger.cli.look.words import count, state
from opsledger.workbench.findings import Finding
from opsledger.workbench.ran import Step, TaskRan
from opsledger.workbench.stall import Stall
from opsledger.workbench.stores import Line
from shared.task.events import AnyEvent
from shared.task.plan import PlannedSubtask
from shared.task.state import Task

_COLUMNS = ("wave", "step", "operation", "after", "if lost", "undo", "tries", "timeout")
_STYLES = {"error": "bad", "warning": "warn", "hint": "label"}
_LEVELS = {"ERROR": "bad", "WARN": "warn", "DEBUG": "label"}


def write_json(value: Any) -> None:
    """One indented JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def print_findings(console: Console, found: list[Finding], looked_at: int) -> None:
    """Each finding with how to mend it, and a last line that counts."""
    for finding in found:
        head = Text.assemble((f"{finding.severity:<8}", _STYLES[finding.severity]), (f"{finding.subject}", "head"))
        console.print(head.append(f"  {clean(finding.message)}"), soft_wrap=True)
        console.print(Text(f"        {finding.rule}: {clean(finding.mend)}", style="label"), soft_wrap=True)
    counts = {word: sum(finding.severity == word for finding in found) for word in _STYLES}
    told = ", ".join(count(number, word) for word, number in counts.items() if number) or "nothing to mend"
    console.print(Text(f"{count(looked_at, 'offer')}: {told}"))


def print_plan(console: Console, nodes: tuple[PlannedSubtask, ...], *, concurrency: int, fixed: bool) -> None:
    """The steps by wave: those of one wave wait for nothing but earlier waves."""
    waves = _waves(nodes)
    table = grid(*_COLUMNS, right=("wave",), wide="after")
    for place in sorted(range(len(nodes)), key=lambda place: (waves[place], place)):
        node = nodes[place]
        after = ", ".join(nodes[number - 1].key for number in node.upstreams)
        undo = node.undo.operation if node.undo is not None else "own" if node.own_undo else "-"
        tries = str(1 + node.retry.times) if node.retry is not None else "1"
        lost = "again" if node.delivery == "at_least_once" else "a person decides"
        table.add_row(
            *(str(waves[place]), clean(node.key), node.operation, Text(clean(after))),
            *(lost, "never" if node.prohibit_rollback else undo, tries, f"{node.timeout_s:g} s"),
        )
    show(console, table)
    bound = f"at most {concurrency} at a time" if concurrency else "all at once where nothing is waited for"
    console.print(Text(f"\n{count(len(nodes), 'step')}, {bound}{'; no rollback' if fixed else ''}", style="label"))


def plan_as_json(name: str, nodes: tuple[PlannedSubtask, ...], *, concurrency: int, fixed: bool) -> dict[str, Any]:
    """The plan as it would be frozen, with its upstreams by key."""
    steps = [
        {
            **node.model_dump(mode="json"),
            "upstreams": [nodes[number - 1].key for number in node.upstreams],
            "wave": wave,
        }
        for node, wave in zip(nodes, _waves(nodes), strict=True)
    ]
    return {"type": name, "concurrency": concurrency, "prohibit_rollback": fixed, "subtasks": steps}


def _waves(nodes: tuple[PlannedSubtask, ...]) -> list[int]:
    """Return each node's wave, from 1. Upstreams may stand behind a node, so what is not known yet waits."""
    waves: dict[int, int] = {}
    while len(waves) < len(nodes):
        for number, node in enumerate(nodes, start=1):
            if number not in waves and all(upstream in waves for upstream in node.upstreams):
                waves[number] = 1 + max((waves[upstream] for upstream in node.upstreams), default=0)
    return [waves[number] for number in range(1, len(nodes) + 1)]


class Told:
    """Prints a task while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, line: Line) -> None:
        """Print a line that an operation logged."""
        text = Text(f"{line.key} | ", style="label")
        text.append(clean_log(line.text), style=_LEVELS.get(line.level, ""))
        self._console.print(text, soft_wrap=True)

    def event(self, task: Task, event: AnyEvent) -> None:
        """Print what happened."""
        number = getattr(event, "subtask", None)
        said = event.type.replace("_", " ")
        if number is not None:
            key = task.subtasks[number - 1].plan.key
            verb = said.partition(".")[2]
            phase = " to undo" if getattr(event, "phase", "") == "undo" else ""
            again = f" (attempt {event.attempt})" if getattr(event, "attempt", 1) > 1 else ""  # type: ignore[union-attr]
            said = f"{clean(key)} {verb}{phase}{again}"
        else:
            said = said.replace(".", " ")
        self._console.print(Text(said, style="head" if number is None else "live"), soft_wrap=True)
        problem = getattr(event, "problem", None)
        if problem is not None:
            self._console.print(Text(f"    {problem.kind}: {clean(problem.message)}", style="bad"), soft_wrap=True)


def print_ran(console: Console, ran: TaskRan) -> None:
    """The steps as they stand, and what may be done with them."""
    table = grid("step", "status", "runs", "output", right=("runs",), wide="output")
    for step in ran.steps.values():
        told = clean(step.problem.message) if step.problem else clean(json.dumps(step.output, ensure_ascii=False))
        shown = "" if step.output is None and not step.problem else told
        table.add_row(
            *(clean(step.key), state(console, _word(ran, step)), str(step.executed)),
            Text(shown if len(shown) <= 200 else shown[:199] + "…"),
        )
    console.print()
    show(console, table)
    console.print()
    ended = "rolled back" if ran.rolled_back else ran.state.lower()
    console.print(Text.assemble("the task is ", state(console, ended)))


def print_stalls(console: Console, stalls: list[Stall]) -> None:
    """What an executor would suffer from."""
    for stall in stalls:
        said = f"the event loop stood still for {stall.seconds:g} s while {', '.join(map(clean, stall.keys))} ran"
        console.print(Text(f"{said}: what blocks goes through asyncio.to_thread", style="warn"), soft_wrap=True)


def _word(ran: TaskRan, step: Step) -> str:
    return "rolled back" if ran.operation == "ROLLBACK" and step.status == "PENDING" else step.status.lower()


def ran_as_json(ran: TaskRan) -> dict[str, Any]:
    """The whole run."""
    return {
        "state": ran.state,
        "operation": ran.operation,
        "problem": ran.problem.model_dump(mode="json") if ran.problem is not None else None,
        "allowed": ran.allowed,
        "subtasks": [
            {
                "key": step.key,
                "status": step.status,
                "runTime": step.executed,
                "output": step.output,
                "problem": step.problem.model_dump(mode="json") if step.problem is not None else None,
                "log": step.log,
            }
            for step in ran.steps.values()
        ],
        "events": ran.events,
        "files": str(ran.files),
        "results": sorted(ran.results),
    }
