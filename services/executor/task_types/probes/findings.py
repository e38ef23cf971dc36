"""The join of `host.inspect`: facts of all probes in, findings by severity and a report out."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from services.executor.task_types.probes import rules, rules_load
from services.executor.task_types.probes.report import render

RULES: tuple[rules.Rule, ...] = (
    rules.hosts,
    rules.system,
    rules.disks,
    rules.memory,
    rules.clock,
    rules_load.processes,
    rules_load.ports,
    rules_load.network,
    rules_load.settings,
)
ORDER = {"critical": 0, "warning": 1, "notice": 2}
DEFAULTS = {
    "disk_warning_percent": 80.0,
    "disk_critical_percent": 90.0,
    "memory_available_percent": 10.0,
    "clock_error_ms": 100.0,
    "load_per_cpu": 1.5,
}


def _apply(rule: rules.Rule, facts: rules.Facts, limits: rules.Limits) -> Iterator[rules.Finding]:
    try:
        yield from rule(facts, limits)
    except (KeyError, TypeError, ValueError) as error:
        yield rules.Finding(
            "notice",
            "inspection",
            f"The rule '{rule.__name__}' could not be applied ({type(error).__name__}: {error}).",
            "What it looks for may be there unseen.",
            "Look at the facts of that area yourself, and report the rule.",
        )


def judge(facts: Mapping[str, Any], thresholds: Mapping[str, float]) -> tuple[dict[str, Any], list[str]]:
    """Return the findings, their counts, a verdict and the report; and the findings as lines for the log."""
    limits = {**DEFAULTS, **thresholds}
    found = [finding for rule in RULES for finding in _apply(rule, facts, limits)]
    found.sort(key=lambda finding: ORDER[finding.severity])
    counts = {severity: sum(finding.severity == severity for finding in found) for severity in ORDER}
    verdict = _verdict(counts)
    now = datetime.now(UTC)
    data = {
        "host": facts.get("system", {}).get("host"),
        "inspected_at": now.isoformat(timespec="seconds"),
        "verdict": verdict,
        "counts": counts,
        "findings": [asdict(finding) for finding in found],
        "report": render(facts, found, verdict, now),
    }
    return data, [verdict, *(f"{finding.severity}: {finding.what}" for finding in found)]


def _verdict(counts: Mapping[str, int]) -> str:
    if not any(counts.values()):
        return "Nothing stands in the way."
    said = [
        f"{count} {name}{'s' if count != 1 and name != 'critical' else ''}" for name, count in counts.items() if count
    ]
    start = "Do not touch this host before reading on" if counts["critical"] else "Read before you begin"
    if not counts["critical"] and not counts["warning"]:
        start = "Nothing serious"
    return f"{start}: {', '.join(said)}."
