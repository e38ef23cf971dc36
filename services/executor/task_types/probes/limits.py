"""Kernel settings and resource limits that databases trip over."""

import resource

from services.executor.task_types.probes.read import Probed, text

SETTINGS = (
    "vm.swappiness",
    "vm.dirty_ratio",
    "vm.dirty_background_ratio",
    "vm.max_map_count",
    "vm.zone_reclaim_mode",
    "vm.min_free_kbytes",
    "fs.file-max",
    "fs.nr_open",
    "fs.aio-max-nr",
    "fs.aio-nr",
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.numa_balancing",
    "kernel.core_pattern",
    "net.core.somaxconn",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_tw_reuse",
)
LIMITS = {
    "open files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "locked memory": resource.RLIMIT_MEMLOCK,
    "core file": resource.RLIMIT_CORE,
    "stack": resource.RLIMIT_STACK,
}


def _word(value: int) -> int | str:
    return "unlimited" if value == resource.RLIM_INFINITY else value


def probe() -> Probed:
    """Return the facts and their summary. Limits are those of the executor: what it starts inherits them."""
    settings = {name: text(f"/proc/sys/{name.replace('.', '/')}") for name in SETTINGS}
    limits = {
        name: {"soft": _word(pair[0]), "hard": _word(pair[1])}
        for name, pair in ((name, resource.getrlimit(number)) for name, number in LIMITS.items())
    }
    known = {name: " ".join(value.split()) for name, value in settings.items() if value is not None}
    facts: dict[str, object] = {"settings": known, "limits": limits}
    return facts, [
        *(f"{name} = {known[name]}" for name in SETTINGS[:4] if name in known),
        f"open files: {limits['open files']['soft']} soft, {limits['open files']['hard']} hard",
        f"{len(known)} settings read in all",
    ]
