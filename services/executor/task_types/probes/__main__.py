"""`python -m services.executor.task_types.probes NAME`: facts as JSON on stdout, a summary for people on stderr."""

import json
import sys
from importlib import import_module
from typing import Any

from services.executor.task_types.probes.read import host

NAMES = ("system", "disks", "memory", "network", "ports", "clock", "processes", "limits")


def main() -> int:
    """Run one probe, or `findings THRESHOLDS-AS-JSON` with the other probes' outputs on stdin."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name == "findings":
        module = import_module("services.executor.task_types.probes.findings")
        outputs: dict[str, Any] = json.load(sys.stdin)
        facts = {key: output["data"] for key, output in outputs.items()}
        data, lines = module.judge(facts, json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
    elif name in NAMES:
        data, lines = import_module(f"services.executor.task_types.probes.{name}").probe()
        data |= host()
    else:
        sys.stderr.write(f"usage: probes findings|{'|'.join(NAMES)}\n")
        return 2
    sys.stderr.write("\n".join(lines) + "\n")
    json.dump(data, sys.stdout, ensure_ascii=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
