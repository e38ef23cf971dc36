"""The API's routes about people as functions: who we are, tokens, users.

Responsible for: paths and bodies. Refuses to know: where a password comes from and how a secret is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from opsledger.cli.rest.client import Client
from opsledger.cli.rest.view import mapping, objects

TOKENS, USERS, ME = "/api/v2/tokens", "/api/v2/users", "/api/v2/me"


async def me(client: Client) -> Mapping[str, Any]:
    """Who the API takes us for, and what we may."""
    return mapping((await client.get(ME)).data)


async def tokens(client: Client) -> list[Mapping[str, Any]]:
    """Every token, without its secrets."""
    return _items((await client.get(TOKENS)).data)


async def create_token(client: Client, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """A new token, with its secrets, which nobody will see again."""
    return mapping((await client.send("POST", TOKENS, body=body)).data)


async def revoke_token(client: Client, token_id: str) -> None:
    """From now on nobody gets in with it."""
    await client.send("DELETE", f"{TOKENS}/{quote(token_id, safe='')}")


async def users(client: Client) -> list[Mapping[str, Any]]:
    """Every user, without password."""
    return _items((await client.get(USERS)).data)


async def add_user(
    client: Client, name: str, password: str, role: str, teams: Sequence[str] | None
) -> Mapping[str, Any]:
    """A new user."""
    body: dict[str, Any] = {"name": name, "password": password, "role": role}
    if teams:
        body["teams"] = list(teams)
    return mapping((await client.send("POST", USERS, body=body)).data)


async def change_user(client: Client, name: str, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Another role, other teams."""
    return mapping((await client.send("PATCH", _user(name), body=changes)).data)


async def set_password(client: Client, name: str, password: str, *, old: str | None = None) -> None:
    """The old one no longer opens anything; one's own takes it along."""
    body = {"password": password} | ({"old": old} if old is not None else {})
    await client.send("POST", f"{_user(name)}/password", body=body)


async def remove_user(client: Client, name: str) -> None:
    """From now on nobody gets in by that name; what the user did stays in the history."""
    await client.send("DELETE", _user(name))


def _user(name: str) -> str:
    return f"{USERS}/{quote(name, safe='')}"


def _items(data: object) -> list[Mapping[str, Any]]:
    """A list, bare or as the contents of a page."""
    return objects(data) or objects(mapping(data).get("contents"))
