"""Bearer tokens of an identity provider: verified against its keys, its claims turned into a principal.

Which algorithms count is fixed here, not by the token; who issued it, for whom, from when and until when must all be
said. Whatever is wrong, the answer is nobody. Roles and teams come from claims that the settings name.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from services.api.access import Principal, Role
from services.api.identity.jwks import Jwks

ALGORITHMS: Final = frozenset({"RS256", "ES256", "EdDSA", "Ed25519"})
SKEW_SECONDS: Final = 60
MAX_NAME: Final = 120
PREFIX: Final = "oidc:"
"""Begins the names of all who come in this way: none can be taken for a user of ours."""
RANK: Final = (Role.ADMIN, Role.TASK_MANAGER, Role.TASK_OPERATOR, Role.AUDIT_VIEWER, Role.TASK_VIEWER)
"""Which role counts for whom the provider gives several."""
OURS: Final[Mapping[str, Role]] = {role.value: role for role in Role}


@dataclass(frozen=True, slots=True)
class Provider:
    """What is known of the identity provider. Claims within claims are named with dots."""

    issuer: str
    audience: str
    name_claim: str = "sub"
    role_claim: str = "roles"
    roles: Mapping[str, Role] = field(default_factory=lambda: OURS)
    """From the claim's words to our roles."""
    teams_claim: str = ""
    """Without one, everybody from there sees every team's tasks."""


class _Registry(JWSRegistry):
    """Our list of algorithms alone; headers that mean nothing to us are passed over, critical ones are not."""

    max_header_length = 4096

    def get_alg(self, name: str) -> Any:
        return super().algorithms[name] if name in ALGORITHMS else super().get_alg("")


_REGISTRY: Final = _Registry(strict_check_header=False)
_WRONG: Final = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Oidc:
    """Verifies. One per process."""

    def __init__(self, provider: Provider, keys: Jwks, clock: Callable[[], float] = time) -> None:
        self._provider = provider
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str) -> tuple[Principal, float] | None:
        """Return whose token it is and for how many seconds it is good, or None."""
        try:
            found = jws.extract_compact(token.encode("ascii"), registry=_REGISTRY)
            headers = found.headers()
            kid, algorithm = headers.get("kid"), headers.get("alg")
            if not isinstance(kid, str) or algorithm not in ALGORITHMS:
                return None
            key = await self._keys.key(kid)
            if key is None or (key.get("alg") or algorithm) != algorithm:
                return None
            if not jws.validate_compact(found, key, registry=_REGISTRY):
                return None
            return self._principal(json.loads(found.payload or b""))
        except _WRONG:
            return None

    def _principal(self, claims: Any) -> tuple[Principal, float] | None:
        if not isinstance(claims, dict):
            return None
        given, at = self._provider, self._clock()
        JWTClaimsRegistry(
            now=int(at),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": given.issuer},
            aud={"essential": True, "value": given.audience},
            exp={"essential": True},
        ).validate(claims)
        name, role = _claim(claims, given.name_claim), self._role(claims)
        if role is None or not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            return None
        teams = frozenset(_words(_claim(claims, given.teams_claim))) if given.teams_claim else None
        principal = Principal(name=PREFIX + name, role=role, teams=None if role is Role.ADMIN else teams)
        return principal, max(0.0, claims["exp"] - at)

    def _role(self, claims: dict[str, Any]) -> Role | None:
        words = _words(_claim(claims, self._provider.role_claim))
        found = {self._provider.roles[word] for word in words if word in self._provider.roles}
        return next((role for role in RANK if role in found), None)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """Return a claim by its name, which may itself have dots, or by its path."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(claim: Any) -> list[str]:
    """Return a claim's words: of a list, or separated by spaces."""
    found = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return [word for word in found if isinstance(word, str)]
