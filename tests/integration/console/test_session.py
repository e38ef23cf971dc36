"""Signing in to the console, on a real bucket and in two processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from unittest.mock import patch

import pytest
from nats.aio.client import Client

from services.api.access import USER, Role, UserRecord
from services.api.console import session
from services.api.console.session import SESSION, Sessions, csrf, csrf_fits
from services.api.credentials import Credentials
from shared.messages import subjects
from shared.runtime.clock import now
from shared.runtime.nats import connect
from shared.store.kv import Bucket
from shared.store.streams import provision
from tests.support.nats_server import NatsServer


class Replica:
    """What one API process knows of users and sessions."""

    def __init__(self, client: Client) -> None:
        self.bucket = Bucket(client, subjects.ACCESS)
        self.credentials = Credentials(self.bucket)
        self.sessions = Sessions(self.bucket, self.credentials)

    async def load(self) -> None:
        """Read everything anew."""
        await self.credentials.load()
        await self.sessions.load()

    async def records(self) -> list[str]:
        """The keys of the sessions there are."""
        return [entry.key for entry in await self.bucket.all() if entry.key.startswith(SESSION)]

    async def user(self, name: str, password: str, role: Role) -> None:
        """Make a user, or make her anew."""
        record = await asyncio.to_thread(UserRecord.of, name, password, role, now())
        await self.bucket.put(USER + name, record.model_dump_json().encode())
        await self.credentials.load()


@pytest.fixture
async def replicas(nats_server: NatsServer) -> AsyncIterator[tuple[Replica, Replica]]:
    """Two processes over one bucket with a user in it."""
    clients = [await connect(nats_server.url, name=f"console {number}") for number in range(2)]
    await provision(clients[0], replicas=1, lease=timedelta(seconds=45))
    here, there = (Replica(client) for client in clients)
    await here.user("ada", "correct horse battery", Role.TASK_OPERATOR)
    await there.load()
    yield here, there
    for client in clients:
        await client.close()


async def test_every_process_knows_who_signed_in(replicas: tuple[Replica, Replica]) -> None:
    """A cookie given by one process opens the other one at once, before it has heard of it; signing out closes both."""
    here, there = replicas

    cookie = await here.sessions.open("ada")
    found = await there.sessions.principal(cookie)
    await here.sessions.close(cookie)
    await there.sessions.load()

    assert found is not None
    assert (found.name, found.role) == ("ada", Role.TASK_OPERATOR)
    assert await here.sessions.principal(cookie) is None
    assert await there.sessions.principal(cookie) is None


async def test_the_secret_is_not_stored(replicas: tuple[Replica, Replica]) -> None:
    """Who reads the bucket cannot make a cookie of it."""
    here, _ = replicas

    session_id, _, secret = (await here.sessions.open("ada")).partition(".")
    stored = await here.bucket.get(SESSION + session_id)

    assert stored is not None
    assert stored.value is not None
    assert secret.encode() not in stored.value


@pytest.mark.parametrize("cookie", ["", ".", "x", "a.b", "../user.x", "0" * 500, "ada.correct horse battery"])
async def test_what_is_no_cookie_opens_nothing(replicas: tuple[Replica, Replica], cookie: str) -> None:
    """Neither nonsense nor a right id with a wrong secret."""
    here, _ = replicas
    mine = await here.sessions.open("ada")

    assert await here.sessions.principal(cookie) is None
    assert await here.sessions.principal(mine[:-1] + ("A" if mine[-1] != "A" else "B")) is None


async def test_role_and_password_of_now_count(replicas: tuple[Replica, Replica]) -> None:
    """Another role is seen at once; another password, or no user any more, ends every session."""
    here, there = replicas
    cookie = await here.sessions.open("ada")
    record = here.credentials.users["ada"].model_copy(update={"role": Role.TASK_VIEWER})
    await here.bucket.put(USER + "ada", record.model_dump_json().encode())
    await there.load()

    found = await there.sessions.principal(cookie)
    await there.user("ada", "another horse battery", Role.TASK_VIEWER)

    assert found is not None
    assert found.role is Role.TASK_VIEWER
    assert await there.sessions.principal(cookie) is None


async def test_a_session_ends_and_its_record_goes(replicas: tuple[Replica, Replica]) -> None:
    """After twelve hours without use the cookie is worth nothing, and any process sweeps the record away."""
    here, there = replicas
    old = await here.sessions.open("ada")
    later = now() + session.LASTS

    with patch.object(session, "now", lambda: later):
        assert await here.sessions.principal(old) is None
        await there.sessions.tend()

    assert await here.records() == []


async def test_a_session_that_is_used_goes_on_but_not_for_ever(replicas: tuple[Replica, Replica]) -> None:
    """Every use in its second half lets it go on, at the other process too, for a week in all."""
    here, there = replicas
    cookie, began, hours = await here.sessions.open("ada"), now(), 0

    for hours in range(7, 24 * 8, 7):
        with patch.object(session, "now", lambda hours=hours: began + timedelta(hours=hours)):
            await there.sessions.load()
            if await there.sessions.principal(cookie) is None:
                break
            await there.sessions.tend()

    assert timedelta(hours=hours - 7) <= session.LONGEST <= timedelta(hours=hours)


async def test_who_signed_out_meanwhile_stays_out(replicas: tuple[Replica, Replica]) -> None:
    """A session that was used at one process and ended at the other one does not come back."""
    here, there = replicas
    cookie, began = await here.sessions.open("ada"), now()
    with patch.object(session, "now", lambda: began + timedelta(hours=7)):
        assert await there.sessions.principal(cookie) is not None
        await here.sessions.close(cookie)
        await there.sessions.tend()

    assert await here.records() == []
    assert await there.sessions.principal(cookie) is None


async def test_sessions_of_a_user_who_is_gone_are_swept(replicas: tuple[Replica, Replica]) -> None:
    """They open nothing at once; their records go as soon as every process must have heard of it."""
    here, _ = replicas
    cookie = await here.sessions.open("ada")
    await here.bucket.delete(USER + "ada")
    await here.load()

    found = await here.sessions.principal(cookie)
    await here.sessions.tend()
    kept = await here.records()
    later = now() + session.SETTLED + timedelta(seconds=1)
    with patch.object(session, "now", lambda: later):
        await here.sessions.tend()

    assert found is None
    assert len(kept) == 1
    assert await here.records() == []


async def test_a_user_has_so_many_sessions_and_no_more(replicas: tuple[Replica, Replica]) -> None:
    """A program that signs in all the time does not fill the store: the oldest one makes room."""
    here, _ = replicas
    with patch.object(session, "MOST", 3):
        cookies = [await here.sessions.open("ada") for _ in range(5)]

    assert [await here.sessions.principal(cookie) is not None for cookie in cookies] == [False, False, True, True, True]
    assert len(await here.records()) == 3


async def test_an_unknown_cookie_is_looked_up_once(replicas: tuple[Replica, Replica]) -> None:
    """Who sends the same nonsense again is answered from memory."""
    here, _ = replicas
    nonsense = "0123456789abcdef.x"

    assert not here.sessions.knows(nonsense)
    assert await here.sessions.principal(nonsense) is None
    assert here.sessions.knows(nonsense)


def test_each_session_has_forms_of_its_own() -> None:
    """A form's token is the same for one cookie, and another one for another."""
    token = csrf("a.b")
    assert csrf_fits("a.b", token)
    assert token != csrf("a.b")
    assert not any(csrf_fits("a.b", wrong) for wrong in ("", ".", "x", csrf("a.c"), token[:-1], token + "é"))
