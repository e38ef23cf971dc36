"""What a rollout does, and that what it does can be taken back."""

from pathlib import Path

import pytest
from acme_operations.publish import publish

from opsledger.kit import PermanentFault
from opsledger.testing import RunOperation, RunTask, Snapshot


@pytest.fixture(autouse=True)
def sites(operation_files: Path) -> None:
    """Two sites with two releases each, at their first one."""
    for site in ("shop", "docs"):
        for release in ("1.0", "2.0"):
            (operation_files / site / release).mkdir(parents=True)
            (operation_files / site / release / "index.html").write_text(f"{site} {release}")
        (operation_files / site / "current").symlink_to("1.0")


async def test_a_rollout_is_undone(run_task: RunTask, operation_snapshot: Snapshot) -> None:
    """Wherever it breaks, a rollback leaves everything as it was."""
    before, params = operation_snapshot(), {"sites": ["shop", "docs"], "release": "2.0"}
    ran = await run_task("acme.rollout", params, fail_at=("publish-docs", "after"))
    assert ran.state == "FAILED"
    assert operation_snapshot()["shop/current"] == b"-> 2.0"

    await ran.rollback(crash_at="publish-shop")

    assert ran.rolled_back
    assert operation_snapshot() == before


async def test_a_crash_is_survived(run_task: RunTask, operation_snapshot: Snapshot) -> None:
    """Done twice is done once: the second attempt has the first one's token, and knows what was there before."""
    before, params = operation_snapshot(), {"sites": ["shop"], "release": "2.0"}
    ran = await run_task("acme.rollout", params, crash_at=("publish-shop", "after"), fail_at="check-shop")
    assert ran.steps["publish-shop"].tokens == ["1/1/1", "1/1/1"]

    await ran.rollback()

    assert operation_snapshot() == before


async def test_a_release_has_to_be_there(run_operation: RunOperation) -> None:
    """What is missing is named, and nothing was touched."""
    with pytest.raises(PermanentFault, match="no release"):
        await run_operation(publish, {"site": "shop", "release": "3.0"})
