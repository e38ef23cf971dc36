"""Network interfaces with their errors, name servers, and whether the host knows its own name."""

import socket
from pathlib import Path
from typing import Any

from services.executor.task_types.probes.read import Probed, number, text

LIMIT = 30


def _interface(path: Path) -> dict[str, Any]:
    counters = {
        name: number(path / "statistics" / name) or 0
        for name in ("rx_packets", "tx_packets", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
    }
    speed = number(path / "speed")
    return {
        "name": path.name,
        "state": text(path / "operstate"),
        "mtu": number(path / "mtu"),
        "speed_mbit": speed if speed and speed > 0 else None,
        **counters,
    }


def _words(path: str, first: str) -> list[str]:
    lines = (line.split() for line in (text(path) or "").splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == first]


def _tcp() -> dict[str, int]:
    lines = [line.split() for line in (text("/proc/net/snmp") or "").splitlines() if line.startswith("Tcp:")]
    return dict(zip(lines[0][1:], map(int, lines[1][1:]), strict=False)) if len(lines) == 2 else {}


def probe() -> Probed:
    """Return the facts and their summary."""
    links = [_interface(path) for path in sorted(Path("/sys/class/net").glob("*")) if (path / "mtu").exists()][:LIMIT]
    tcp = _tcp()
    name = socket.gethostname()
    hosts = [line.partition("#")[0].split()[1:] for line in (text("/etc/hosts") or "").splitlines()]
    sent, again = tcp.get("OutSegs", 0), tcp.get("RetransSegs", 0)
    facts: dict[str, object] = {
        "interfaces": links,
        "name_servers": _words("/etc/resolv.conf", "nameserver"),
        "search": _words("/etc/resolv.conf", "search"),
        "name_in_hosts_file": any(name in names for names in hosts),
        "tcp_retransmitted_percent": round(100 * again / sent, 2) if sent else 0.0,
        "tcp_sent": sent,
    }
    lines = [
        f"{link['name']}: {link['state']}, mtu {link['mtu']}, errors {link['rx_errors'] + link['tx_errors']}, "
        f"dropped {link['rx_dropped'] + link['tx_dropped']}"
        for link in links
    ]
    return facts, [*lines, f"name servers: {', '.join(_words('/etc/resolv.conf', 'nameserver')) or 'none'}"]
