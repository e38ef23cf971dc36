"""Stores: from a connection to something that holds objects, with its limits. The only place that knows drivers.

Options of a connection: `concurrency` (objects at once, 16), `part_mib` (size of a part, 8), `timeout_seconds` (of a
silent connection, 60), and those of its kind, see `_OPTIONS`. Refuses to know keys and what is copied.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from services.executor.operations.contract import Connection, PermanentFault
from services.executor.sync.trouble import Trouble, Troubled

if TYPE_CHECKING:
    from obstore.store import ObjectStore

MIB: Final = 1024 * 1024
_COMMON: Final = frozenset({"concurrency", "part_mib", "timeout_seconds"})
_HTTP: Final = frozenset({"allow_http", "proxy_url"})
_OPTIONS: Final = {
    "file": frozenset[str](),
    "memory": frozenset[str](),
    "s3": frozenset({"endpoint", "region", "virtual_hosted_style_request", "skip_signature"}) | _HTTP,
    "gs": frozenset({"base_url", "skip_signature"}) | _HTTP,
    "az": frozenset({"account_name", "endpoint", "use_emulator", "client_id", "tenant_id"}) | _HTTP,
}
_SECRETS: Final = {
    "file": frozenset[str](),
    "memory": frozenset[str](),
    "s3": frozenset({"access_key_id", "secret_access_key", "session_token"}),
    "gs": frozenset({"service_account_key", "bearer_token"}),
    "az": frozenset({"account_key", "sas_key", "client_secret"}),
}
_BOOLEAN: Final = frozenset({"allow_http", "virtual_hosted_style_request", "skip_signature", "use_emulator"})
_memories: dict[str, Any] = {}
"""`memory://name` is one store a name and process: for tests, and for trying things out."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. `where` names it in causes; `root` is the real folder of a file store."""

    name: str
    kind: str
    where: str
    objects: "ObjectStore"
    root: str | None
    concurrency: int
    part: int

    @property
    def local(self) -> bool:
        """Whether asking it costs no network."""
        return self.kind in {"file", "memory"}

    @property
    def has_attributes(self) -> bool:
        """Whether objects have a content type and metadata of their own."""
        return self.kind != "file"


def open_store(connection: Connection, role: str) -> Store:
    """Open what a connection names; nothing is asked of it yet. Raises `PermanentFault`, `Troubled` without its folder.

    `role` is `source` or `destination`.
    """
    parts = urlsplit(connection.url)
    kind = parts.scheme
    where = f"{role} '{connection.name}' ({connection.url})"
    if kind not in _OPTIONS:
        raise _wrong(f"{where}: objects are synchronised between {', '.join(sorted(_OPTIONS))}, not {kind}.")
    _known(connection.options, _COMMON | _OPTIONS[kind], where, "option")
    _known(connection.secrets, _SECRETS[kind], where, "secret")
    options = dict(connection.options)
    concurrency = _number(options.pop("concurrency", "16"), 1, 64, f"{where}: option concurrency")
    part = _number(options.pop("part_mib", "8"), 5, 512, f"{where}: option part_mib") * MIB
    patience = _number(options.pop("timeout_seconds", "60"), 1, 3600, f"{where}: option timeout_seconds")
    root = None
    try:
        if kind == "file":
            root = _folder(unquote(parts.path), where)
            objects = _local(root)
        elif kind == "memory":
            objects = _memory(parts.netloc)
        else:
            objects = _remote(connection, options, patience)
    except ImportError:
        raise _wrong(f"{where}: the driver is not installed: pip install 'opsledger[executor]'.") from None
    except (PermanentFault, Troubled):
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise what they like for a setting they do not like
        reason = str(error).split("\n", 1)[0][:200]
        raise _wrong(f"{where}: cannot be opened: {reason}") from None
    return Store(connection.name, kind, where, objects, root, concurrency, part)


def _local(root: str) -> "ObjectStore":
    from obstore.store import LocalStore  # noqa: PLC0415 - an optional extra

    return LocalStore(root)


def _memory(name: str) -> "ObjectStore":
    from obstore.store import MemoryStore  # noqa: PLC0415 - an optional extra

    found: ObjectStore = _memories.setdefault(name, MemoryStore())
    return found


def _remote(connection: Connection, options: dict[str, str], patience: int) -> "ObjectStore":
    from obstore.store import from_url  # noqa: PLC0415 - an optional extra

    config: dict[str, Any] = {**options, **connection.secrets}
    config |= {name: config[name].lower() in {"true", "1", "yes", "on"} for name in _BOOLEAN & config.keys()}
    client: dict[str, Any] = {name: config.pop(name) for name in _HTTP & config.keys()}
    client |= {"connect_timeout": "5s", "read_timeout": f"{patience}s", "timeout": "1d"}
    if config.get("endpoint", "").startswith("http://") and not client.get("allow_http"):
        raise _wrong(f"Connection '{connection.name}': an endpoint with http:// needs the option allow_http=true.")
    retry: Any = {
        "max_retries": 2,
        "retry_timeout": timedelta(seconds=20),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
    }
    arguments: dict[str, Any] = {"config": config, "client_options": client, "retry_config": retry}
    return from_url(connection.url, **arguments)


def _folder(path: str, where: str) -> str:
    if not os.path.isdir(path):  # noqa: PTH112 - a string from a URL, looked at once
        cause = f"{where}: there is no such folder on the executor's host: make it, or correct the URL"
        raise Troubled(Trouble("NoSuchFolder", cause, whole=True))
    return os.path.realpath(path)


def _known(given: Any, known: frozenset[str], where: str, what: str) -> None:
    if unknown := sorted(set(given) - known):
        offered = f"known are {', '.join(sorted(known))}" if known else "there are none for this kind"
        raise _wrong(f"{where}: unknown {what} {', '.join(unknown)}; {offered}.")


def _number(text: str, least: int, most: int, what: str) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise _wrong(f"{what} is a number from {least} to {most}.")
    return int(text)


def _wrong(message: str) -> PermanentFault:
    return PermanentFault(message, {"kind": "CONNECTION"})
