"""What really happened outside: a file that the tests' own commands append to, independent of our log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = (
    "run=$(cat /proc/sys/kernel/random/uuid); "
    'say() { echo "$TASK_TOKEN $run $1 $(cut -d" " -f1 /proc/uptime)" >> "$0"; }; '
    'say start; i=0; while [ $i -lt "$1" ]; do sleep 0.1; say beat; i=$((i+1)); done; say end'
)


@dataclass(frozen=True)
class Line:
    """One line: whose token, which run of it, what, and when (seconds since boot)."""

    token: str
    run: str
    word: str
    at: float


class Ledger:
    """One file of effects."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def params(self, tenths: int = 0) -> dict[str, Any]:
        """Parameters of a `command.run` that writes start, a beat each tenth of a second, and end."""
        return {"argv": ["sh", "-c", SCRIPT, str(self.path), str(tenths)]}

    def lines(self, token: str | None = None) -> list[Line]:
        """Return all lines, or one token's."""
        if not self.path.exists():
            return []
        found = [line.split() for line in self.path.read_text(encoding="utf-8").splitlines()]
        return [Line(a, b, c, float(d)) for a, b, c, d in found if token in {None, a}]

    def runs(self, token: str) -> dict[str, list[Line]]:
        """Return a token's lines by run."""
        found: dict[str, list[Line]] = {}
        for line in self.lines(token):
            found.setdefault(line.run, []).append(line)
        return found
