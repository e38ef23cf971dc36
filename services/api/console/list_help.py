"""What the search box suggests: whole searches that go on from the one that is there. Knows no markup."""

from collections.abc import Iterable
from typing import Final

from services.api.console.list_look import Look
from services.api.console.searchbox import ME, QUALIFIERS, STATES

MANY: Final = 24
"""Task types that are suggested."""
AGES: Final = ("1h", "24h", "7d")


def suggestions(look: Look, text: str, types: Iterable[str]) -> list[str]:
    """Return searches that have one qualifier more than `text`; a browser shows those that fit what is typed."""
    begun = text.split()
    used = {word.partition(":")[0] for word in begun}
    words = [
        *(f"{look.qualifier}:{chip.said}" for chip in look.chips if not used & STATES),
        *(f"type:{kind}" for kind in sorted(look.types or types)[:MANY] if "type" not in used),
        *([f"by:{ME}"] if "by" not in used else []),
        *(f"since:{age}" for age in AGES if "since" not in used),
        *(f"{name}:" for name in QUALIFIERS if name not in used | STATES | {"type", "by", "since"}),
    ]
    return [" ".join([*begun, word]) for word in words]
