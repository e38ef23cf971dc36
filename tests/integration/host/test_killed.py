"""A preparation that dies by SIGKILL at any step: the next attempt finishes it, and the undo knows what was before."""

import asyncio
import os
from pathlib import Path

import pytest

from services.executor.host import conf
from services.executor.host.ground import Record
from services.executor.operations import host_directory, host_sysctl, host_user
from tests.integration.host.conftest import Prepare, tree
from tests.integration.host.test_prepare import WANTED
from tests.integration.tenant.killed import dies

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts and owners are changed by root alone: run as root")

EFFECTS = (
    (Record, "keep"),
    (Record, "forget"),
    (conf, "write"),
    (host_sysctl, "_write_value"),
    (host_user, "command"),
    (host_directory, "_make"),
    (host_directory, "_take_back"),
)


@pytest.mark.parametrize("where", [pytest.param("before", marks=pytest.mark.long), "after"])
def test_a_preparation_killed_anywhere_is_finished_and_taken_back(prepare: Prepare, image: Path, where: str) -> None:
    """Resumed, the host is as wanted; undone, as before."""
    before, number, died = tree(image), 0, True
    while died:
        number += 1
        died = dies(prepare(**WANTED).run, number, where, EFFECTS)
        again = prepare(**WANTED)
        asyncio.run(again.run())
        assert "oper:x:1500:1500" in (image / "etc/passwd").read_text()
        assert (image / "proc/sys/vm/swappiness").read_text() == "1\n"
        asyncio.run(again.undo())
        assert tree(image) == before, f"killed {where} effect {number}"
    assert number > 8


def test_an_undo_killed_anywhere_is_finished(prepare: Prepare, image: Path) -> None:
    """The rollback dies after each effect; the next one brings it to its end."""
    before, number, died = tree(image), 0, True
    while died:
        number += 1
        asyncio.run(prepare(**WANTED).run())
        died = dies(prepare(**WANTED).undo, number, "after", EFFECTS)
        asyncio.run(prepare(**WANTED).undo())
        assert tree(image) == before, f"killed after effect {number}"
