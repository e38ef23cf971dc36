"""Tokens of an identity provider: real keys, a real server for them, and every way in which a token can be wrong."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from services.api.access import Principal, Role
from services.api.identity import jwks
from services.api.identity.jwks import Jwks, from_file, from_url, keys_of
from services.api.identity.oidc import Oidc, Provider
from tests.support.idp import AUDIENCE, ISSUER, Idp, forged, good


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


@pytest.fixture
async def idp() -> AsyncIterator[Idp]:
    """A provider that serves one RSA key."""
    async with Idp().serving() as found:
        found.add("k1")
        yield found


def oidc(idp: Idp, clock: Clock | None = None, **about: Any) -> Oidc:
    """Who verifies its tokens."""
    return Oidc(Provider(ISSUER, AUDIENCE, **about), Jwks(from_url(idp.url), clock or Clock()))


async def who(verifier: Oidc, token: str) -> Principal | None:
    """Whose token it is."""
    found = await verifier.verify(token)
    return found[0] if found is not None else None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_opens(idp: Idp, algorithm: str) -> None:
    """With each of the algorithms, for as long as it is good; the name cannot be one of our users'."""
    idp.add("k2", algorithm)
    found = await oidc(idp).verify(idp.token("k2"))
    assert found is not None
    assert found[0] == Principal(name="oidc:ada", role=Role.ADMIN)
    assert 590 < found[1] <= 600


