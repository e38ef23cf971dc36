"""What somebody takes away from a task's page: its id, a link, and the same for the command line and for programs."""

import shlex

from services.api.console.task_shown import Shown
from services.api.rest.policy import principal
from services.api.rest.tasks import INSTANCES


def copies(found: Shown) -> list[tuple[str, str]]:
    """Return words and texts to copy. The link shows just what the reader sees."""
    base = str(found.request.base_url).rstrip("/")
    who = shlex.quote(principal(found.request).name)
    return [
        ("ID", str(found.task.id)),
        ("Link", base + found.address()),
        ("Command line", f"opsledger task show {found.task.id}"),
        ("curl", f"curl --user {who} {shlex.quote(f'{base}{INSTANCES}/{found.task.id}')}"),
    ]
