"""Who may do what: passwords, tokens, roles, and what is remembered of them."""

import asyncio
import base64
from datetime import timedelta

import pytest

from services.api import credentials as module
from services.api.access import (
    TOKEN,
    USER,
    Permission,
    Principal,
    Role,
    TokenRecord,
    UserRecord,
    id_of_token,
    new_token,
)
from services.api.credentials import Credentials
from services.api.identity.secret_keys import SecretKeys, access_key
from services.api.tokens import Tokens, Wanted
from shared.runtime.clock import now
from shared.store.kv import Entry
from shared.store.vault import Vault
from tests.unit.api.fakes import FakeBucket


def basic(name: str, password: str) -> str:
    """The header of a user and password."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Gatehouse:
    """Credentials over a bucket in memory."""

    def __init__(self) -> None:
        self.bucket = FakeBucket()
        self.credentials = Credentials(self.bucket)  # type: ignore[arg-type]  # a bucket in memory

    async def store(self, record: UserRecord | TokenRecord) -> None:
        """Put a record into the bucket, and let the watch see it."""
        key = TOKEN + record.id if isinstance(record, TokenRecord) else USER + record.name
        self.bucket.entries[key] = record.model_dump_json().encode()
        await self.credentials.seen(Entry(key, self.bucket.entries[key], 1))


def test_a_password_is_kept_as_a_salted_hash() -> None:
    """Two users of one password share nothing, and the record does not hold it."""
    one, two = (UserRecord.of(name, "hunter2", Role.ADMIN, now()) for name in ("a", "b"))
    assert one.accepts("hunter2")
    assert not one.accepts("hunter3")
    assert one.hash != two.hash
    assert "hunter2" not in one.model_dump_json()


def test_a_token_is_kept_as_a_hash_and_found_by_its_id() -> None:
    """The record recognises the token it was made with, until it expires."""
    at = now()
    token, record = new_token("ci", Role.TASK_MANAGER, at, at + timedelta(days=1))
    assert token.startswith("ol_")
    assert id_of_token(token) == record.id
    assert len(token) == len("ol_") + 12 + len("_") + 43  # 43 letters hold 256 bits
    assert record.accepts(token, at)
    assert not record.accepts(token[:-1] + ("a" if token[-1] != "a" else "b"), at)
    assert not record.accepts(token, at + timedelta(days=1))
    assert token not in record.model_dump_json()


@pytest.mark.parametrize("text", ["", "ol_", "ol__x", "ol_abc", "xx_abc_def", "ol_a.b_c", "ol_ä_c"])
def test_what_is_no_token_has_no_id(text: str) -> None:
    """Only our own form is looked up."""
    assert id_of_token(text) is None


def test_roles_grant_what_is_listed_and_nothing_else() -> None:
    """Viewers read, operators also retry, skip and cancel, managers also create, roll back and delete."""
    allowed = {role: {p for p in Permission if Principal(name="x", role=role).may(p)} for role in Role}
    assert allowed[Role.TASK_VIEWER] == {Permission.READ}
    assert allowed[Role.TASK_OPERATOR] == {Permission.READ, Permission.OPERATE}
    assert allowed[Role.TASK_MANAGER] == {Permission.READ, Permission.OPERATE, Permission.MANAGE}
    assert allowed[Role.AUDIT_VIEWER] == {Permission.READ, Permission.AUDIT}
    assert allowed[Role.ADMIN] == set(Permission)


async def test_users_and_tokens_open_what_they_are_for() -> None:
    """Basic and Bearer lead to their principal; anything else to nobody."""
    house = Gatehouse()
    await house.store(UserRecord.of("ada", "pa:ss", Role.ADMIN, now()))
    token, record = new_token("ci", Role.TASK_VIEWER, now())
    await house.store(record)
    verify = house.credentials.verify

    assert await verify(basic("ada", "pa:ss")) == Principal(name="ada", role=Role.ADMIN)
    assert await verify(f"bearer {token}") == Principal(name="ci", role=Role.TASK_VIEWER)
    for header in (
        basic("ada", "wrong"),
        basic("bob", "pa:ss"),
        basic("", ""),
        "Basic ???",
        "Basic " + base64.b64encode(b"\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"nocolon").decode(),
        f"Bearer {token}x",
        "Bearer ",
        token,
        "",
        "Digest x",
        "Basic " + "A" * 4000,
    ):
        assert await verify(header) is None, header


async def test_a_verified_credential_is_remembered_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow hash is computed once, and again after a minute."""
    house = Gatehouse()
    await house.store(UserRecord.of("ada", "secret", Role.ADMIN, now()))
    clock = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    header = basic("ada", "secret")

    assert house.credentials.remembered(header) is None
    await house.credentials.verify(header)
    assert house.credentials.remembered(header) is not None
    clock[0] += 61
    assert house.credentials.remembered(header) is None


