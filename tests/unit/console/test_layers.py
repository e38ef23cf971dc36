"""Where the nodes of a graph stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.console.layers import lay_out


@st.composite
def graphs(draw: st.DrawFn) -> dict[int, list[int]]:
    """Graphs without loops: every node names earlier ones as its upstreams."""
    count = draw(st.integers(0, 25))
    return {node: sorted(draw(st.sets(st.integers(0, node - 1), max_size=4))) if node else [] for node in range(count)}


@given(graphs())
def test_edges_go_from_layer_to_layer(graph: dict[int, list[int]]) -> None:
    """An edge begins at its upstream, ends at its downstream, and leaves no layer out on its way to the right."""
    layout = lay_out(graph)

    assert set(layout.edges) == {(one, node) for node, above in graph.items() for one in above}
    for (first, last), way in layout.edges.items():
        assert (way[0], way[-1]) == (layout.spots[first], layout.spots[last])
        assert all(after.layer == before.layer + 1 for before, after in pairwise(way))


@given(graphs())
def test_no_two_share_a_place(graph: dict[int, list[int]]) -> None:
    """No node stands where another one does, nor where a long edge passes: an edge never runs behind a node."""
    layout = lay_out(graph)

    taken = [*layout.spots.values(), *(spot for way in layout.edges.values() for spot in way[1:-1])]
    assert len(taken) == len(set(taken))
    assert layout.layers == 1 + max((spot.layer for spot in layout.spots.values()), default=-1)


def test_a_diamond_is_a_diamond() -> None:
    """A fork and its join stand on one line, the branches above and below it."""
    spots = lay_out({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}).spots

    assert [spots[node].layer for node in "abcd"] == [0, 1, 1, 2]
    assert spots["a"].height == spots["d"].height == 0
    assert {spots["b"].height, spots["c"].height} == {-0.5, 0.5}


def test_crossings_are_undone() -> None:
    """Two edges that would cross when nodes keep their order do not, once they are ordered by their neighbours."""
    spots = lay_out({1: [], 2: [], 3: [2], 4: [1]}).spots

    assert (spots[1].height < spots[2].height) == (spots[4].height < spots[3].height)


def test_a_loop_is_refused() -> None:
    """What is no plan cannot be drawn."""
    with pytest.raises(ValueError, match="loop"):
        lay_out({1: [2], 2: [1]})
