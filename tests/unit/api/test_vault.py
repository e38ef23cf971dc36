"""Secrets at rest: sealed for one owner, opened with any of our keys, made once and for the owner's eyes alone."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.api.identity.secret_keys import NoVault, SecretKeys, access_key, token_of
from shared.store import vault
from shared.store.kv import Entry
from shared.store.vault import BadKey, Vault
from tests.unit.api.fakes import FakeBucket

OLD, NEW = "old key " * 5, "new key " * 5


def test_what_was_sealed_opens_for_its_owner_alone() -> None:
    """Moved to another owner, changed in one bit, or sealed by a stranger, it stays shut."""
    ours = Vault(OLD)
    sealed = ours.seal("signing/a", "secret")
    assert ours.open("signing/a", sealed) == "secret"
    assert b"secret" not in sealed
    assert sealed != ours.seal("signing/a", "secret")
    assert ours.open("signing/b", sealed) is None
    assert ours.open("signing/a", sealed[:-1] + bytes([sealed[-1] ^ 1])) is None
    assert ours.open("signing/a", b"") is None
    assert Vault(NEW).open("signing/a", sealed) is None


def test_a_key_is_changed_by_a_new_line_above_it() -> None:
    """The first line seals, every line opens."""
    sealed, both = Vault(OLD).seal("a", "secret"), Vault(f"{NEW}\n\n{OLD}\n")
    assert both.open("a", sealed) == "secret"
    assert Vault(NEW).open("a", both.seal("a", "later")) == "later"


@pytest.mark.parametrize("text", ["", "\n", "short", f"{OLD}\nshort"])
def test_a_short_text_is_no_key(text: str) -> None:
    """It could be guessed."""
    with pytest.raises(BadKey, match="at least 32"):
        Vault(text)


def test_a_keys_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    """Nobody else reads it, and a second start keeps it."""
    where = tmp_path / "secrets.key"
    assert vault.make(where)
    first = where.read_bytes()
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert not vault.make(where)
    assert where.read_bytes() == first
    assert list(tmp_path.iterdir()) == [where]


def test_the_key_is_found_where_it_is_given_named_or_kept(tmp_path: Path) -> None:
    """In this order; without any there is no vault; a named file that is missing is an error."""
    sealed = Vault(OLD).seal("a", "secret")
    (tmp_path / "secrets.key").write_text(OLD)
    for found in (
        vault.find(SecretStr(OLD), tmp_path / "none", None),
        vault.find(None, tmp_path / "secrets.key", None),
        vault.find(None, None, tmp_path),
    ):
        assert found is not None
        assert found.open("a", sealed) == "secret"
    assert vault.find(None, None, None) is None
    assert vault.find(SecretStr(""), None, tmp_path / "empty") is None
    with pytest.raises(BadKey, match="there is no file"):
        vault.find(None, tmp_path / "none", None)


async def test_secret_keys_lie_sealed_in_the_bucket() -> None:
    """What is stored is not the key; another process with the same text opens it, one with another text does not."""
    bucket = FakeBucket()
    keys = SecretKeys(bucket, Vault(OLD))  # type: ignore[arg-type]  # a bucket in memory
    secret = await keys.make("0a1b")
    assert keys.of("0a1b") == secret
    assert secret.encode() not in b"".join(bucket.entries.values())

    same, other = (SecretKeys(bucket, Vault(text)) for text in (OLD, NEW))  # type: ignore[arg-type]
    await same.load()
    await other.load()
    assert same.of("0a1b") == secret
    assert other.of("0a1b") is None

    await keys.drop("0a1b")
    assert bucket.entries == {}
    await same.load()
    assert same.of("0a1b") is None
    await same.seen(Entry("connections/x", b"?", 1))


async def test_without_a_vault_there_are_no_secret_keys() -> None:
    """The error says how to get one."""
    keys = SecretKeys(FakeBucket(), None)  # type: ignore[arg-type]  # a bucket in memory
    assert not keys.possible
    with pytest.raises(NoVault, match="OPSLEDGER_SECRETS_KEY"):
        await keys.make("0a1b")


def test_an_access_key_names_its_token() -> None:
    """Nothing is looked up for what is none of ours."""
    assert token_of(access_key("0a1b")) == "0a1b"
    assert token_of("AKIA123") is None