async def test_one_credential_asked_for_often_at_once_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow hash for each of many first requests would hold everybody up."""
    house = Gatehouse()
    checks: list[str] = []
    await house.store(UserRecord.of("ada", "secret", Role.ADMIN, now()))
    slow = UserRecord.accepts

    def counted(record: UserRecord, password: str) -> bool:
        checks.append(record.name)
        return slow(record, password)

    monkeypatch.setattr(UserRecord, "accepts", counted)
    found = await asyncio.gather(*(house.credentials.verify(basic("ada", "secret")) for _ in range(20)))
    assert set(found) == {Principal(name="ada", role=Role.ADMIN)}
    assert len(checks) == 1


async def test_a_password_changed_while_it_is_checked_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it remembered."""
    house = Gatehouse()
    await house.store(UserRecord.of("ada", "old", Role.ADMIN, now()))
    checking = asyncio.create_task(house.credentials.verify(basic("ada", "old")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await house.store(UserRecord.of("ada", "new", Role.ADMIN, now()))
    assert await checking is None
    assert house.credentials.recall(basic("ada", "old")) is None


async def test_the_secret_key_of_a_living_token_is_found() -> None:
    """By its access key; not of one that has expired, was revoked, or has no pair."""
    bucket = FakeBucket()
    keys = SecretKeys(bucket, Vault("k" * 32))  # type: ignore[arg-type]  # a bucket in memory
    credentials = Credentials(bucket, keys)  # type: ignore[arg-type]  # likewise
    tokens = Tokens(bucket, keys, credentials)  # type: ignore[arg-type]  # likewise
    made = await tokens.issue(Wanted("ci", Role.TASK_MANAGER, teams=frozenset({"a"})), by="test")
    access = access_key(made.record.id)
    assert credentials.secret_of(access) == (made.secret_key, made.record.principal())
    old = await tokens.issue(Wanted("ci", Role.TASK_MANAGER, now() - timedelta(seconds=1)), by="test")
    bare = await tokens.issue(Wanted("ci", Role.TASK_MANAGER, key_pair=False), by="test")
    for nobody in (access_key(old.record.id), access_key(bare.record.id), "olk_", "", made.record.id):
        assert credentials.secret_of(nobody) is None
    assert await tokens.revoke(made.record.id, by="test")
    assert not await tokens.revoke(made.record.id, by="test")
    assert credentials.secret_of(access) is None


async def test_a_changed_record_is_forgotten_at_once() -> None:
    """A revoked token and an old password open nothing, however fresh they are remembered."""
    house = Gatehouse()
    await house.store(UserRecord.of("ada", "old", Role.ADMIN, now()))
    token, record = new_token("ci", Role.TASK_VIEWER, now())
    await house.store(record)
    assert await house.credentials.verify(basic("ada", "old"))
    assert await house.credentials.verify(f"Bearer {token}")

    await house.store(UserRecord.of("ada", "new", Role.ADMIN, now()))
    await house.credentials.seen(Entry(TOKEN + record.id, None, 2))

    assert await house.credentials.verify(basic("ada", "old")) is None
    assert await house.credentials.verify(basic("ada", "new"))
    assert await house.credentials.verify(f"Bearer {token}") is None


async def test_an_expired_token_opens_nothing_though_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is remembered no longer than it is valid."""
    house = Gatehouse()
    clock = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    token, record = new_token("ci", Role.TASK_VIEWER, now(), now() + timedelta(seconds=10))
    await house.store(record)
    assert await house.credentials.verify(f"Bearer {token}")
    clock[0] += 11
    assert house.credentials.remembered(f"Bearer {token}") is None


async def test_loading_drops_what_has_gone() -> None:
    """A deletion that the watch missed is found by reading everything again."""
    house = Gatehouse()
    token, record = new_token("ci", Role.TASK_VIEWER, now())
    await house.store(record)
    house.bucket.entries.clear()
    await house.credentials.load()
    assert await house.credentials.verify(f"Bearer {token}") is None


async def test_a_record_that_cannot_be_read_opens_nothing() -> None:
    """It is reported and forgotten, and the others still work."""
    house = Gatehouse()
    await house.store(UserRecord.of("ada", "secret", Role.ADMIN, now()))
    await house.credentials.seen(Entry(USER + "ada", b'{"name":"ada","role":"KING"}', 2))
    assert await house.credentials.verify(basic("ada", "secret")) is None


async def test_what_is_remembered_is_bounded() -> None:
    """Guessing does not fill the memory."""
    house = Gatehouse()
    for number in range(module.MAX_KEPT + 50):
        await house.credentials.verify(f"Bearer guess-{number}")
    assert len(house.credentials._kept) == module.MAX_KEPT
