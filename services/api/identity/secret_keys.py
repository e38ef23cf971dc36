"""Secret keys that sign requests: they must come back in the clear to check a signature, so they are sealed.

KV `secrets` has them under `signing/<token id>`; memory holds them sealed as well. Without a vault there are none.
"""

import secrets
from typing import Final

from services.api.mirror import follow
from shared.store.kv import Bucket, Entry
from shared.store.vault import Vault

SIGNING: Final = "signing/"
ACCESS_KEY: Final = "olk_"
SECRET_KEY: Final = "ols_"  # noqa: S105  not a secret
"""Begin every access key and every secret key, so that leaked ones can be searched for."""
HOW: Final = (
    "This API has no key to keep secret keys under. Set OPSLEDGER_SECRETS_KEY, the same in every API process "
    "(for instance from `openssl rand -hex 32`), or OPSLEDGER_SECRETS_KEY_FILE, and start it again."
)


class NoVault(Exception):  # noqa: N818  what somebody did not configure
    """There is no key to seal with."""

    def __init__(self) -> None:
        super().__init__(HOW)


class SecretKeys:
    """The sealed secret keys of this installation. One per process."""

    def __init__(self, bucket: Bucket, vault: Vault | None) -> None:
        self._bucket = bucket
        self._vault = vault
        self._sealed: dict[str, bytes] = {}

    @property
    def possible(self) -> bool:
        """Whether secret keys can be kept."""
        return self._vault is not None

    async def make(self, token_id: str) -> str:
        """Store a new secret key for a token and return it. Raises `NoVault`, `BucketUnavailable`."""
        if self._vault is None:
            raise NoVault
        secret = SECRET_KEY + secrets.token_urlsafe(32)
        key = SIGNING + token_id
        sealed = self._vault.seal(key, secret)
        await self.seen(Entry(key, sealed, await self._bucket.put(key, sealed)))
        return secret

    async def drop(self, token_id: str) -> None:
        """Delete a token's secret key, if it has one. Raises `BucketUnavailable`."""
        if self._sealed.pop(token_id, None) is not None:
            await self._bucket.delete(SIGNING + token_id)

    def of(self, token_id: str) -> str | None:
        """Return a token's secret key, None when there is none that can be opened."""
        sealed = self._sealed.get(token_id)
        return self._vault.open(SIGNING + token_id, sealed) if self._vault and sealed else None

    async def load(self) -> None:
        """Read every key; what is gone is forgotten. Raises `BucketUnavailable`."""
        entries = await self._bucket.all()
        known = {entry.key.removeprefix(SIGNING) for entry in entries}
        for token_id in [token_id for token_id in self._sealed if token_id not in known]:
            del self._sealed[token_id]
        for entry in entries:
            await self.seen(entry)

    async def seen(self, entry: Entry) -> None:
        """Take over one entry as the bucket has it now."""
        if not entry.key.startswith(SIGNING):
            return
        token_id = entry.key.removeprefix(SIGNING)
        if entry.value:
            self._sealed[token_id] = entry.value
        else:
            self._sealed.pop(token_id, None)

    async def follow(self) -> None:
        """Follow the bucket for ever."""
        await follow(self._bucket, self.seen, self.load)


def access_key(token_id: str) -> str:
    """Return the access key of a token."""
    return ACCESS_KEY + token_id


def token_of(key: str) -> str | None:
    """Return the token that an access key belongs to, or None when it is none of ours."""
    return key.removeprefix(ACCESS_KEY) if key.startswith(ACCESS_KEY) else None
