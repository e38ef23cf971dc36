"""The machine a run has: what it is, how fast its disk syncs, who else uses its processors, what a process takes."""

import os
import platform
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024 * 1024
SYNCS = 200


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds so far, of all processors together."""

    total: float
    busy: float
    ours: float

    @classmethod
    def now(cls) -> "Cpu":
        """Read the kernel's counters; ours are this process and all it started, those that have ended included."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        me = psutil.Process()
        ours = 0.0
        for process in (me, *me.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                ours += sum(process.cpu_times()[:4])
        return cls(total, total - idle, ours)

    def others_since(self, start: "Cpu") -> float:
        """The share of the machine, from 0 to 1, that went to anybody but us since `start`; noise when it is large."""
        if (total := self.total - start.total) <= 0:
            return 0.0
        return min(1.0, max(0.0, (self.busy - start.busy) - (self.ours - start.ours)) / total)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process took, in MiB: its largest resident set so far, and its share of it now (PSS); None: unknown."""

    peak_rss: float | None
    pss: float | None

    @classmethod
    def of(cls, pid: int) -> "Memory":
        """Ask the kernel (Linux)."""
        return cls(_field(pid, "status", "VmHWM:"), _field(pid, "smaps_rollup", "Pss:"))


def _field(pid: int, file: str, name: str) -> float | None:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return None


def seconds(pid: int) -> float:
    """Return the processor seconds a process has used, what it started and has ended included."""
    return float(sum(psutil.Process(pid).cpu_times()[:4]))


def describe() -> str:
    """Return the machine in a few words."""
    memory = psutil.virtual_memory().total / 1024**3
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return f"{os.cpu_count()} x {_model()}, {memory:.0f} GiB, {system}, Python {platform.python_version()}"


def _model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def filesystem(folder: Path) -> str:
    """Return the type of the file system a folder lies on, as far as the system tells."""
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((mounts[path] for path in (folder, *folder.parents) if path in mounts), "unknown")


def sync_ms(folder: Path) -> float:
    """Return the median milliseconds of a 512-byte append with fdatasync: what `sync_interval: always` waits for."""
    probe = folder / "sync-probe"
    taken = []
    with probe.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(b"\0" * 512)
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    probe.unlink()
    return statistics.median(taken)
