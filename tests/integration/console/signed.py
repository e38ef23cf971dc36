"""Somebody who is signed in, without a browser: keeps the cookie, finds a page's form token, sends forms."""

import re
from types import TracebackType
from typing import Any, Self

import httpx2

from services.api.access import Role
from tests.integration.api.harness import PASSWORD, ServedApi

HTML = {"Accept": "text/html"}
LONG_PASSWORD = "correct horse battery staple"


class Person:
    """A browser window without a browser; use it as a context."""

    def __init__(self, api: ServedApi, name: str = "admin", password: str = PASSWORD) -> None:
        self.name, self._password = name, password
        self.http = api.client(headers=HTML)

    async def __aenter__(self) -> Self:
        await self.http.__aenter__()
        await self.sign_in()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.__aexit__(kind, error, trace)

    async def sign_in(self) -> None:
        """Sign in."""
        answer = await self.http.post("/login", data={"name": self.name, "password": self._password})
        assert answer.status_code == 303, answer.text

    async def get(self, path: str) -> httpx2.Response:
        """Ask for a page; redirections are not followed."""
        return await self.http.get(path)

    async def token(self) -> str:
        """What a form of this session carries."""
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.get("/help")).text)
        assert found is not None
        return found[1]

    async def post(self, path: str, **fields: Any) -> httpx2.Response:
        """Send a form as a page of ours would."""
        return await self.http.post(path, data={"csrf": await self.token(), **fields})


async def with_user(api: ServedApi, name: str, role: Role, teams: list[str] | None = None) -> Person:
    """Make a user; return a person who is not signed in yet."""
    body = {"name": name, "password": LONG_PASSWORD, "role": role.value, **({"teams": teams} if teams else {})}
    answer = await api.admin.post("/api/v2/users", json=body)
    assert answer.status_code == 201, answer.text
    return Person(api, name, LONG_PASSWORD)
