"""Executors that die by SIGKILL in the middle: the next one goes on or takes back, and nothing is lost or left."""

import asyncio

import pytest

from tests.integration.tenant.conftest import Task
from tests.integration.tenant.digest import connect, digest
from tests.integration.tenant.killed import dies
from tests.integration.tenant.test_drop import tenant
from tests.support.postgres import PostgresServer

__all__ = ["tenant"]

ALL = {"allow": ["127.0.0.0/8"], "schema": "app"}


def _names(server: PostgresServer) -> list[str]:
    with connect(server) as admin:
        return [row[0] for row in admin.execute("SELECT datname FROM pg_database WHERE oid > 16383").fetchall()]


@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.long)])
def test_a_create_killed_anywhere_is_finished_and_taken_back(task: Task, clean: PostgresServer, stride: int) -> None:
    """Before each statement and each secret: resumed, the tenant logs in; undone, the server is as before."""
    before, number, deaths = digest(clean, content=False), 2 - stride, 0
    while True:
        number += stride
        died = dies(task(**ALL).run, number)
        deaths += died
        again = task(**ALL)
        asyncio.run(again.run())
        assert again.outputs["verify"]["role"] == "acme"
        assert _names(clean) == ["acme"]
        asyncio.run(again.undo())
        assert digest(clean, content=False) == before, f"killed before effect {number}"
        assert again.keeper.secrets == {}
        if not died:
            break
    assert deaths > 15 // stride


@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.long)])
def test_a_create_killed_anywhere_is_taken_back_at_once(task: Task, clean: PostgresServer, stride: int) -> None:
    """After each statement and each secret: rolled back without going on, the server is as before."""
    before, number = digest(clean, content=False), 1 - stride
    died = True
    while died:
        number += stride
        died = dies(task(**ALL).run, number, "after")
        again = task(**ALL)
        asyncio.run(again.undo())
        assert digest(clean, content=False) == before, f"killed after effect {number}"
        assert again.keeper.secrets == {}


@pytest.mark.long
def test_an_undo_killed_anywhere_is_finished(task: Task, clean: PostgresServer) -> None:
    """The rollback itself dies before each statement; the next one brings it to its end."""
    before, number = digest(clean, content=False), 0
    died = True
    while died:
        number += 1
        asyncio.run(task(**ALL).run())
        died = dies(task(**ALL).undo, number)
        again = task(**ALL)
        asyncio.run(again.undo())
        assert digest(clean, content=False) == before, f"killed before effect {number}"
        assert again.keeper.secrets == {}


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_drop_killed_anywhere_is_taken_back(task: Task, tenant: PostgresServer, stride: int) -> None:
    """After each statement, secret and piece of the dump: rolled back, role and database are as before, to the row."""
    before, number = digest(tenant), 1 - stride
    died = True
    while died:
        number += stride
        died = dies(task("drop").run, number, "after")
        again = task("drop")
        asyncio.run(again.undo())
        assert digest(tenant) == before, f"killed after effect {number}"
        assert again.keeper.secrets == {}
    assert number > 5


@pytest.mark.long
def test_a_restore_killed_anywhere_is_finished(task: Task, tenant: PostgresServer) -> None:
    """The undo of a whole drop dies before and after each statement; the next one restores the rest."""
    before = digest(tenant)
    for where in ("before", "after"):
        number, died = 0, True
        while died:
            number += 1
            asyncio.run(task("drop").run())
            died = dies(task("drop").undo, number, where)
            again = task("drop")
            asyncio.run(again.undo())
            assert digest(tenant) == before, f"killed {where} effect {number}"
            assert _names(tenant) == ["acme"]


@pytest.mark.long
def test_a_drop_killed_anywhere_is_finished(task: Task, tenant: PostgresServer) -> None:
    """Before each effect: resumed, the tenant is gone; undone after that, it is back."""
    before, number, died = digest(tenant), 0, True
    while died:
        number += 1
        died = dies(task("drop").run, number)
        again = task("drop")
        asyncio.run(again.run())
        assert _names(tenant) == []
        asyncio.run(again.undo())
        assert digest(tenant) == before, f"killed before effect {number}"
