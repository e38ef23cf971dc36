"""Jobs that end by themselves: `init`, `projection rebuild|verify`, `token create`. The service does the work.

The exit code is the service's own: 0 fine, 2 usage, 3 the log is older than the view, 1 anything else.
"""

import os
from pathlib import Path

from opsledger.cli.data_dir import DataDir
from opsledger.cli.join import replace_with
from opsledger.cli.local.environment import find_servers, service


def init(*, data_dir: Path | None = None, nats_url: str | None = None, database_url: str | None = None) -> None:
    """Create streams, buckets, tables, the built-in catalogue and the first user; again does no harm.

    The first user is admin, with the password in OPSLEDGER_ADMIN_PASSWORD.

    Parameters
    ----------
    data_dir
        Data directory of the running `opsledger up`.
    nats_url
        Do it on this NATS instead.
    database_url
        Do it in this database.
    """
    servers = find_servers(data_dir, nats_url, database_url)
    password = os.environ.get("OPSLEDGER_ADMIN_PASSWORD") or DataDir(servers.data_dir).password()
    replace_with(service("api", "init"), servers.environment(admin_password=password))


def rebuild(*, data_dir: Path | None = None, nats_url: str | None = None, database_url: str | None = None) -> None:
    """Build the view anew from the log, beside the live one.

    Parameters
    ----------
    data_dir
        Data directory of the running `opsledger up`.
    nats_url
        Read the log of this NATS instead.
    database_url
        The database that holds the view.
    """
    replace_with(service("api", "rebuild"), find_servers(data_dir, nats_url, database_url).environment())


def verify(*, data_dir: Path | None = None, nats_url: str | None = None, database_url: str | None = None) -> None:
    """Compare the view with the log, task by task.

    Parameters
    ----------
    data_dir
        Data directory of the running `opsledger up`.
    nats_url
        Read the log of this NATS instead.
    database_url
        The database that holds the view.
    """
    replace_with(service("api", "verify"), find_servers(data_dir, nats_url, database_url).environment())


def create_token(
    name: str,
    /,
    *,
    role: str | None = None,
    data_dir: Path | None = None,
    nats_url: str | None = None,
    database_url: str | None = None,
) -> None:
    """Make an API token and print it, once.

    Parameters
    ----------
    name
        Whom or what the token is for.
    role
        What its bearer may do, such as TASK_VIEWER, TASK_MANAGER or ADMIN.
    data_dir
        Data directory of the running `opsledger up`.
    nats_url
        Make it on this NATS instead.
    database_url
        The database that holds the view.
    """
    verb = ["token", name, *(["--role", role] if role else [])]
    replace_with(service("api", *verb), find_servers(data_dir, nats_url, database_url).environment())
