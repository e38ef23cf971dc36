"""Memory: how much there is, how it may be overcommitted, swap, huge pages, and whether anybody waits for it."""

from services.executor.task_types.probes.read import Probed, chosen, number, pressure, size, table, text

_THP = "/sys/kernel/mm/transparent_hugepage"


def probe() -> Probed:
    """Return the facts and their summary."""
    info = {key: int(value.split()[0]) for key, value in table("/proc/meminfo").items() if value[:1].isdigit()}
    counters = {
        words[0]: int(words[1])
        for words in map(str.split, (text("/proc/vmstat") or "").splitlines())
        if len(words) == 2
    }

    def kib(name: str) -> int | None:
        return info[name] * 1024 if name in info else None

    total, available = kib("MemTotal") or 0, kib("MemAvailable") or 0
    swap, swap_free = kib("SwapTotal") or 0, kib("SwapFree") or 0
    facts: dict[str, object] = {
        "total": total,
        "available": available,
        "available_percent": round(100 * available / total, 1) if total else 0.0,
        "cached": kib("Cached"),
        "dirty": kib("Dirty"),
        "swap_total": swap,
        "swap_used": swap - swap_free,
        "swap_devices": len((text("/proc/swaps") or "").splitlines()) - 1,
        "committed": kib("Committed_AS"),
        "commit_limit": kib("CommitLimit"),
        "overcommit_memory": number("/proc/sys/vm/overcommit_memory"),
        "overcommit_ratio": number("/proc/sys/vm/overcommit_ratio"),
        "hugepages_total": info.get("HugePages_Total", 0),
        "hugepages_free": info.get("HugePages_Free", 0),
        "hugepage_bytes": kib("Hugepagesize"),
        "transparent_hugepages": chosen(f"{_THP}/enabled"),
        "transparent_hugepages_defrag": chosen(f"{_THP}/defrag"),
        "oom_kills": counters.get("oom_kill"),
        "pressure": pressure("memory"),
    }
    return facts, [
        f"{size(total)} memory, {size(available)} available ({facts['available_percent']} %)",
        f"swap: {size(swap - swap_free)} of {size(swap)} used" if swap else "no swap",
        f"transparent huge pages {facts['transparent_hugepages'] or 'unknown'}, reserved {facts['hugepages_total']}",
        f"overcommit mode {facts['overcommit_memory']}, out-of-memory kills since boot: {facts['oom_kills']}",
    ]
