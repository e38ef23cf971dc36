"""Jobs that end by themselves: `init`, `projection rebuild|verify`, `audit verify`, a token without the API.

The service does the work. The exit code is its own: 0 fine, 2 usage, 3 the log is older than the view, 1 anything else.
"""

import os
from typing import NoReturn

from opsledger.cli.data_dir import DataDir
from opsledger.cli.join import replace_with
from opsledger.cli.local.environment import service
from opsledger.cli.local.joining import System

_HERE = System()


def init(*, system: System = _HERE) -> None:
    """Create streams, buckets, tables, the built-in catalogue and the first user; again does no harm.

    The first user is admin, with the password in OPSLEDGER_ADMIN_PASSWORD.
    """
    servers = system.servers()
    password = os.environ.get("OPSLEDGER_ADMIN_PASSWORD") or DataDir(servers.data_dir).password()
    replace_with(service("api", "init"), servers.environment(admin_password=password))


def rebuild(*, system: System = _HERE) -> None:
    """Build the view anew from the log, beside the live one."""
    run("rebuild", system)


def verify(*, system: System = _HERE) -> None:
    """Compare the view with the log, task by task."""
    run("verify", system)


def run(job: str, system: System, *words: str) -> NoReturn:
    """Become the API's job of that name."""
    replace_with(service("api", job, *words), system.servers().environment())
