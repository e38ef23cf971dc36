"""What the lint says: one finding, how grave it is, and how to mend it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning", "hint"]
GRAVITY: dict[Severity, int] = {"error": 0, "warning": 1, "hint": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the operation or task type it is about; `rule` one word for `--ignore`."""

    severity: Severity
    subject: str
    rule: str
    message: str
    mend: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return asdict(self)
