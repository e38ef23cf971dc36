"""Drafting a commit: decide for everybody who waits, one after another, on one draft. Knows no storage and no time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.log.fold import remember
from shared.log.lane import Ask
from shared.log.port import Note, Transacted
from shared.messages.codec import digest, encode
from shared.messages.commit import Commit, Decision, RefusalNote
from shared.task.evolve import seal
from shared.task.refusals import KeyReused, Refusal
from shared.task.state import KeyUse, Task
from shared.task.verdict import Verdict


@dataclass(slots=True)
class Draft:
    """What one round decided: the decisions to commit, and what each caller will be told once they are stored."""

    base: Task | None
    task: Task | None
    decisions: list[Decision] = field(default_factory=list)
    answers: list[tuple[Ask, Verdict | KeyUse | Refusal]] = field(default_factory=list)
    changed: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether somebody is told "no" or "nothing to do", which only the leader can confirm."""
        return any(not isinstance(answer, KeyUse) for _, answer in self.answers)

    def body(self, task_id: int) -> bytes:
        """Return the commit's body."""
        prev = self.base.head if self.base is not None else ""
        return encode(Commit(task=task_id, prev=prev, decisions=tuple(self.decisions)))

    def stored(self, seq: int, body: bytes) -> Task | None:
        """Return the task as the stored commit leaves it: exactly what a fold of the log gives."""
        task = self.task
        if task is None:
            return None
        if task is self.base:  # only refusals: nothing changed but the tail
            task = task.draft()
        elif self.base is not None:
            task.version = self.base.version  # counted by `seal`, as for whoever folds
        for decision in self.decisions:
            remember(task, decision, seq)
        seal(task, seq, digest(body), changed=self.changed)
        return task

    def answer(self, task: Task | None, seq: int) -> None:
        """Tell every caller; `task` is the state at `seq`."""
        for ask, answer in self.answers:
            if ask.answer.done():
                continue
            match answer:
                case Refusal():
                    ask.answer.set_exception(answer)
                case KeyUse():
                    assert task is not None  # noqa: S101  keys are kept by the task
                    ask.answer.set_result(Transacted(task, answer.seq, None, answer))
                case Verdict():
                    ask.answer.set_result(Transacted(task or answer.task, seq, answer))


def draft(task: Task | None, asks: Sequence[Ask]) -> Draft:
    """Decide for each ask on what the earlier ones lead to; a refusal, or a fault, is its caller's alone."""
    drafted = Draft(task, task)
    for ask in asks:
        if ask.answer.done():  # the caller has gone
            continue
        _decide(drafted, ask)
    return drafted


def _decide(drafted: Draft, ask: Ask) -> None:
    note, task = ask.note, drafted.task
    used = task.keys.get(note.key) if task is not None and note.key is not None else None
    if used is not None:
        drafted.answers.append((ask, _replay(used, note)))
        return
    try:
        verdict = ask.decide(task)
    except Refusal as refusal:
        drafted.answers.append((ask, refusal))
        if note.command is not None and task is not None:
            drafted.decisions.append(_refused(note, refusal))
        return
    except Exception as error:  # noqa: BLE001  whatever it is belongs to the caller
        ask.answer.set_exception(error)
        return
    drafted.answers.append((ask, verdict))
    if verdict.events:
        drafted.decisions.append(_accepted(note, verdict))
        drafted.task = verdict.task
        drafted.changed = True
        if drafted.base is not None:  # who comes later in this commit and names the old version has seen too little
            drafted.task.version = drafted.base.version + 1


def _replay(used: KeyUse, note: Note) -> KeyUse | Refusal:
    if used.body_hash == (note.body_hash or ""):
        return used
    return KeyReused("This idempotency key was used before with another body.", target={"decision": used.decision})


def _accepted(note: Note, verdict: Verdict) -> Decision:
    return Decision(
        id=note.id,
        at=note.at,
        by=note.by,
        reason=note.reason,
        key=note.key,
        body_hash=note.body_hash,
        events=tuple(verdict.events),
    )


def _refused(note: Note, refusal: Refusal) -> Decision:
    return Decision(
        id=note.id,
        at=note.at,
        by=note.by,
        reason=note.reason,
        key=note.key,
        body_hash=note.body_hash,
        outcome="refused",
        refusal=RefusalNote(
            command=note.command or "",
            kind=refusal.kind,
            code=refusal.code,
            message=refusal.message,
            target=refusal.target or None,
        ),
    )
