"""The picture of a graph: what it is made of, and that it stays small."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.console import badge
from services.api.console.bounding import AROUND, EDGE, MOST, TALL, bound
from services.api.console.drawing import BESIDE, HEIGHT, ROOM, WIDEST, WIDTH, Picture, draw
from services.api.console.folding import Step, fold
from services.api.console.graph_view import opened_in
from services.api.console.layers import depths
from shared.task.words import Operation, SubtaskStatus

P, F, S = SubtaskStatus.PENDING, SubtaskStatus.FAILED, SubtaskStatus.SUCCESSFUL


def steps(upstreams: Mapping[int, tuple[int, ...]], *, kinds: int = 1) -> list[Step]:
    """Steps that wait; their kinds take turns."""
    down: dict[int, list[int]] = {number: [] for number in upstreams}
    for number, above in upstreams.items():
        for one in above:
            down[one].append(number)
    return [
        Step(number, f"step {number}", f"kind {number % kinds}", P, above, tuple(down[number]))
        for number, above in upstreams.items()
    ]


def chain(length: int) -> dict[int, tuple[int, ...]]:
    """One after the other."""
    return {number: (number - 1,) if number > 1 else () for number in range(1, length + 1)}


def picture(found: list[Step], chosen: int | None = None, *, backward: bool = False) -> Picture:
    """The picture of steps that all look the same."""
    badges = {step.number: badge.of_subtask(step.status, Operation.EXECUTE) for step in found}
    return draw(found, badges, {}, chosen=chosen, backward=backward)


def test_a_long_chain_is_drawn_around_the_chosen_step() -> None:
    """Its beginning, its end, what is around the chosen step, and two boxes for all that lies between."""
    found = picture(steps(chain(5000)), chosen=2500)

    many = [box for box in found.boxes if box.many > 1]
    assert len(found.boxes) == 2 * EDGE + 2 * AROUND + 1 + len(many)
    assert sum(box.many for box in found.boxes) == 5000
    assert found.left_out == 5000 - (2 * EDGE + 2 * AROUND + 1)
    assert [box.id for box in found.boxes if box.chosen] == [2500]


def test_a_short_chain_is_drawn_whole() -> None:
    """As many steps as one can scroll along."""
    assert len(picture(steps(chain(40))).boxes) == 40


TANGLED: dict[int, tuple[int, ...]] = {1: (), 2: (1,), 3: (1,), 4: (1, 3), 5: (2, 4), 6: (1,), 7: (5, 6)}
WIDE_FAN: dict[int, tuple[int, ...]] = {1: (), **dict.fromkeys(range(2, 72), (1,)), 72: (1,), 73: (*range(2, 73),)}


@pytest.mark.parametrize("graph", [TANGLED, WIDE_FAN], ids=["tangled", "fan"])
def test_boxes_do_not_overlap(graph: dict[int, tuple[int, ...]]) -> None:
    """Whatever stands in a layer stands beside or below the others, and within the picture."""
    found = picture(steps(graph, kinds=100))

    assert len(found.boxes) == len(graph)
    places = [(box.x, box.y) for box in found.boxes]
    for x, y in places:
        near = [(a, b) for a, b in places if abs(a - x) < found.across and abs(b - y) < HEIGHT]
        assert near == [(x, y)]
    assert max(x for x, _ in places) + found.across <= found.width
    assert max(y for _, y in places) + HEIGHT <= found.height


@pytest.mark.parametrize(("length", "wide"), [(2, WIDEST), (3, 157), (5, 230), (6, 185), (9, WIDTH)])
def test_boxes_are_as_wide_as_their_names_if_there_is_room(length: int, wide: int) -> None:
    """A short graph stays narrow enough for a log beside it, a longer one within the page, the longest are cut."""
    named = [replace(step, name="Compare the row counts of all tables") for step in steps(chain(length), kinds=9)]
    found = picture(named)

    assert found.across == wide
    assert found.width <= (BESIDE if length <= 3 else ROOM) or wide == WIDTH
    assert all(box.name.endswith("…") for box in found.boxes)
    assert picture(steps(chain(length), kinds=9)).across == WIDTH


def test_many_with_the_same_neighbours_stand_in_rows() -> None:
    """Five side by side; a row has one edge in and one out."""
    found = picture(steps(WIDE_FAN, kinds=100))

    rows = Counter(box.y for box in found.boxes if box.id not in {1, 73})
    assert sorted(rows.values()) == [1, *[5] * 14]
    assert len(found.curves) == 2 * len(rows)


def test_a_rollback_marks_its_edges() -> None:
    """It goes along them backwards."""
    assert {curve.look for curve in picture(steps(chain(3)), backward=True).curves} == {"back"}


def test_a_skipped_step_looks_like_one() -> None:
    """Besides its sign and its word."""
    found = draw(steps({1: ()}), {1: badge.SKIPPED}, {})

    assert [box.look for box in found.boxes] == ["skipped"]


@pytest.mark.parametrize("width", [2, 3000])
def test_five_thousand_that_cannot_be_folded_are_drawn_in_part(width: int) -> None:
    """In little time, however the graph is made; every step is in one box."""
    upstreams = {n: tuple({max(1, n - 1 - n * 7 % width), n - 1}) if n > 1 else () for n in range(1, 5001)}
    found = steps(upstreams, kinds=4999)
    began = time.process_time()

    drawn = picture(found, chosen=2400)

    assert len(drawn.boxes) <= MOST + 60
    assert sum(box.many for box in drawn.boxes) == 5000
    assert time.process_time() - began < 5


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_bounding_makes_no_loop_and_loses_nobody(data: st.DataObject) -> None:
    """Every step is in exactly one node, no layer is too tall, and the chosen step has a node of its own."""
    count = data.draw(st.integers(1, 300))
    back = data.draw(st.integers(1, 200))
    upstreams = {n: (max(1, n - back),) if n > back else () for n in range(1, count + 1)}
    chosen = data.draw(st.integers(1, count))
    found = steps(upstreams, kinds=count)

    nodes, above = bound(found, *fold(found), chosen)

    assert sorted(number for node in nodes for number in node.numbers) == list(range(1, count + 1))
    assert any(node.numbers == (chosen,) for node in nodes)
    assert set(above) == {node.id for node in nodes}
    depth = depths(above)
    assert max(Counter(depth.values()).values()) <= TALL


@pytest.mark.parametrize(
    ("text", "opened"),
    [("", {}), ("2", {2: 1}), ("2.3,300", {2: 3, 300: 1}), ("x,2.y,-1,9999999,4", {4: 1}), (",,", {})],
)
def test_what_is_open_stands_in_the_address(text: str, opened: dict[int, int]) -> None:
    """What is no number is left out."""
    assert opened_in(text) == opened
