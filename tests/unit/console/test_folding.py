"""Many alike become one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.console.folding import FOLD, OPEN, Step, fold
from services.api.console.layers import lay_out
from shared.task.words import SubtaskStatus

P, F, R, S = SubtaskStatus.PENDING, SubtaskStatus.FAILED, SubtaskStatus.RUNNING, SubtaskStatus.SUCCESSFUL


def steps(upstreams: dict[int, tuple[int, ...]], status: dict[int, SubtaskStatus] | None = None) -> list[Step]:
    """Steps of one kind, named after their numbers."""
    down = {number: tuple(other for other, above in upstreams.items() if number in above) for number in upstreams}
    return [
        Step(number, f"copy shard {number}", "copy", (status or {}).get(number, P), above, down[number])
        for number, above in upstreams.items()
    ]


def fan(width: int) -> dict[int, tuple[int, ...]]:
    """A first step, `width` side by side, and a last one."""
    last = width + 2
    return {1: (), **dict.fromkeys(range(2, last), (1,)), last: tuple(range(2, last))}


def test_a_wide_fan_is_one_node_with_counts() -> None:
    """A thousand alike are drawn as one, with what became of them; the failed one speaks for all."""
    nodes, upstreams = fold(steps(fan(1000), {5: F, 6: R, 7: S, 8: S}))

    middle = nodes[1]
    assert [len(node.numbers) for node in nodes] == [1, 1000, 1]
    assert middle.counts == {F: 1, R: 1, S: 2, P: 996}
    assert (middle.status, middle.first, middle.name) == (F, 5, "copy shard")
    assert upstreams == {1: [], 2: [1], 1002: [2]}


def test_a_few_alike_stay_apart() -> None:
    """As many as can be told apart at a glance are drawn one by one."""
    assert len(fold(steps(fan(FOLD)))[0]) == FOLD + 2
    assert len(fold(steps(fan(FOLD + 1)))[0]) == 3


def test_what_is_opened_shows_the_failed_first() -> None:
    """An opened node gives its first hundred, what failed among them wherever it stood, and one node for the rest."""
    nodes, _ = fold(steps(fan(1000), {900: F}), opened={2: 1})

    assert len(nodes) == 1 + OPEN + 1 + 1
    assert any(node.numbers == (900,) for node in nodes)
    rest = next(node for node in nodes if node.many)
    assert len(rest.numbers) == 1000 - OPEN
    assert rest.leads == (2, 2)


@pytest.mark.parametrize(("page", "before", "shown", "behind"), [(2, 100, 100, 50), (3, 200, 50, 0), (9, 200, 50, 0)])
def test_every_hundred_can_be_opened(page: int, before: int, shown: int, behind: int) -> None:
    """What comes before and behind the hundred that is shown is a node each, which leads there."""
    nodes, _ = fold(steps(fan(250)), opened={2: page})

    many = {node.leads: len(node.numbers) for node in nodes if node.many}
    expected = {(2, min(page, 3) - 1): before, (2, min(page, 3) + 1): behind}
    assert many == {leads: count for leads, count in expected.items() if count}
    assert sum(not node.many for node in nodes) == shown + 2


def test_parallel_chains_fold_step_by_step() -> None:
    """Thirty hosts that each go through the same two steps are two nodes, one after the other."""
    upstreams: dict[int, tuple[int, ...]] = dict.fromkeys(range(1, 31), ())
    upstreams |= {number + 30: (number,) for number in range(1, 31)}

    nodes, above = fold(steps(upstreams))

    assert [len(node.numbers) for node in nodes] == [30, 30]
    assert above == {1: [], 31: [1]}


def test_a_long_chain_is_not_folded() -> None:
    """Steps that follow each other are not alike, however equal they look."""
    assert len(fold(steps({number: (number - 1,) if number > 1 else () for number in range(1, 60)}))[0]) == 59


@given(st.data())
def test_folding_makes_no_loop_and_loses_nobody(data: st.DataObject) -> None:
    """Every step is in exactly one node, every edge is between nodes, and the folded graph can still be laid out."""
    count = data.draw(st.integers(1, 80))
    upstreams = {
        number: tuple(sorted(data.draw(st.sets(st.integers(1, number - 1), max_size=2)))) if number > 1 else ()
        for number in range(1, count + 1)
    }

    nodes, above = fold(steps(upstreams))

    assert sorted(number for node in nodes for number in node.numbers) == list(range(1, count + 1))
    of = {number: node.id for node in nodes for number in node.numbers}
    assert {(of[one], of[number]) for number, ups in upstreams.items() for one in ups} == {
        (one, node) for node, ups in above.items() for one in ups
    }
    lay_out(above)
