"""`host.inspect` on this host: every probe runs, the findings join them, and the report is worth reading."""

from pathlib import Path
from typing import Any

from services.executor.catalog import discover
from services.executor.task_types.probes.findings import judge


async def test_the_whole_graph_runs_and_leaves_a_report(run_operation: Any, operation_files: Path) -> None:
    """Ten subtasks in their order, each with a log a person can read and nothing at WARN."""
    catalog = discover()
    plan = catalog.types["host.inspect"].plan({})
    outputs: dict[str, Any] = {}

    for number, node in enumerate(plan.subtasks, start=1):
        upstreams = {key: outputs[key] for key in node.upstreams}
        operation = catalog.operations[node.operation]
        ran = await run_operation(operation, node.params, upstreams=upstreams, generation=number)
        outputs[node.key] = ran.output
        assert {line.level for line in ran.lines} <= {"INFO", "DEBUG"}, ran.lines
        assert any(line.level == "INFO" for line in ran.lines)
        assert not any(line.text.startswith("{") for line in ran.lines)

    report = (operation_files / "reports/host-inspect.md").read_text(encoding="utf-8")
    host = outputs["system"]["data"]["host"]
    assert report.startswith(f"# Host inspection: {host}\n")
    for title in ("## Disks", "## Processes", "## Listening ports", "## Network", "## Kernel settings and limits"):
        assert title in report
    assert outputs["findings"]["data"]["verdict"] in report
    assert not any(finding["area"] == "inspection" for finding in outputs["findings"]["data"]["findings"])


def healthy() -> dict[str, dict[str, Any]]:
    """Return the facts of a host about which there is nothing to say."""
    where = {"host": "db1", "boot_id": "b"}
    disk = {
        "device": "/dev/sda1", "mount": "/", "type": "ext4", "options": ["rw"], "answers": True, "bytes": 100 << 30,
        "free": 70 << 30, "reserved": 1 << 30, "used_percent": 29.0, "inodes": 1000, "inodes_used_percent": 3.0,
        "read_only": False,
    }  # fmt: skip
    return {
        "system": where | {
            "os": "Debian", "kernel": "6", "architecture": "x86_64", "cpu_model": "X", "cpus": 8, "cpus_usable": 8,
            "numa_nodes": 1, "cpu_governor": "performance", "hypervisor": False, "machine": "Box", "container": None,
            "uptime_seconds": 900_000, "load": [0.1, 0.1, 0.1], "reboot_required": False,
        },
        "disks": where | {"filesystems": [disk], "devices": [], "io_pressure": {"avg10": 0.0, "avg300": 0.0}},
        "memory": where | {
            "total": 16 << 30, "available": 12 << 30, "available_percent": 75.0, "swap_total": 0, "swap_used": 0,
            "overcommit_memory": 2, "hugepages_total": 0, "hugepages_free": 0, "hugepage_bytes": 2 << 20,
            "transparent_hugepages": "madvise", "oom_kills": 0,
        },
        "network": where | {
            "interfaces": [], "name_servers": ["10.0.0.53"], "tcp_sent": 0, "tcp_retransmitted_percent": 0.0,
        },
        "ports": where | {"ports": [], "total": 0},
        "clock": where | {"synchronised": True, "max_error_ms": 5.0, "source": "tsc", "keepers": ["chronyd"],
                          "time_zone": "UTC"},
        "processes": where | {
            "count": 90, "threads": 200, "by_memory": [], "by_cpu": [], "zombies": [], "zombie_count": 0, "stuck": [],
            "stuck_count": 0, "file_handles": 900, "file_handles_max": 100_000, "open_files": [], "deleted_open": [],
        },
        "limits": where | {
            "settings": {"vm.swappiness": "1", "vm.dirty_ratio": "5", "vm.max_map_count": "655360"},
            "limits": {"open files": {"soft": 1_048_576, "hard": 1_048_576}},
        },
    }  # fmt: skip


def found(facts: dict[str, dict[str, Any]], **thresholds: float) -> list[tuple[str, str]]:
    """Return severity and area of each finding."""
    return [(finding["severity"], finding["area"]) for finding in judge(facts, thresholds)[0]["findings"]]


def test_a_healthy_host_has_no_findings() -> None:
    """Silence where there is nothing to say."""
    data, lines = judge(healthy(), {})

    assert data["findings"] == []
    assert lines == ["Nothing stands in the way."]


def test_findings_come_by_severity() -> None:
    """What must be read first stands first."""
    facts = healthy()
    facts["disks"]["filesystems"][0] |= {"used_percent": 93.0}
    facts["system"]["uptime_seconds"] = 60
    facts["memory"]["transparent_hugepages"] = "always"

    data, lines = judge(facts, {})

    assert [finding["severity"] for finding in data["findings"]] == ["critical", "warning", "notice"]
    assert data["verdict"] == "Do not touch this host before reading on: 1 critical, 1 warning, 1 notice."
    assert lines[1].startswith("critical: / (/dev/sda1) has 93.0 % of its space used")


def test_thresholds_decide() -> None:
    """The same disk is fine, a warning or critical."""
    facts = healthy()
    facts["disks"]["filesystems"][0]["used_percent"] = 50.0

    assert found(facts) == []
    assert found(facts, disk_warning_percent=40) == [("warning", "disks")]
    assert found(facts, disk_warning_percent=40, disk_critical_percent=45) == [("critical", "disks")]


def test_facts_of_two_hosts_are_not_one_report() -> None:
    """When a pool spans hosts the probes may run on different ones; the report says so at its top."""
    facts = healthy()
    facts["memory"]["host"] = "db2"

    assert found(facts) == [("critical", "inspection")]


def test_a_dead_mount_and_a_full_handle_table_are_critical() -> None:
    """What cannot be measured is not passed over."""
    facts = healthy()
    facts["disks"]["filesystems"].append({"mount": "/nfs", "device": "x:/y", "type": "nfs4", "answers": False})
    facts["processes"]["file_handles"] = 95_000

    assert found(facts) == [("critical", "disks"), ("critical", "processes")]
    assert "does not answer" in judge(facts, {})[0]["report"]


def test_a_rule_without_its_facts_is_told_not_fatal() -> None:
    """A host that hides something still gets its report."""
    facts = healthy()
    del facts["clock"]["synchronised"]
    facts["clock"]["synchronised"] = None
    del facts["network"]["tcp_sent"]

    assert ("notice", "inspection") in found(facts)


def test_user_text_cannot_break_the_report() -> None:
    """Process names and mounts are shown as text."""
    facts = healthy()
    facts["processes"]["by_memory"] = [{"pid": 1, "process": "a|b\n# <script>", "rss": 1 << 20}]

    report = judge(facts, {})[0]["report"]

    assert "| a\\|b # &lt;script> |" in report
