"""The API's routes about secrets and connections as functions.

Responsible for: paths and bodies. Refuses to know: where a value comes from.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from opsledger.cli.rest.client import Client
from opsledger.cli.rest.view import mapping, objects

SECRETS, CONNECTIONS = "/api/v2/secrets", "/api/v2/connections"


async def secrets(client: Client) -> list[Mapping[str, Any]]:
    """Every secret, without its value."""
    return objects(mapping((await client.get(SECRETS)).data).get("contents"))


async def set_secret(client: Client, name: str, value: str, teams: Sequence[str] | None) -> None:
    """A new value; whoever is given the secret from now on is given this one."""
    body = {"value": value, **({"teams": list(teams)} if teams else {})}
    await client.send("PUT", f"{SECRETS}/{quote(name)}", body=body, harmless=True)


async def remove_secret(client: Client, name: str) -> None:
    """Nobody is given it from now on."""
    await client.send("DELETE", f"{SECRETS}/{quote(name)}")


async def connections(client: Client) -> list[Mapping[str, Any]]:
    """Every connection that we may see."""
    return objects(mapping((await client.get(CONNECTIONS)).data).get("contents"))


async def define(client: Client, name: str, body: Mapping[str, Any]) -> None:
    """A new connection, or another one of the name."""
    await client.send("PUT", f"{CONNECTIONS}/{quote(name, safe='')}", body=body, harmless=True)


async def remove_connection(client: Client, name: str) -> None:
    """Tasks that name it fail from now on."""
    await client.send("DELETE", f"{CONNECTIONS}/{quote(name, safe='')}")
