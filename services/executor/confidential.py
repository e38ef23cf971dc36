"""What whoever runs this executor says of secrets and connections: checked before anything else happens.

Responsible for putting together where attempts ask. Refuses to know the environment's names, and NATS.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from services.executor.connections import BadConnections, Connections, from_file
from services.executor.disclosed import Disclosing
from services.executor.masking import Discreet, Masker
from services.executor.secrets import Secrets, discover
from shared.store import vault
from shared.store.connections import ConnectionSpec
from shared.store.kv import Bucket
from shared.store.secrets import ValueSecrets


class CannotStart(Exception):  # noqa: N818  what somebody configured
    """This executor cannot start; the message says why."""


@dataclass(frozen=True, slots=True)
class Confidential:
    """The key of secrets, this executor's own connections, and the folders of secret files."""

    key: vault.Vault | None
    ours: Mapping[str, ConnectionSpec]
    folders: Sequence[Path]

    @classmethod
    def read(
        cls,
        text: SecretStr | None,
        file: Path | None,
        data_dir: Path | None,
        *,
        connections: Path | None,
        folders: Sequence[Path],
    ) -> "Confidential":
        """Find the key as `vault.find` does, and read the file of connections. Raises `CannotStart`."""
        try:
            return cls(vault.find(text, file, data_dir), from_file(connections), folders)
        except vault.BadKey as error:
            raise CannotStart(f"the key of secrets: {error}") from None
        except BadConnections as error:
            raise CannotStart(f"OPSLEDGER_CONNECTIONS_FILE: {error}") from None

    def disclosing(self, values: Bucket, connections: Bucket) -> Disclosing:
        """Return where attempts ask; what they are told, the log of this process masks from here on."""
        everywhere = Masker()
        for handler in logging.getLogger().handlers:
            handler.setFormatter(Discreet(handler.formatter or logging.Formatter(), everywhere))
        secrets = Secrets(ValueSecrets(values, self.key), self.folders, discover())
        return Disclosing(secrets, Connections(connections, self.ours), everywhere)