WRONG: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "grafana"},
    "another audience among others": {"aud": ["grafana", "jira"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": int(time.time()) - 61},
    "no expiry": {"exp": None},
    "an expiry that is no number": {"exp": "never"},
    "not yet good": {"nbf": int(time.time()) + 3600},
    "issued in the future": {"iat": int(time.time()) + 3600},
    "no name": {"sub": None},
    "an empty name": {"sub": ""},
    "a name with a control": {"sub": "a\nb"},
    "a name too long": {"sub": "a" * 200},
    "no role": {"roles": None},
    "a role we do not know": {"roles": ["KING", "admin"]},
}


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_claim_opens_nothing(idp: Idp, claims: dict[str, Any]) -> None:
    """Signed as it should be, but not for us, not now, or for nobody we know."""
    assert await who(oidc(idp), idp.token("k1", **claims)) is None


async def test_clocks_may_differ_by_a_minute(idp: Idp) -> None:
    """An expiry just past and a beginning just ahead are let through."""
    at = int(time.time())
    assert await who(oidc(idp), idp.token("k1", exp=at - 30, nbf=at + 30, iat=at + 30)) is not None


async def test_the_algorithm_is_ours_to_choose(idp: Idp) -> None:
    """None, a public key taken for a shared secret, one algorithm's key for another: all nobody."""
    verifier, key = oidc(idp), idp.keys["k1"][1]
    public = key.public_key.public_bytes(  # type: ignore[union-attr]  # an RSA key
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for none in ("none", "None", "NONE", ""):
        assert await who(verifier, forged({"alg": none, "kid": "k1"}, good())) is None
    header, claims = {"alg": "HS256", "kid": "k1"}, good()
    text = forged(header, claims).rpartition(".")[0].encode()
    for secret in (public, json.dumps(key.as_dict(private=False)).encode(), b""):
        signature = hmac.new(secret, text, hashlib.sha256).digest()
        assert await who(verifier, forged(header, claims, signature)) is None
    for algorithm in ("ES256", "EdDSA", "RS512", "PS256"):
        _, content, sealed = idp.token("k1").split(".")
        head = forged({"alg": algorithm, "kid": "k1"}, {}).split(".")[0]
        assert await who(verifier, f"{head}.{content}.{sealed}") is None


async def test_a_forged_token_opens_nothing(idp: Idp) -> None:
    """Changed claims, another key's signature, a key brought along, parts missing, or nothing like a token."""
    verifier, token = oidc(idp), idp.token("k1", roles="TASK_VIEWER")
    head, _, signature = token.split(".")
    other = Idp()
    stranger = other.add("k1")
    public = stranger.as_dict(private=False)
    deep = forged({"alg": "RS256", "kid": "k1"}, {}).split(".")[0][:-4] + "W1tb" * 2000
    for wrong in (
        f"{head}.{forged({}, good()).split('.')[1]}.{signature}",
        other.token("k1"),
        other.token("k1", header={"jwk": public}),
        idp.token("k1", header={"kid": None}),
        f"{forged({'alg': 'RS256', 'kid': 7}, {}).split('.')[0]}.{token.split('.')[1]}.{signature}",
        f"{head}.{signature}",
        f"{token}.x",
        f"{head}..",
        deep + ".a.b",
        "..",
        "",
        "ä.ö.ü",
        "x" * 9000,
    ):
        assert await who(verifier, wrong) is None, wrong[:60]
    assert await who(verifier, token) is not None


async def test_keys_are_fetched_once_and_again_for_an_unknown_one(idp: Idp) -> None:
    """A new key is found without a restart; a flood of unknown ones is not passed on."""
    clock = Clock()
    verifier = oidc(idp, clock)
    for _ in range(5):
        assert await who(verifier, idp.token("k1"))
    assert idp.fetched == 1
    idp.add("k2", "ES256")
    assert await who(verifier, idp.token("k2")) is None  # asked a moment ago
    clock.at += jwks.PAUSE_SECONDS
    assert await who(verifier, idp.token("k2"))
    assert idp.fetched == 2
    other = Idp()
    other.add("k9")
    for _ in range(20):
        assert await who(verifier, other.token("k9")) is None
    assert idp.fetched == 2
    del idp.keys["k2"]
    withdrawn = Idp()
    withdrawn.keys = {"k2": ("ES256", withdrawn.add("k2", "ES256"))}
    clock.at += jwks.FRESH_SECONDS + 1
    assert await who(verifier, idp.token("k1"))
    assert idp.fetched == 3


async def test_without_the_provider_known_keys_go_on(idp: Idp) -> None:
    """It answers with an error, or not at all; whoever came with a known key still comes in."""
    clock = Clock()
    verifier = oidc(idp, clock)
    assert await who(verifier, idp.token("k1"))
    idp.status = 500
    clock.at += jwks.FRESH_SECONDS + 1
    assert await who(verifier, idp.token("k1"))
    assert idp.fetched == 2
    dead = Oidc(Provider(ISSUER, AUDIENCE), Jwks(from_url("http://127.0.0.1:9/keys"), clock))
    assert await who(dead, idp.token("k1")) is None


async def test_only_keys_fit_for_signatures_count(idp: Idp) -> None:
    """Shared secrets, keys for encryption, weak ones and nonsense are passed over."""
    idp.extra = [
        {"kty": "oct", "kid": "s", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "AQAB"},
        {"kty": "RSA", "kid": "weak", "n": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA", "e": "AQAB"},
        {**idp.keys["k1"][1].as_dict(private=False), "kid": "enc", "use": "enc"},
        "nonsense",  # type: ignore[list-item]  # on purpose
    ]
    assert list(keys_of(idp.document())) == ["k1"]
    for document in (b"", b"[]", b'{"keys": 1}', b"{", b"[" * 100_000):
        with pytest.raises(ValueError, match=r".*"):
            keys_of(document)


async def test_keys_may_lie_in_a_file(idp: Idp, tmp_path: Path) -> None:
    """For an installation without a way to the provider."""
    (tmp_path / "keys.json").write_bytes(idp.document())
    verifier = Oidc(Provider(ISSUER, AUDIENCE), Jwks(from_file(tmp_path / "keys.json")))
    assert await who(verifier, idp.token("k1"))


@pytest.mark.parametrize(
    ("claims", "about", "expected"),
    [
        ({"roles": ["TASK_VIEWER", "TASK_MANAGER"]}, {}, Principal(name="oidc:ada", role=Role.TASK_MANAGER)),
        ({"roles": "openid TASK_OPERATOR"}, {}, Principal(name="oidc:ada", role=Role.TASK_OPERATOR)),
        (
            {"realm": {"roles": ["ops"]}, "mail": "a@b.c"},
            {"role_claim": "realm.roles", "name_claim": "mail", "roles": {"ops": Role.AUDIT_VIEWER}},
            Principal(name="oidc:a@b.c", role=Role.AUDIT_VIEWER),
        ),
        (
            {"https://x.y/roles": ["TASK_VIEWER"], "groups": ["a", "b", 7]},
            {"role_claim": "https://x.y/roles", "teams_claim": "groups"},
            Principal(name="oidc:ada", role=Role.TASK_VIEWER, teams=frozenset({"a", "b"})),
        ),
        (
            {"roles": "TASK_VIEWER"},
            {"teams_claim": "groups"},
            Principal(name="oidc:ada", role=Role.TASK_VIEWER, teams=frozenset()),
        ),
        ({"groups": ["a"]}, {"teams_claim": "groups"}, Principal(name="oidc:ada", role=Role.ADMIN)),
        ({"roles": "ADMIN"}, {"roles": {"root": Role.ADMIN}}, None),
    ],
)
async def test_claims_become_role_and_teams(
    idp: Idp, claims: dict[str, Any], about: dict[str, Any], expected: Principal | None
) -> None:
    """As the settings map them; without the claim of teams that is asked for, nobody's tasks are seen."""
    assert await who(oidc(idp, **about), idp.token("k1", **claims)) == expected
