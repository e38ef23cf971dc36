"""The folded task of each sample: a story is told once to the real core, then varied. Its rows are the projector's.

Every type and story is folded from commits by `TaskLog`; a sample's task is a copy with its own names, times and log
positions, so that a million take minutes. `tests/integration/projection/test_bench_load.py` holds the copies against
tasks whose every commit is in a log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from benchmarks.samples import Sample
from services.api.projection.audit import audited
from shared.log.memory import MemoryStorage
from shared.log.port import Note
from shared.log.transact import TaskLog
from shared.messages.codec import decode
from shared.messages.commit import By, Commit
from shared.task import commands as cmd
from shared.task.decide import Verdict, decide
from shared.task.events import Item, Problem
from shared.task.plan import OperationCard, Plan, PlannedSubtask, SubtaskPlan, freeze
from shared.task.state import Actor, Claim, Subtask, Task

LENGTH = 5
_CARD = OperationCard(name="noop")
_EXECUTOR = Actor("executor", "executor-1@host", None)
_CLAIMANT = cmd.Claimant("incarnation-1", "executor-1@host", Item(stamp="work-1", seq=1))
_BROKEN = Problem(kind="EXIT_CODE", message="The command ended with exit code 1.", detail={"code": 1})


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a story."""

    by: Actor
    at: datetime
    commands: tuple[cmd.Command, ...]


def planned(sample: Sample) -> tuple[PlannedSubtask, ...]:
    """Return the plan: a check, three steps at once, an end that waits for them."""
    keys = ["check", "step-1", "step-2", "step-3", "finish"]
    nodes = [
        SubtaskPlan(
            key=key,
            name=key.capitalize(),
            operation="noop",
            params={"target": sample.about.name, "ticket": sample.params["ticket"]},
            upstreams=[] if place == 0 else keys[1:4] if place == LENGTH - 1 else keys[:1],
        )
        for place, key in enumerate(keys)
    ]
    return freeze(Plan(subtasks=nodes), {"noop": _CARD})


def story(sample: Sample, plan: tuple[PlannedSubtask, ...], seqs: Sequence[int]) -> Iterator[Step]:
    """Yield the decisions of a sample's life; `seqs` grows by the log position of each as it is committed."""
    own, at = sample.type == "plan", sample.at
    create = cmd.CreateTask(
        sample.id,
        sample.name,
        sample.type,
        sample.by,
        at,
        params={} if own else sample.params,
        object=sample.about,
        labels=sample.labels,
        subtasks=plan if own else (),
    )
    yield Step(sample.by, at, (create,))
    if not own:
        at += timedelta(milliseconds=5)
        yield Step(_EXECUTOR, at, (cmd.RecordPlan("plan-1", plan, at),))
    if sample.story == "ready":
        return
    last = {"running": 3, "failed": 4, "cancelled": 2}.get(sample.story, LENGTH)
    for number in range(1, last + 1):
        at += timedelta(milliseconds=3)
        yield Step(_EXECUTOR, at, (cmd.Claim(number, _CLAIMANT, at),))
        if number == last and sample.story == "running":
            return
        at += timedelta(seconds=sample.seconds)
        broken = number == last and sample.story == "failed"
        ended: cmd.Outcome = cmd.Failed(_BROKEN) if broken else cmd.Succeeded({"number": number})
        yield Step(_EXECUTOR, at, (cmd.Settle(number, seqs[-1], ended, at),))
    if sample.story == "cancelled":
        yield Step(sample.by, at, (cmd.CancelTask(at),))


@dataclass(frozen=True, slots=True)
class Template:
    """A folded task, how many commits it took, and those that are audited, by their place among them from 1."""

    task: Task
    commits: int
    audited: tuple[tuple[int, Commit], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A task as the fold of its commits is, and its audited commits by their log position."""

    task: Task
    audited: list[tuple[int, Commit]]


async def tell(log: TaskLog, sample: Sample) -> list[int]:
    """Commit a sample's whole life into a log; return the positions of its commits."""
    seqs: list[int] = []
    for number, step in enumerate(story(sample, planned(sample), seqs)):
        note = Note(f"{sample.id}-{number}", step.at, By.of(step.by))
        seqs.append((await log.transact(sample.id, partial(_decided, step.commands), note, new=number == 0)).seq)
    return seqs


def _decided(commands: Sequence[cmd.Command], task: Task | None) -> Verdict:
    return decide(task, *commands)


class Templates:
    """Folds a story when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], Template] = {}

    async def of(self, sample: Sample) -> Template:
        """Return the template for a sample's type, story and speed."""
        key = sample.type, sample.story, sample.seconds
        if key not in self._found:
            log = TaskLog(MemoryStorage())
            seqs = await tell(log, sample)
            task = await log.load(sample.id)
            assert task is not None
            commits = [(stored.seq, decode(stored.body)) for stored in await log.history(sample.id)]
            mine = tuple((seq, commit) for seq, commit in commits if audited(commit))
            self._found[key] = Template(task, len(seqs), mine)
        return self._found[key]


def varied(template: Template, sample: Sample, seqs: Sequence[int], head: str) -> Told:
    """Return the task as the fold of the sample's own commits would be, at these log positions."""
    before, own = template.task, sample.type == "plan"
    later = sample.at - before.created_at
    task = before.draft()
    task.id, task.name, task.creator, task.created_at = sample.id, sample.name, sample.by, sample.at
    task.params, task.object, task.labels = {} if own else sample.params, sample.about, sample.labels
    task.started_at, task.finished_at = _shifted(before.started_at, later), _shifted(before.finished_at, later)
    task.created_seq, task.seq, task.head = seqs[0], seqs[-1], head
    params = {"target": sample.about.name, "ticket": sample.params["ticket"]}
    task.subtasks = [_varied(subtask, params, later, seqs) for subtask in before.subtasks]
    return Told(task, [(seqs[place - 1], _decided_by(sample, commit, later)) for place, commit in template.audited])


def _decided_by(sample: Sample, commit: Commit, later: timedelta) -> Commit:
    by = By.of(sample.by)
    decisions = [each.model_copy(update={"at": each.at + later, "by": by}) for each in commit.decisions]
    return commit.model_copy(update={"task": sample.id, "decisions": tuple(decisions)})


def _varied(before: Subtask, params: dict[str, str], later: timedelta, seqs: Sequence[int]) -> Subtask:
    subtask = object.__new__(Subtask)
    subtask.__dict__.update(before.__dict__)
    subtask.plan = before.plan.model_copy(update={"params": params})
    subtask.ready_at = _shifted(before.ready_at, later)
    subtask.started_at = _shifted(before.started_at, later)
    subtask.finished_at = _shifted(before.finished_at, later)
    claim = before.claim
    if claim is not None:
        subtask.claim = Claim(seqs[claim.fence - 1], claim.incarnation, claim.executor, claim.item, claim.phase)
    return subtask


def _shifted(at: datetime | None, later: timedelta) -> datetime | None:
    return at + later if at is not None else None


def synthetic(number: int, commits: int) -> tuple[list[int], str]:
    """Return log positions and a head for a sample that is in no log."""
    last = number * 20
    return list(range(last - commits + 1, last + 1)), f"{number:064x}"
