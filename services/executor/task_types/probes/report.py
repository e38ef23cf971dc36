"""The report of `host.inspect` in Markdown: the verdict first, then what to do, then the facts it rests on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from services.executor.task_types.probes.read import size, span
from services.executor.task_types.probes.rules import Finding

_TITLES = {"critical": "Critical", "warning": "Warnings", "notice": "Notices"}


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> list[str]:
    body = [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    if not body:
        return [empty]
    return [f"| {' | '.join(heads)} |", f"|{'|'.join(' --- ' for _ in heads)}|", *body]


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _host(facts: Mapping[str, Any]) -> list[str]:
    system, memory, clock = facts["system"], facts["memory"], facts["clock"]
    swap = (
        f", swap {size(memory['swap_used'])} of {size(memory['swap_total'])}" if memory["swap_total"] else ", no swap"
    )
    kept = "in step" if clock["synchronised"] else "not in step" if clock["synchronised"] is False else "unknown"
    cpus = f"{system['cpus_usable']} x {system['cpu_model'] or 'unknown model'}, {system['numa_nodes']} NUMA node(s)"
    machine = (
        system["container"] or system["machine"] or ("virtual machine" if system["hypervisor"] else "physical machine")
    )
    rows = [
        ("Operating system", system["os"]),
        ("Kernel", f"{system['kernel']} ({system['architecture']})"),
        ("Machine", machine),
        ("CPUs", cpus),
        ("Load (1, 5, 15 min)", ", ".join(f"{value:.2f}" for value in system["load"])),
        ("Memory", f"{size(memory['total'])}, {size(memory['available'])} available{swap}"),
        ("Clock", f"{kept}, source {clock['source']}, time zone {clock['time_zone']}"),
        ("Up", span(system["uptime_seconds"])),
    ]
    return _table(("", ""), rows, "")


def _disks(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _table(
        ("Mount", "Device", "Type", "Size", "Free", "Used", "Inodes used"),
        (
            (
                f"`{item['mount']}`",
                item["device"],
                item["type"],
                size(item.get("bytes")),
                size(item.get("free")),
                f"{item['used_percent']} %" if item["answers"] else "does not answer",
                f"{item['inodes_used_percent']} %" if item["answers"] else None,
            )
            for item in facts["disks"]["filesystems"]
        ),
        "No file system with storage of its own is visible from this executor.",
    )
    yield ""
    yield from _table(
        ("Device", "Size", "Model", "Kind", "Scheduler", "Read-ahead"),
        (
            (
                item["name"],
                size(item["bytes"]),
                item["model"],
                "says it rotates" if item["rotational"] else "solid state",
                item["scheduler"],
                f"{item['read_ahead_kib']} KiB",
            )
            for item in facts["disks"]["devices"]
        ),
        "No block device is visible.",
    )


def _processes(facts: Mapping[str, Any]) -> Iterator[str]:
    seen = facts["processes"]
    yield (
        f"{seen['count']} processes with {seen['threads']} threads; {seen['zombie_count']} zombies, "
        f"{seen['stuck_count']} stuck in the kernel; {seen['file_handles']} open file handles."
    )
    yield ""
    busy = {item["pid"]: item["cpu_percent"] for item in seen["by_cpu"]}
    opened = {item["pid"]: item["open"] for item in seen["open_files"]}
    rows = {item["pid"]: (item["process"], item["rss"]) for item in seen["by_memory"]}
    rows |= {item["pid"]: (item["process"], None) for item in seen["by_cpu"] if item["pid"] not in rows}
    yield from _table(
        ("Process", "Pid", "Memory", "CPU now", "Open files"),
        (
            (
                name,
                pid,
                size(rss) if rss is not None else None,
                f"{busy[pid]} %" if pid in busy else None,
                opened.get(pid),
            )
            for pid, (name, rss) in rows.items()
        ),
        "None is visible.",
    )


def _ports(facts: Mapping[str, Any]) -> Iterator[str]:
    ports = facts["ports"]["ports"]
    yield from _table(
        ("Port", "Address", "Process", "Pid"),
        ((f"{item['port']}/{item['protocol']}", item["address"], item["process"], item["pid"]) for item in ports),
        "Nothing listens.",
    )
    if facts["ports"]["total"] > len(ports):
        yield f"\n… and {facts['ports']['total'] - len(ports)} more."


def _network(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _table(
        ("Interface", "State", "MTU", "Errors", "Dropped"),
        (
            (
                item["name"],
                item["state"],
                item["mtu"],
                item["rx_errors"] + item["tx_errors"],
                item["rx_dropped"] + item["tx_dropped"],
            )
            for item in facts["network"]["interfaces"]
        ),
        "No interface is visible.",
    )
    yield ""
    yield f"Name servers: {', '.join(facts['network']['name_servers']) or 'none'}."


def _settings(facts: Mapping[str, Any]) -> Iterator[str]:
    memory, limits = facts["memory"], facts["limits"]
    rows: list[tuple[object, object]] = [(f"`{name}`", value) for name, value in limits["settings"].items()]
    rows.append(("transparent huge pages", memory["transparent_hugepages"]))
    rows.append(("huge pages reserved / free", f"{memory['hugepages_total']} / {memory['hugepages_free']}"))
    for name, pair in limits["limits"].items():
        soft, hard = (
            size(value) if isinstance(value, int) and name not in {"open files", "processes"} else value
            for value in (pair["soft"], pair["hard"])
        )
        rows.append((f"limit: {name}", f"{soft} soft, {hard} hard"))
    yield from _table(("Setting", "Value"), rows, "None could be read.")


def render(facts: Mapping[str, Any], findings: Sequence[Finding], verdict: str, now: datetime) -> str:
    """Return the report. `findings` are sorted by severity."""
    lines = [
        f"# Host inspection: {facts['system']['host']}",
        "",
        f"Inspected {now:%Y-%m-%d %H:%M} UTC by opsledger.",
        "",
        f"**{verdict}**",
        "",
    ]
    lines += [*_host(facts), ""]
    for severity, group in groupby(findings, key=lambda finding: finding.severity):
        lines += [f"## {_TITLES[severity]}", ""]
        for finding in group:
            lines += [f"- **{finding.what}** {finding.why}", f"  *To do:* {finding.do}"]
        lines.append("")
    for title, section in (
        ("Disks", _disks),
        ("Processes", _processes),
        ("Listening ports", _ports),
        ("Network", _network),
        ("Kernel settings and limits", _settings),
    ):
        lines += _section(title, section(facts))
    return "\n".join(lines).rstrip() + "\n"
