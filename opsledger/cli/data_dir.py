"""The data directory of one opsledger: its layout, its lock, its runtime file and the admin password.

Responsible for: every path below DIR and the mode of what is secret. Refuses to know: what the processes do there.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsledger.cli.failure import CliError, UsageError


def default_root() -> Path:
    """Where data lives when nobody says: OPSLEDGER_DATA_DIR, else XDG's data home."""
    if chosen := os.environ.get("OPSLEDGER_DATA_DIR"):
        return Path(chosen).expanduser()
    share = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(share).expanduser() / "opsledger"


@dataclass(frozen=True, slots=True)
class DataDir:
    """One data directory; nothing is touched until a method says so."""

    root: Path

    @classmethod
    def at(cls, root: Path | None) -> "DataDir":
        """The directory at `root`, or the default one; always absolute, so children may change theirs."""
        return cls((root or default_root()).expanduser().absolute())

    @property
    def logs(self) -> Path:
        """Where each child's log file lives."""
        return self.root / "logs"

    @property
    def nats(self) -> Path:
        """What belongs to the broker: store, configuration, credential."""
        return self.root / "nats"

    @property
    def samples(self) -> Path:
        """What the sample connections of a first start point to."""
        return self.root / "samples"

    @property
    def runtime_file(self) -> Path:
        """What a second terminal needs to join: addresses, credentials in them, process ids (0600)."""
        return self.root / "runtime.json"

    @property
    def password_file(self) -> Path:
        """The password of `admin` (0600)."""
        return self.root / "admin-password"

    @property
    def view_url(self) -> str:
        """The SQLite view that lives here."""
        return f"sqlite+aiosqlite:///{self.root / 'view.db'}"

    def prepare(self) -> None:
        """Create the directory and what must be in it, for the owner alone."""
        try:
            for path in (self.root, self.logs, self.nats, self.root / "files"):
                path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CliError(
                f"cannot write the data directory {self.root}: {error.strerror}",
                next_step="choose another with --data-dir",
            ) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go when the process ends, however it ends."""
        with (self.root / "lock").open("a+", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._taken() from None
            yield

    def _taken(self) -> UsageError:
        runtime = self.runtime()
        where = f" at {runtime['api_url']}" if runtime.get("api_url") else ""
        return UsageError(
            f"opsledger already runs on {self.root}{where}",
            next_step="use that one, stop it with Ctrl-C in its terminal, or start another with --data-dir",
        )

    def runtime(self) -> dict[str, Any]:
        """What the last `up` wrote, or nothing; a torn or foreign file counts as nothing."""
        try:
            found = json.loads(self.runtime_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_runtime(self, runtime: Mapping[str, Any]) -> None:
        """Replace the runtime file in one step."""
        write_secret(self.runtime_file, json.dumps(runtime, indent=2) + "\n")

    def running(self) -> dict[str, Any]:
        """The runtime file of an `up` that is alive; UsageError tells how to start one."""
        runtime = self.runtime()
        pids = runtime.get("pids")
        owner = pids.get("up") if isinstance(pids, dict) else None
        if not isinstance(owner, int) or not _alive(owner):
            raise UsageError(
                f"no opsledger runs on {self.root}",
                next_step="start one with: opsledger up, or name the servers with --nats-url and --database-url",
            )
        return runtime

    def password(self) -> str | None:
        """The admin password kept here, if any."""
        try:
            return self.password_file.read_text(encoding="utf-8").strip() or None
        except OSError:
            return None

    def keep_password(self, password: str) -> None:
        """Store the admin password for the next start and for a second terminal."""
        write_secret(self.password_file, password + "\n")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_secret(path: Path, text: str) -> None:
    """Write `text` so that only the owner ever reads it (0600) and nobody ever sees half of it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink()
