"""Reading /proc and /sys: missing files are normal there, so absence is None and never an error."""

import socket
from collections.abc import Iterator
from pathlib import Path

Probed = tuple[dict[str, object], list[str]]


def text(path: str | Path) -> str | None:
    """Return a file's stripped text, or None when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def number(path: str | Path) -> int | None:
    """Return the first whole number of a file, or None."""
    words = (text(path) or "").split()
    try:
        return int(words[0])
    except (IndexError, ValueError):
        return None


def chosen(path: str | Path) -> str | None:
    """Return the word in brackets of a file such as `always [madvise] never`."""
    words = (text(path) or "").split()
    return next((word[1:-1] for word in words if word.startswith("[")), words[0] if words else None)


def table(path: str | Path, separator: str = ":") -> dict[str, str]:
    """Return `key: value` lines as a dictionary."""
    pairs = (line.partition(separator) for line in (text(path) or "").splitlines())
    return {key.strip(): value.strip() for key, found, value in pairs if found}


def pressure(resource: str) -> dict[str, float] | None:
    """Return the share of time, in percent of the last 10 and 300 s, in which some task waited for a resource."""
    for line in (text(f"/proc/pressure/{resource}") or "").splitlines():
        if line.startswith("some"):
            values = dict(word.split("=") for word in line.split()[1:])
            return {"avg10": float(values["avg10"]), "avg300": float(values["avg300"])}
    return None


def pids() -> Iterator[int]:
    """Return the ids of all processes."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def command(pid: int) -> str:
    """Return a process's short name, or `?` when it is gone."""
    return text(f"/proc/{pid}/comm") or "?"


def host() -> dict[str, object]:
    """Return what tells this host, and this boot of it, from others."""
    return {"host": socket.gethostname(), "boot_id": text("/proc/sys/kernel/random/boot_id")}


def size(count: float | None) -> str:
    """Return a number of bytes as people write it."""
    if count is None:
        return "?"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def span(seconds: float | None) -> str:
    """Return a time span as people say it."""
    if seconds is None:
        return "?"
    days, rest = divmod(int(seconds), 86_400)
    hours, minutes = divmod(rest // 60, 60)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"
