"""The figures a run ends with, their one line of JSON, and the arithmetic behind them. Measures nothing."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median as _median


@dataclass(slots=True)
class Figures:
    """What one run measured; None is what this run did not, or could not, measure. Rates are a second."""

    raw_appends_per_s: float | None = None
    chained_subtasks_per_s: float | None = None
    ratio: float | None = None
    idle_chain_p50_ms: float | None = None
    idle_chain_p99_ms: float | None = None
    fanout_1000_s: float | None = None
    creates_per_s: float | None = None
    fold_commits_per_s_sqlite: float | None = None
    fold_commits_per_s_postgresql: float | None = None
    mock_rows_per_s: float | None = None
    synced_objects_per_s: float | None = None

    def settle(self) -> None:
        """Work out what follows from the others: chained subtasks for each append the broker can take at all."""
        if self.raw_appends_per_s and self.chained_subtasks_per_s is not None:
            self.ratio = self.chained_subtasks_per_s / self.raw_appends_per_s

    def line(self) -> str:
        """Return the one line of JSON: always the same keys, in this order, null for what was not measured."""
        return json.dumps({key: short(value) for key, value in asdict(self).items()})


def short(value: float | None) -> float | None:
    """Return the value to four significant digits, all digits of larger numbers kept up to the point."""
    if value is None or value == 0:
        return value
    return round(value, max(0, 3 - math.floor(math.log10(abs(value)))))


def rate(count: int, seconds: float) -> float:
    """Return how many a second; ValueError when no time has passed, which no real measurement shows."""
    if seconds <= 0:
        raise ValueError(f"{count} in {seconds} s is no rate")
    return count / seconds


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    return float(_median(values))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest measured value that at least `share` per cent of them do not exceed (nearest rank)."""
    if not values or not 0 < share <= 100:
        raise ValueError(f"no {share}th percentile of {len(values)} values")
    return sorted(values)[math.ceil(share / 100 * len(values)) - 1]


def yardstick(before: float, after: float) -> float:
    """Return the larger of two raw rates: others on the machine can only lower one, and the ratio is stricter so."""
    return max(before, after)
