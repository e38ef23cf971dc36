"""Processes: the largest, the busiest, zombies, those stuck in the kernel, open files, and deleted files still held."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.executor.task_types.probes.read import Probed, pids, size, text

TOP = 10
SAMPLE_SECONDS = 0.5
MAX_DESCRIPTORS = 200_000


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment; `ticks` of CPU time since its start, `rss` in bytes."""

    pid: int
    name: str
    state: str
    parent: int
    ticks: int
    threads: int
    rss: int


def _process(pid: int, page: int) -> Process | None:
    line = text(f"/proc/{pid}/stat")
    if not line:
        return None
    head, _, tail = line.rpartition(")")
    words = tail.split()
    ticks = int(words[11]) + int(words[12])
    return Process(pid, head.partition("(")[2], words[0], int(words[1]), ticks, int(words[17]), int(words[21]) * page)


def _snapshot() -> dict[int, Process]:
    page = os.sysconf("SC_PAGE_SIZE")
    found = (_process(pid, page) for pid in pids())
    return {process.pid: process for process in found if process is not None}


def _soft_limit(pid: int) -> int | None:
    for line in (text(f"/proc/{pid}/limits") or "").splitlines():
        if line.startswith("Max open files"):
            word = line.split()[3]
            return int(word) if word.isdigit() else None
    return None


def _descriptors(processes: dict[int, Process]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Count open descriptors per process, and find deleted files that still take up space."""
    counts: dict[int, int] = {}
    deleted: dict[tuple[int, int], dict[str, Any]] = {}
    left = MAX_DESCRIPTORS
    for pid, process in processes.items():
        with suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                left -= 1
                counts[pid] = counts.get(pid, 0) + 1
                with suppress(OSError):
                    target = os.readlink(fd.path)  # noqa: PTH115 - likewise
                    if target.startswith("/") and target.endswith(" (deleted)") and not target.startswith("/memfd:"):
                        about = Path(fd.path).stat()
                        deleted[about.st_dev, about.st_ino] = {
                            "pid": pid,
                            "process": process.name,
                            "path": target.removesuffix(" (deleted)"),
                            "bytes": about.st_blocks * 512,
                        }
        if left <= 0:
            break
    busiest = sorted(counts, key=lambda pid: -counts[pid])[:TOP]
    open_files = [
        {"pid": pid, "process": processes[pid].name, "open": counts[pid], "limit": _soft_limit(pid)} for pid in busiest
    ]
    return open_files, sorted(deleted.values(), key=lambda item: -item["bytes"])[:TOP]


def _few(processes: list[Process]) -> list[dict[str, Any]]:
    return [{"pid": item.pid, "process": item.name, "parent": item.parent} for item in processes[:TOP]]


def probe() -> Probed:
    """Return the facts and their summary."""
    before, began = _snapshot(), time.monotonic()
    time.sleep(SAMPLE_SECONDS)
    after, seconds = _snapshot(), time.monotonic() - began
    hertz = os.sysconf("SC_CLK_TCK")
    busy = {
        pid: 100 * (process.ticks - before[pid].ticks) / hertz / seconds
        for pid, process in after.items()
        if pid in before
    }
    largest = sorted(after.values(), key=lambda process: -process.rss)[:TOP]
    busiest = [after[pid] for pid in sorted(busy, key=lambda pid: -busy[pid])[:TOP] if busy[pid] >= 1]
    zombies = [process for process in after.values() if process.state == "Z"]
    stuck = [
        process for pid, process in after.items() if process.state == "D" and pid in before and before[pid].state == "D"
    ]
    open_files, deleted = _descriptors(after)
    used, _, most = (int(word) for word in (text("/proc/sys/fs/file-nr") or "0 0 0").split())
    facts: dict[str, object] = {
        "count": len(after),
        "threads": sum(process.threads for process in after.values()),
        "by_memory": [{"pid": item.pid, "process": item.name, "rss": item.rss} for item in largest],
        "by_cpu": [
            {"pid": item.pid, "process": item.name, "cpu_percent": round(busy[item.pid], 1)} for item in busiest
        ],
        "zombies": _few(zombies),
        "zombie_count": len(zombies),
        "stuck": _few(stuck),
        "stuck_count": len(stuck),
        "file_handles": used,
        "file_handles_max": most,
        "open_files": open_files,
        "deleted_open": deleted,
    }
    top = ", ".join(f"{item.name} {size(item.rss)}" for item in largest[:3])
    return facts, [
        f"{len(after)} processes, {facts['threads']} threads; {len(zombies)} zombies, {len(stuck)} stuck in the kernel",
        f"largest: {top}",
        f"open files: {used} of {most}; deleted but held: {size(sum(item['bytes'] for item in deleted))}",
    ]
