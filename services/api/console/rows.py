"""Many boxes with the same neighbours stand in rows of several, not in one long column. Pure; knows no sizes.

Nobody can tell them apart by their edges, so a row has one edge in and one edge out, as if it were one box.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

COLUMN: Final = 12
"""So many still stand one below the other."""
ACROSS: Final = 5
"""So many stand side by side at most."""


def in_rows(upstreams: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Return the rows, each by its first node; a node that shares its neighbours with few is a row of its own."""
    downstreams: dict[int, list[int]] = {node: [] for node in upstreams}
    for node, above in upstreams.items():
        for one in above:
            downstreams[one].append(node)
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = defaultdict(list)
    for node, above in upstreams.items():
        alike[frozenset(above), frozenset(downstreams[node])].append(node)
    rows: dict[int, list[int]] = {}
    for group in alike.values():
        across = min(ACROSS, -(-len(group) // COLUMN))
        for start in range(0, len(group), across):
            rows[group[start]] = group[start : start + across]
    return rows


def between_rows(rows: Mapping[int, Sequence[int]], upstreams: Mapping[int, Sequence[int]]) -> dict[int, list[int]]:
    """Return the rows that each row follows."""
    return {first: [one for one in upstreams[first] if one in rows] for first in rows}
