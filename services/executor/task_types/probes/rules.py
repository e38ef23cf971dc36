"""The rules of `host.inspect`: what in the facts deserves a database administrator's attention, why, and what to do.

Each rule takes the facts of all probes and yields findings. Refuses to read the host: only facts that were handed in.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.executor.task_types.probes.read import size, span

Severity = Literal["critical", "warning", "notice"]
Facts = Mapping[str, Mapping[str, Any]]
Limits = Mapping[str, float]
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing: what was seen, why it matters on a database host, and what to do."""

    severity: Severity
    area: str
    what: str
    why: str
    do: str


def hosts(facts: Facts, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001 - all rules take the same
    """All facts must be of one host and one boot."""
    seen = {(part.get("host"), part.get("boot_id")) for part in facts.values()}
    if len(seen) > 1:
        names = ", ".join(sorted({str(host) for host, _ in seen}))
        yield Finding(
            "critical",
            "inspection",
            f"The facts come from {len(seen)} different hosts or boots: {names}.",
            "Nothing below describes one machine.",
            "Inspect a pool that has executors on one host only: parameter `pool`.",
        )


def disks(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Fill level, inodes, read-only and dead mounts, waiting for I/O."""
    warn, critical = limits["disk_warning_percent"], limits["disk_critical_percent"]
    for item in facts["disks"]["filesystems"]:
        place = f"{item['mount']} ({item['device']})"
        if not item["answers"]:
            yield Finding(
                "critical",
                "disks",
                f"{place} does not answer.",
                "Every process that touches it hangs in the kernel and cannot be killed, backups included.",
                "Look at the server or the path behind it; `umount -l` only hides it.",
            )
            continue
        for name, used in (("space", item["used_percent"]), ("inodes", item["inodes_used_percent"])):
            if used >= warn:
                left = size(item["free"]) + " free" if name == "space" else "files cannot be created soon"
                yield Finding(
                    "critical" if used >= critical else "warning",
                    "disks",
                    f"{place} has {used} % of its {name} used ({left}).",
                    "A database that cannot write its log stops, and some need repair afterwards.",
                    f"Find out what grows there (`du -x --max-depth=2 {item['mount']}`), then clean up or extend it.",
                )
        if item["reserved"] > item["bytes"] / 10:
            yield Finding(
                "notice",
                "disks",
                f"{size(item['reserved'])} of {place} are reserved; only {size(item['free'])} can be written.",
                "A database that does not run as root never gets that space, whatever its size says.",
                "Count with the free space; `tune2fs -m 1` lowers the reserve of an ext4 volume for data.",
            )
        if item["read_only"] and item["type"] not in {"vfat", "overlay"}:
            yield Finding(
                "warning",
                "disks",
                f"{place} is mounted read-only.",
                "If nobody asked for that, the kernel did it after an I/O error.",
                "Look for I/O errors in `dmesg`; check the disk before remounting.",
            )
    pressure = facts["disks"].get("io_pressure")
    if pressure and pressure["avg300"] >= 20:
        yield Finding(
            "warning",
            "disks",
            f"For {pressure['avg300']} % of the last five minutes some process waited for a disk.",
            "Commits wait for the disk first; latency follows.",
            "Find the writer (`pidstat -d`, `iotop`) before adding load.",
        )


def memory(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Free memory, swap, transparent huge pages, overcommit, kills."""
    seen = facts["memory"]
    settings = facts["limits"]["settings"]
    left = seen["available_percent"]
    if left < limits["memory_available_percent"]:
        yield Finding(
            "critical" if left < limits["memory_available_percent"] / 2 else "warning",
            "memory",
            f"Only {size(seen['available'])} of memory is available ({left} %).",
            "The next large query or connection storm may wake the out-of-memory killer, which likes databases.",
            "Look at the largest processes below; lower caches or connections, or move something away.",
        )
    if seen["oom_kills"]:
        yield Finding(
            "warning",
            "memory",
            f"The kernel has killed {seen['oom_kills']} process(es) for want of memory since boot.",
            "It will happen again under the same load.",
            "`dmesg | grep -i 'killed process'` says whom; size the caches, give the database `OOMScoreAdjust=-900`.",
        )
    if seen["transparent_hugepages"] == "always":
        yield Finding(
            "warning",
            "memory",
            "Transparent huge pages are on for everybody (`always`).",
            "Compaction stalls show as random latency; MongoDB, Redis, Oracle and OceanBase advise against it.",
            "`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`; permanent by tuned or the kernel line.",
        )
    swap, used = seen["swap_total"], seen["swap_used"]
    if swap and used > swap / 4:
        yield Finding(
            "warning",
            "memory",
            f"{size(used)} of {size(swap)} swap is in use.",
            "Database pages in swap cost a disk read where memory was expected.",
            "Find who is swapped out (`VmSwap` in /proc/PID/status); free memory before the change.",
        )
    swappiness = int(settings.get("vm.swappiness", "0"))
    if swap and swappiness > 10:
        yield Finding(
            "notice",
            "memory",
            f"vm.swappiness is {swappiness}.",
            "The kernel swaps out idle database memory in favour of file cache.",
            "`sysctl vm.swappiness=1` (permanent in /etc/sysctl.d).",
        )
    if seen["overcommit_memory"] == 0 and _runs(facts, "postgres"):
        yield Finding(
            "notice",
            "memory",
            "Memory may be overcommitted (vm.overcommit_memory = 0) on a host that runs PostgreSQL.",
            "Memory promised but not there ends in the out-of-memory killer, and PostgreSQL restarts as a whole.",
            "`vm.overcommit_memory=2` with a ratio that fits, as PostgreSQL's manual advises.",
        )
    if seen["hugepages_total"] and seen["hugepages_free"] == seen["hugepages_total"]:
        idle = seen["hugepages_total"] * (seen["hugepage_bytes"] or 0)
        yield Finding(
            "notice",
            "memory",
            f"{size(idle)} are reserved as huge pages, and nobody uses them.",
            "That memory is lost to everything else.",
            "Turn huge pages on in the database, or give them back (`vm.nr_hugepages`).",
        )


def clock(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Is the clock kept, and is reading it cheap."""
    seen = facts["clock"]
    if seen["synchronised"] is False:
        keepers = ", ".join(seen["keepers"])
        yield Finding(
            "warning",
            "clock",
            f"The kernel's clock is not synchronised ({keepers + ' runs' if keepers else 'no daemon seen'}).",
            "Distributed databases order transactions by time, and logs of several hosts cannot be compared.",
            "`chronyc tracking` or `timedatectl timesync-status`; install chrony where nothing keeps the clock.",
        )
    elif (seen.get("max_error_ms") or 0) > limits["clock_error_ms"]:
        yield Finding(
            "notice",
            "clock",
            f"The clock may be off by as much as {seen['max_error_ms']} ms.",
            "Some clusters refuse members that are further off than their limit.",
            "Check the time servers' distance: `chronyc sources -v`.",
        )
    if seen["source"] in {"hpet", "acpi_pm", "jiffies", "refined-jiffies"}:
        yield Finding(
            "warning",
            "clock",
            f"The clock source is {seen['source']}.",
            "Reading the time costs a system call or worse; databases do it all the time.",
            "See why the kernel gave up the TSC: `dmesg | grep -i clocksource`.",
        )


def _runs(facts: Facts, name: str) -> bool:
    return any(name in (port["process"] or "") for port in facts["ports"]["ports"])


def system(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Load, restarts, governor, container."""
    seen = facts["system"]
    cpus = max(1, seen["cpus_usable"])
    if seen["load"][2] / cpus > limits["load_per_cpu"]:
        yield Finding(
            "warning",
            "system",
            f"Load has been {seen['load'][2]} for a quarter of an hour, on {cpus} CPUs.",
            "There is no room for the work you are about to add.",
            "Find out who it is (table below) and whether it is CPU or waiting for disks.",
        )
    if seen["reboot_required"]:
        yield Finding(
            "warning",
            "system",
            "The host waits for a reboot after an update.",
            "Libraries in memory are older than those on disk; a restart of the database may behave differently.",
            "Plan the reboot before, not during, the change.",
        )
    if seen["uptime_seconds"] < 3_600:
        yield Finding(
            "notice",
            "system",
            f"The host was started {span(seen['uptime_seconds'])} ago.",
            "If nobody planned that, it crashed; caches are cold and counters are young.",
            "`journalctl -b -1 -e` shows the end of the previous boot.",
        )
    if seen["cpu_governor"] == "powersave":
        yield Finding(
            "warning",
            "system",
            "The CPU frequency governor is powersave.",
            "Short queries never see the full clock.",
            "`cpupower frequency-set -g performance`.",
        )
    if seen["container"]:
        yield Finding(
            "notice",
            "system",
            f"This executor runs in a container ({seen['container']}).",
            "It may see less than the host has: limits, mounts and processes are the container's.",
            "Run the inspection from an executor on the host if the host is meant.",
        )


Rule = Callable[[Facts, Limits], Iterator[Finding]]
