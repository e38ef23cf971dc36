"""What this host is: operating system, kernel, processors, load, and whether it is virtual or a container."""

import os
import platform
from pathlib import Path

from services.executor.task_types.probes.read import Probed, chosen, pressure, span, table, text

_VIRTUAL = {"docker": "Docker", "podman": "Podman", "lxc": "LXC", "kubepods": "Kubernetes", "containerd": "containerd"}


def container() -> str | None:
    """Return the container runtime around us, if one shows."""
    roots = [line.split()[2] for line in (text("/proc/self/mounts") or "").splitlines() if line.split()[1] == "/"]
    if "overlay" in roots and Path("/.dockerenv").exists():  # the file alone also stands in machines made of images
        return "Docker"
    if Path("/run/.containerenv").exists():
        return "Podman"
    groups = text("/proc/1/cgroup") or ""
    return next((shown for word, shown in _VIRTUAL.items() if word in groups), None)


def probe() -> Probed:
    """Return the facts and their summary."""
    release = table("/etc/os-release", "=")
    processors = [table_part for table_part in (text("/proc/cpuinfo") or "").split("\n\n") if table_part.strip()]
    first = dict(line.split(":", 1) for line in processors[0].splitlines() if ":" in line) if processors else {}
    values = {key.strip(): value.strip() for key, value in first.items()}
    uptime = float((text("/proc/uptime") or "0").split()[0])
    one, five, fifteen = os.getloadavg()
    usable = len(os.sched_getaffinity(0))
    facts: dict[str, object] = {
        "os": release.get("PRETTY_NAME", "").strip('"') or platform.system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu_model": values.get("model name") or values.get("Model") or None,
        "cpus": os.cpu_count() or 1,
        "cpus_usable": usable,
        "numa_nodes": len(list(Path("/sys/devices/system/node").glob("node[0-9]*"))) or 1,
        "cpu_governor": chosen("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "hypervisor": "hypervisor" in values.get("flags", "").split(),
        "machine": text("/sys/class/dmi/id/product_name"),
        "container": container(),
        "uptime_seconds": int(uptime),
        "load": [round(one, 2), round(five, 2), round(fifteen, 2)],
        "cpu_pressure": pressure("cpu"),
        "reboot_required": Path("/run/reboot-required").exists(),
    }
    return facts, [
        f"{facts['os']}, kernel {facts['kernel']} on {facts['architecture']}",
        f"{usable} usable CPUs ({facts['cpu_model'] or 'model unknown'}), {facts['numa_nodes']} NUMA node(s)",
        f"up {span(uptime)}, load {one:.2f} {five:.2f} {fifteen:.2f}",
        f"hypervisor: {'yes' if facts['hypervisor'] else 'not seen'}, container: {facts['container'] or 'no'}",
    ]
