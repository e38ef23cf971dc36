"""`opsledger executor` and `opsledger api`: one more replica, in the foreground of its own terminal.

The service takes this process's place, so its death is nobody else's and its signals are its own.
"""

import os
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter
from rich.text import Text

from opsledger.cli.local.environment import HOST, choose_port, find_servers, service
from opsledger.cli.look.console import err


def executor(
    *,
    data_dir: Path | None = None,
    pool: str | None = None,
    concurrency: int | None = None,
    nats_url: str | None = None,
) -> None:
    """Run one more executor against a system that runs already.

    Parameters
    ----------
    data_dir
        Data directory of the running `opsledger up`.
    pool
        Take work of this pool; `default` by default.
    concurrency
        How many subtasks to run at a time; 16 by default.
    nats_url
        Join what runs on this NATS instead.
    """
    servers = find_servers(data_dir, nats_url, None)
    replace_with(service("executor"), servers.environment(pool=pool, concurrency=concurrency))


def api(
    *,
    data_dir: Path | None = None,
    port: int = 0,
    host: str = HOST,
    nats_url: str | None = None,
    database_url: Annotated[str | None, Parameter()] = None,
) -> None:
    """Run one more API, console included, against a system that runs already.

    Parameters
    ----------
    data_dir
        Data directory of the running `opsledger up`.
    port
        Port to listen on; 0 picks a free one and says which.
    host
        Address to listen on.
    nats_url
        Join what runs on this NATS instead.
    database_url
        Read and write the view in this database.
    """
    servers = find_servers(data_dir, nats_url, database_url)
    chosen = choose_port(port)
    err().print(Text.assemble(("api        ", "label"), f"http://{host}:{chosen}"))
    replace_with(service("api", "serve"), servers.environment(host=host, port=chosen))


def replace_with(argv: list[str], environment: dict[str, str]) -> NoReturn:
    """Become that service."""
    os.execve(argv[0], argv, environment)  # noqa: S606 - our own interpreter and module
