"""A log in memory: for unit tests and simulations. It answers as the real one does, sins included (T5, T6)."""

from datetime import UTC, datetime

from shared.log.port import Ambiguous, Conflict, Duplicate, NotStored, Stored


class MemoryStorage:
    """One process's storage. `sins` holds what goes wrong with the next appends, first one first.

    `lose_answer`: stored, but the answer is lost. `lose_message`: neither stored nor answered.
    `refuse`: surely not stored. `late`: no answer, stored only when the next append or read comes.
    With three `replicas` a second try of what was stored is a `Duplicate`, with one it is a plain `Conflict`.
    """

    def __init__(self, *, replicas: int = 1) -> None:
        self.replicas = replicas
        self.messages: list[tuple[int, Stored]] = []
        self.sins: list[str] = []
        self._tails: dict[int, int] = {}
        self._ids: set[str] = set()
        self._late: tuple[int, str, bytes, int] | None = None

    async def append(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        """Store the body and return its sequence, or sin as told."""
        self._arrive()
        sin = self.sins.pop(0) if self.sins else None
        if sin == "refuse":
            raise NotStored("no responders")
        if sin == "lose_message":
            raise Ambiguous("no answer")
        if sin == "late":
            self._late = (task_id, commit_id, body, expected)
            raise Ambiguous("no answer yet")
        seq = self._store(task_id, commit_id, body, expected)
        if sin == "lose_answer":
            raise Ambiguous("no answer")
        return seq

    async def read(self, task_id: int, after: int = 0, *, limit: int | None = None) -> list[Stored]:
        """Return the task's messages behind `after`."""
        self._arrive()
        found = [stored for owner, stored in self.messages[after:] if owner == task_id]
        return found[:limit] if limit is not None else found

    async def last(self, task_id: int) -> int:
        """Return the last sequence of the task's subject."""
        self._arrive()
        return self._tails.get(task_id, 0)

    def _store(self, task_id: int, commit_id: str, body: bytes, expected: int) -> int:
        if self.replicas > 1 and commit_id in self._ids:
            raise Duplicate(f"{commit_id} was stored before")
        if self._tails.get(task_id, 0) != expected:
            raise Conflict(f"last sequence {self._tails.get(task_id, 0)}, expected {expected}")
        seq = len(self.messages) + 1
        self.messages.append((task_id, Stored(seq, commit_id, body, datetime.now(UTC))))
        self._tails[task_id] = seq
        self._ids.add(commit_id)
        return seq

    def _arrive(self) -> None:
        if self._late is None:
            return
        late, self._late = self._late, None
        try:
            self._store(*late)
        except Conflict:
            return
