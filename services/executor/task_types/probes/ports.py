"""Listening TCP ports and bound UDP ports, with the process that owns each where we may see it."""

import os
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from services.executor.task_types.probes.read import Probed, command, pids, text

_LISTEN = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
LIMIT = 100


def _address(word: str) -> str:
    """Decode an address of /proc/net: 32-bit words in the byte order of the machine."""
    raw = b"".join(bytes.fromhex(word[at : at + 8])[::-1] for at in range(0, len(word), 8))
    if len(raw) == 4:
        return str(IPv4Address(raw))
    address = IPv6Address(raw)
    return str(address.ipv4_mapped or address)


def _owners(wanted: set[str]) -> dict[str, int]:
    """Return the first process that has each socket open."""
    found: dict[str, int] = {}
    for pid in pids():
        with suppress(OSError):
            for fd in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    link = os.readlink(fd)  # noqa: PTH115 - a path object for `socket:[1]` would be wrong
                    if link.startswith("socket:[") and link[8:-1] in wanted:
                        found.setdefault(link[8:-1], pid)
    return found


def probe() -> Probed:
    """Return the facts and their summary."""
    bound: dict[tuple[str, int, str], dict[str, Any]] = {}
    for table, state in _LISTEN.items():
        for line in (text(f"/proc/net/{table}") or "").splitlines()[1:]:
            words = line.split()
            if words[3] != state:
                continue
            address, port = words[1].split(":")
            entry: dict[str, Any] = {"protocol": table[:3], "port": int(port, 16), "address": _address(address)}
            entry["inode"] = words[9]
            bound.setdefault((entry["protocol"], entry["port"], entry["address"]), entry)
    owners = _owners({entry["inode"] for entry in bound.values()})
    ports = []
    for _, entry in sorted(bound.items())[:LIMIT]:
        pid = owners.get(entry.pop("inode"))
        ports.append({**entry, "pid": pid, "process": command(pid) if pid else None})
    lines = [
        f"{port['protocol']} {port['address']}:{port['port']}  {port['process'] or 'owner not visible'}"
        + (f" (pid {port['pid']})" if port["pid"] else "")
        for port in ports
    ]
    return {"ports": ports, "total": len(bound)}, lines or ["nothing listens"]
