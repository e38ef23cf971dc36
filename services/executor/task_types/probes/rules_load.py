"""More rules of `host.inspect`: processes, ports, network and kernel settings."""

from collections.abc import Iterator

from services.executor.task_types.probes.read import size
from services.executor.task_types.probes.rules import GIB, Facts, Finding, Limits

_DATABASE_PORTS = {
    1433: "SQL Server",
    1521: "Oracle",
    2881: "OceanBase",
    3306: "MySQL",
    5432: "PostgreSQL",
    9042: "Cassandra",
}
_OPEN_BY_DEFAULT = {2379: "etcd", 6379: "Redis", 9200: "Elasticsearch", 11211: "memcached", 27017: "MongoDB"}
_LEAST = {
    "vm.max_map_count": (262_144, "Engines that map many files fail at this limit with an out-of-memory error."),
    "net.core.somaxconn": (1_024, "Connection storms after a failover are refused instead of queued."),
    "fs.aio-max-nr": (1_048_576, "Databases with native asynchronous I/O (InnoDB, Oracle, OceanBase) fail to start."),
}


def processes(facts: Facts, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001 - all rules take the same
    """Stuck and dead processes, open files, deleted files still held."""
    seen = facts["processes"]
    if seen["stuck_count"]:
        names = ", ".join(f"{item['process']} ({item['pid']})" for item in seen["stuck"][:5])
        yield Finding(
            "warning",
            "processes",
            f"{seen['stuck_count']} process(es) wait in the kernel and cannot be interrupted: {names}.",
            "It is mostly a disk or network file system that does not answer.",
            "`cat /proc/PID/stack` shows where it waits; look at that device first.",
        )
    if seen["zombie_count"]:
        item = seen["zombies"][0]
        yield Finding(
            "warning" if seen["zombie_count"] >= 50 else "notice",
            "processes",
            f"{seen['zombie_count']} zombie(s), for example {item['process']} of parent {item['parent']}.",
            "Harmless one by one; in numbers they use up process ids and show a parent that has lost control.",
            "Their parent does not collect them; restart it when it suits.",
        )
    for item in seen["open_files"]:
        if item["limit"] and item["open"] > 0.8 * item["limit"]:
            yield Finding(
                "warning",
                "processes",
                f"{item['process']} ({item['pid']}) has {item['open']} of {item['limit']} permitted files open.",
                "At the limit it can neither accept connections nor open tables.",
                "Raise LimitNOFILE of its unit, or find the leak.",
            )
    held = sum(item["bytes"] for item in seen["deleted_open"])
    if held > GIB:
        item = seen["deleted_open"][0]
        yield Finding(
            "warning",
            "processes",
            f"{size(held)} are held by deleted files, most by {item['process']} ({item['pid']}): {item['path']}.",
            "The space comes back only when the process closes them; `du` does not show it.",
            "Restart or signal that process to reopen its logs.",
        )
    if seen["file_handles_max"] and seen["file_handles"] > 0.8 * seen["file_handles_max"]:
        yield Finding(
            "critical",
            "processes",
            f"{seen['file_handles']} of {seen['file_handles_max']} file handles of the whole host are in use.",
            "At the limit nothing on this host can open a file.",
            "Find the leak in the table below; raise fs.file-max meanwhile.",
        )


def ports(facts: Facts, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001 - likewise
    """Databases that listen on every interface."""
    told: set[int] = set()
    for item in facts["ports"]["ports"]:
        port = item["port"]
        name = _OPEN_BY_DEFAULT.get(port) or _DATABASE_PORTS.get(port)
        if name is None or item["protocol"] != "tcp" or item["address"] not in {"0.0.0.0", "::"} or port in told:  # noqa: S104
            continue
        told.add(port)
        asks_nobody = port in _OPEN_BY_DEFAULT
        yield Finding(
            "warning" if asks_nobody else "notice",
            "ports",
            f"Port {port} ({name}) is open on every interface (process: {item['process'] or 'not visible'}).",
            f"{name} asks for no password unless told to." if asks_nobody else "Whoever reaches this host may try.",
            "Bind it to the address that clients use, or make sure that a firewall stands in front.",
        )


def network(facts: Facts, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001 - likewise
    """Errors on the wire and names that cannot be resolved."""
    seen = facts["network"]
    for item in seen["interfaces"]:
        errors, packets = item["rx_errors"] + item["tx_errors"], item["rx_packets"] + item["tx_packets"]
        if errors and errors > packets / 10_000:
            yield Finding(
                "warning",
                "network",
                f"{item['name']} has {errors} errors in {packets} packets.",
                "Replication and backups slow down or break off.",
                "`ethtool -S` tells which kind; suspect cable, duplex or driver.",
            )
    if seen["tcp_sent"] > 100_000 and seen["tcp_retransmitted_percent"] > 2:
        yield Finding(
            "warning",
            "network",
            f"{seen['tcp_retransmitted_percent']} % of all TCP segments were sent again.",
            "Packets are lost on the way; every loss costs a commit at least 200 ms.",
            "Compare with the peers to find which path loses them (`ss -ti`).",
        )
    if not seen["name_servers"]:
        yield Finding(
            "notice",
            "network",
            "No name server is configured.",
            "Logins may wait for a reverse lookup, and names of peers do not resolve.",
            "Check /etc/resolv.conf, or confirm that /etc/hosts has all that is needed.",
        )


def settings(facts: Facts, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001 - likewise
    """Kernel settings and resource limits."""
    seen, resources = facts["limits"]["settings"], facts["limits"]["limits"]
    for name, (least, why) in _LEAST.items():
        value = int(seen.get(name, least))
        if value < least:
            yield Finding(
                "notice",
                "settings",
                f"{name} is {value}.",
                why,
                f"`sysctl {name}={least}` (permanent in /etc/sysctl.d).",
            )
    if seen.get("vm.zone_reclaim_mode", "0") != "0":
        yield Finding(
            "warning",
            "settings",
            f"vm.zone_reclaim_mode is {seen['vm.zone_reclaim_mode']}.",
            "The kernel frees cache on one NUMA node although the other has memory: unforeseeable stalls.",
            "`sysctl vm.zone_reclaim_mode=0`.",
        )
    if seen.get("kernel.numa_balancing", "0") != "0" and facts["system"]["numa_nodes"] > 1:
        yield Finding(
            "notice",
            "settings",
            "Automatic NUMA balancing is on.",
            "It moves pages of a large database back and forth.",
            "`sysctl kernel.numa_balancing=0`, and interleave the database's memory.",
        )
    dirty = facts["memory"]["total"] * int(seen.get("vm.dirty_ratio", "0")) / 100
    if dirty > 4 * GIB:
        yield Finding(
            "notice",
            "settings",
            f"vm.dirty_ratio {seen['vm.dirty_ratio']} lets {size(dirty)} of unwritten data pile up.",
            "When it is written at last, everybody's commits wait.",
            "`vm.dirty_background_bytes=268435456` and `vm.dirty_bytes=1073741824` keep the bursts short.",
        )
    open_files = resources["open files"]["soft"]
    if isinstance(open_files, int) and open_files < 65_535:
        yield Finding(
            "notice",
            "settings",
            f"A process may open {open_files} files (limit of this executor and of what it starts).",
            "A database with many tables and connections needs more.",
            "LimitNOFILE=65535 or more in its unit; /etc/security/limits.d for logins.",
        )
