"""What `make bench` ends with, and the arithmetic behind it. Times nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import figures, plans
from benchmarks.figures import Figures
from benchmarks.http import BadAnswer, content_length
from shared.task.plan import Plan, check_graph

ROOT = Path(__file__).parents[2]
KEYS = [
    "raw_appends_per_s",
    "chained_subtasks_per_s",
    "ratio",
    "idle_chain_p50_ms",
    "idle_chain_p99_ms",
    "fanout_1000_s",
    "creates_per_s",
    "fold_commits_per_s_sqlite",
    "fold_commits_per_s_postgresql",
    "mock_rows_per_s",
    "synced_objects_per_s",
]


def test_the_last_line_has_these_keys_in_this_order() -> None:
    """Programs read the line: its keys are fixed, and what was not measured is null."""
    line = Figures().line()
    assert list(json.loads(line)) == KEYS
    assert set(json.loads(line).values()) == {None}
    assert "\n" not in line


def test_every_figure_is_explained() -> None:
    """docs/performance.md says of each key how it is measured."""
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert [key for key in asdict(Figures()) if f"`{key}`" not in text] == []


def test_the_ratio_follows_from_the_two_rates() -> None:
    """Chained subtasks for each raw append; unknown while one of them is."""
    found = Figures(raw_appends_per_s=8_000.0, chained_subtasks_per_s=2_000.0)
    found.settle()
    assert found.ratio == pytest.approx(0.25)
    half = Figures(chained_subtasks_per_s=2_000.0)
    half.settle()
    assert half.ratio is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(12_345.678, 12_346.0), (1_234.56, 1_235.0), (12.3456, 12.35), (0.123456, 0.1235), (0.0, 0.0), (None, None)],
)
def test_figures_are_shown_to_four_digits(value: float | None, shown: float | None) -> None:
    """More digits would claim more than a run can know."""
    assert figures.short(value) == shown


def test_a_percentile_is_a_measured_value() -> None:
    """Nearest rank: of 300 values the 99th percentile is the fourth largest."""
    values = [float(value) for value in range(300, 0, -1)]
    assert figures.percentile(values, 99) == 297.0
    assert figures.percentile(values, 50) == 150.0
    assert figures.percentile([7.0], 99) == 7.0


@pytest.mark.parametrize(("values", "share"), [([], 50.0), ([1.0], 0.0), ([1.0], 101.0)])
def test_a_percentile_of_nothing_is_an_error(values: list[float], share: float) -> None:
    """No figure is made up."""
    with pytest.raises(ValueError, match="percentile"):
        figures.percentile(values, share)


def test_rates_and_medians() -> None:
    """A rate is a second's; the median of an even number lies between the two in the middle."""
    assert figures.rate(500, 0.25) == 2_000.0
    assert figures.median([3.0, 1.0, 2.0]) == 2.0
    assert figures.median([4.0, 1.0, 2.0, 3.0]) == 2.5
    with pytest.raises(ValueError, match="no rate"):
        figures.rate(1, 0.0)


def test_the_yardstick_is_the_larger_raw_rate() -> None:
    """The stricter one for the ratio, whichever came first."""
    assert figures.yardstick(8_000.0, 7_500.0) == figures.yardstick(7_500.0, 8_000.0) == 8_000.0


def test_the_plans_are_what_the_figures_say() -> None:
    """A chain of five, each after the one before; one root, a thousand branches without a limit, one join."""
    chain = Plan.model_validate(json.loads(plans.chain())["plan"])
    fanout = Plan.model_validate(json.loads(plans.fanout())["plan"])
    check_graph(chain)
    check_graph(fanout)
    assert [len(node.upstreams) for node in chain.subtasks] == [0, 1, 1, 1, 1]
    assert [len(node.upstreams) for node in fanout.subtasks] == [0, *[1] * 1_000, 1_000]
    assert fanout.concurrency == 0
    assert {node.operation for node in (*chain.subtasks, *fanout.subtasks)} == {"noop"}


def test_an_answers_length_is_read_from_its_head() -> None:
    """Whatever the case of the name; an answer without one is not guessed at."""
    assert content_length(b"HTTP/1.1 201 Created\r\nContent-Length: 42\r\nX: y") == 42
    with pytest.raises(BadAnswer):
        content_length(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked")
