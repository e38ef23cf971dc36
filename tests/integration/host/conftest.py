"""A system in a folder, as an image would be, and tasks that prepare it; this machine itself is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.executor.operations.contract import Connection, ExecutorPolicy
from services.executor.operations.host_directory import HostDirectory
from services.executor.operations.host_limits import HostLimits
from services.executor.operations.host_packages import HostPackages
from services.executor.operations.host_sysctl import HostSysctl
from services.executor.operations.host_user import HostUser
from services.executor.task_types.host_prepare import host_prepare
from tests.integration.tenant.steps import Steps, catalog_of

OPERATIONS = catalog_of(HostDirectory(), HostLimits(), HostPackages(), HostSysctl(), HostUser())

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nola:x:2000:2000:Ola:/home/ola:/bin/sh\n",
    "etc/group": "root:x:0:\nola:x:2000:\nadm:x:4:ola\ndocker:x:990:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nola:!:19000:0:99999:7:::\n",
    "etc/gshadow": "root:*::\nola:!::\nadm:*::ola\ndocker:!::\n",
    "etc/login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\n",
    "etc/sysctl.d/10-ours.conf": "vm.swappiness = 60\n",
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A Debian system's folder with what the steps look at."""
    root = tmp_path / "image"
    for name, text in _FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    (root / "etc/security/limits.d").mkdir(parents=True)
    return root


Prepare = Callable[..., Steps]


@pytest.fixture
def prepare(image: Path, tmp_path: Path) -> Prepare:
    """Make a `host.prepare` of the image with these parameters."""

    def make(*, task_id: int = 7, **params: Any) -> Steps:
        plan = host_prepare.plan({"root": str(image), **params})
        steps = Steps(plan, OPERATIONS, Connection("none", "none://"), tmp_path, task_id)
        steps.policy = ExecutorPolicy(file_roots=(image,))
        return steps

    return make


def tree(root: Path) -> dict[str, Any]:
    """Return every file and folder of a system with content, mode and owner; backups and locks of tools left out."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        if path.name.endswith(("-", ".lock")) or "cache" in path.parts or "lists" in path.parts or "log" in path.parts:
            continue
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (content, about.st_mode, about.st_uid, about.st_gid)
    return found
