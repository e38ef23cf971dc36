"""One line in our log for every request that was denied: who, what, where. A flood of them is counted, not written."""

from typing import Final

from starlette.types import Scope

from services.api.identity.limits import Pace
from services.api.rest import exchange
from shared.runtime.logging import get

STATUSES: Final = frozenset({401, 403, 429})
PER_SECOND: Final = 10.0
AT_ONCE: Final = 50.0

log = get(__name__)


class Denials:
    """Writes them. One per process."""

    def __init__(self) -> None:
        self._pace = Pace(PER_SECOND, AT_ONCE)
        self._unwritten = 0

    def note(self, scope: Scope, status: int, claim: str) -> None:
        """Write a line, unless there were too many; the next one says how many went unwritten."""
        if self._pace.take("") < 0:
            self._unwritten += 1
            return
        about = exchange.of(scope)
        log.warning(
            "denied",
            status=status,
            who=about.principal.name if about.principal is not None else claim,
            method=ascii(scope["method"])[1:-1][:20],
            path=ascii(scope["path"][:200])[1:-1],
            client=(scope.get("client") or ("",))[0],
            trace_id=about.trace_id,
            **({"unwritten": self._unwritten} if self._unwritten else {}),
        )
        self._unwritten = 0
