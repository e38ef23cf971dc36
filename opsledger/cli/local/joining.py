"""Which running system a command joins: the options, said once.

Refuses to know: what the command does there. REST needs none of it (`rest.connection`).
"""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from opsledger.cli.local.environment import Servers, find_servers


@Parameter(name="*", group="System")
@dataclass(frozen=True, slots=True)
class System:
    """Options of every command that needs the servers themselves."""

    data_dir: Path | None = None
    """Data directory of the running `opsledger up`."""
    nats_url: str | None = None
    """Use this NATS instead: nats://user:password@host:port."""
    database_url: str | None = None
    """The database that holds the view."""

    def servers(self) -> Servers:
        """The servers. UsageError when there is nothing to join."""
        return find_servers(self.data_dir, self.nats_url, self.database_url)
