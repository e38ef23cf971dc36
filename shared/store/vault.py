"""Secrets at rest: sealed with a key that the broker never sees. Knows neither what they are for nor where they lie.

AES-256-GCM; what a secret belongs to is sealed in with it, so a sealed text moved elsewhere does not open. The key
comes from any text of at least 32 characters, through HKDF. Several lines are several keys: the first one seals, all
open, so a key is changed by putting a new line above it.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

MIN_CHARACTERS: Final = 32
FILE: Final = "secrets.key"
_NONCE: Final = 12
_PURPOSE: Final = b"opsledger secrets v1"


class BadKey(ValueError):  # noqa: N818  what somebody configured
    """The text is no key; the message says what is."""


class Vault:
    """Seals and opens."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines or any(len(line) < MIN_CHARACTERS for line in lines):
            raise BadKey(f"a key has at least {MIN_CHARACTERS} characters, for instance from `openssl rand -hex 32`")
        self._keys = [AESGCM(_derived(line)) for line in lines]

    def seal(self, belongs_to: str, secret: str) -> bytes:
        """Return the secret sealed; the same secret never looks the same twice."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, secret.encode(), belongs_to.encode())

    def open(self, belongs_to: str, sealed: bytes) -> str | None:
        """Return the secret, or None for what no key of ours has sealed for this owner."""
        nonce, content = sealed[:_NONCE], sealed[_NONCE:]
        for key in self._keys:
            try:
                return key.decrypt(nonce, content, belongs_to.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        return None


def _derived(text: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(text.encode())


def place(file: Path | None, data_dir: Path | None) -> Path | None:
    """Return where the key's file is, if anywhere: as named, else in the data directory."""
    return file or (data_dir / FILE if data_dir is not None else None)


def find(text: SecretStr | None, file: Path | None, data_dir: Path | None) -> Vault | None:
    """Return the vault of this key, else of this file, else of the one in the data directory; None without any.

    Raises `BadKey`, also when a file that was named is not there.
    """
    where = place(file, data_dir)
    if text or where is None:
        return Vault(text.get_secret_value()) if text else None
    try:
        return Vault(where.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if file is None:
            return None
        raise BadKey(f"there is no file {file}: `init` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadKey(f"{where} cannot be read: {error}") from None


def make(where: Path) -> bool:
    """Make a key's file, for its owner's eyes alone, unless it is there; return whether it was made."""
    draft = where.with_name(f".{where.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(secrets.token_hex(32) + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        os.link(draft, where)  # never replaces: whoever came first has sealed with theirs already
    except FileExistsError:
        return False
    else:
        return True
    finally:
        draft.unlink(missing_ok=True)
