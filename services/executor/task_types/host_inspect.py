"""`host.inspect`: look at a Linux host before touching it, and leave a report worth reading.

The graph: `system` first, then seven probes side by side, then `findings`, which joins them, then the `report`
file. Nothing is changed on the host but that file. All of it is plain operations: `command.run` with this project's
own probes, and `file.write`.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from services.executor.operations.contract import Params
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan
from shared.task.text import PoolName

PROBES = {
    "disks": "File systems, inodes, block devices",
    "memory": "Memory, swap, huge pages, pressure",
    "network": "Interfaces, errors, name servers",
    "ports": "Listening ports and their processes",
    "clock": "Clock source and synchronisation",
    "processes": "Largest and busiest processes, open files",
    "limits": "Kernel settings and resource limits",
}
Percent = Annotated[float, Field(gt=0, le=100)]


class Thresholds(Params):
    """From where on a finding is a finding."""

    disk_warning_percent: Percent = 80.0
    disk_critical_percent: Percent = 90.0
    memory_available_percent: Percent = 10.0
    clock_error_ms: Annotated[float, Field(gt=0)] = 100.0
    load_per_cpu: Annotated[float, Field(gt=0)] = 1.5


class HostInspectParams(Params):
    """`report` is the file to write, below the executor's folder; `pool` says which executors, and so which host."""

    report: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default="reports/host-inspect.md", description="File to write; null writes none."
    )
    pool: PoolName | None = Field(default=None, description="A pool whose executors are on the host to inspect.")
    thresholds: Thresholds = Thresholds()


@task_type("host.inspect")
def host_inspect(params: HostInspectParams) -> Plan:
    """Inspects a Linux host (disks, memory, ports, clock, processes, settings) and reports what deserves attention."""

    def probe(key: str, name: str, *arguments: str, upstreams: list[str], stdin: object = None) -> SubtaskPlan:
        module = ["@python", "-I", "-m", "services.executor.task_types.probes", key, *arguments]
        return SubtaskPlan(
            key=key,
            name=name,
            operation="command.run",
            params={"argv": module, "parse": "json", "stdin": stdin, "log_stdout": "NONE", "log_stderr": "INFO"},
            upstreams=upstreams,
            timeout=60,
            pool=params.pool,
            delivery="at_least_once",  # reading twice harms nobody
            retry=RetryPolicy(times=1, delay_seconds=1),
        )

    subtasks = [probe("system", "Operating system, processors, load", upstreams=[])]
    subtasks += [probe(key, name, upstreams=["system"]) for key, name in PROBES.items()]
    thresholds = params.thresholds.model_dump_json()
    everything = ["system", *PROBES]
    subtasks.append(probe("findings", "Findings", thresholds, upstreams=everything, stdin={"upstreams": True}))
    if params.report is not None:
        report = SubtaskPlan(
            key="report",
            name="Report",
            operation="file.write",
            params={"path": params.report, "content_from": {"upstream": "findings", "field": "data.report"}},
            upstreams=["findings"],
            timeout=60,
            pool=params.pool,
        )
        subtasks.append(report)
    return Plan(subtasks=subtasks)
