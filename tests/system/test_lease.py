"""Leases of real executors: who goes on working keeps its item, however short its steps are (T11)."""

import pytest

from tests.support.history import walk
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = pytest.mark.timeout(60)


def test_a_chain_of_short_steps_outlives_ack_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three times AckWait long, with an idle executor beside it: not one step is taken over or run again."""
    nodes = [
        {"key": f"s{n}", "operation": "wait", "params": {"seconds": 0.2}, "upstreams": [f"s{n - 1}"] if n else []}
        for n in range(24)
    ]
    with (
        Up(tmp_path_factory.mktemp("lease"), executors=2, OPSLEDGER_ACK_WAIT_SECONDS="1.5") as up,
        Rest(up.url, up.password) as rest,
    ):
        task_id = rest.create({"plan": {"subtasks": nodes}})["id"]
        assert rest.ended(task_id)["state"] == "SUCCESSFUL"
        seen = walk(rest.events(task_id))

    assert (seen.problems, seen.starts, seen.lost) == ([], len(nodes), 0)
