"""`host.prepare`: make a Debian host ready: packages, accounts, folders, limits, kernel settings, undone step by step.

The steps run one after another on executors of one pool, which must all be on the host to prepare. Refuses to know how
a step is done (`host.*`).
"""

from typing import Annotated, Any

from pydantic import Field, model_validator

from services.executor.host.ground import AbsolutePath
from services.executor.operations.contract import Params
from services.executor.operations.host_directory import Owner
from services.executor.operations.host_limits import FileName, Limit
from services.executor.operations.host_packages import Package
from services.executor.operations.host_sysctl import Key, Value
from services.executor.operations.host_user import AccountName
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan
from shared.task.text import PoolName


class User(Params):
    """An account: see `host.user`."""

    name: AccountName
    uid: Annotated[int, Field(ge=1, le=4_000_000_000)] | None = None
    group: AccountName | None = None
    groups: Annotated[list[AccountName], Field(max_length=100)] = Field(default_factory=list)
    home: AbsolutePath | None = None
    shell: AbsolutePath = "/usr/sbin/nologin"
    comment: Annotated[str, Field(pattern=r"^[^:\x00-\x1f]{0,200}$")] = ""
    system: bool = False


class Directory(Params):
    """A folder: see `host.directory`."""

    path: AbsolutePath
    owner: Owner | None = None
    group: Owner | None = None
    mode: Annotated[str, Field(pattern=r"^[0-7]{3,4}$")] = "0755"


class HostPrepareParams(Params):
    """What the host shall have; what is left out is left alone. `pool` says which executors, and so which host."""

    packages: Annotated[list[Package], Field(max_length=500, description="Packages to install.")] = Field(
        default_factory=list, examples=[["htop"]]
    )
    update: bool = Field(default=False, description="Read the package lists first.")
    users: Annotated[list[User], Field(max_length=50, description="Accounts to make.")] = Field(default_factory=list)
    directories: Annotated[list[Directory], Field(max_length=200, description="Folders, with owner and mode.")] = Field(
        default_factory=list
    )
    limits: Annotated[list[Limit], Field(max_length=500, description="Resource limits of logins.")] = Field(
        default_factory=list
    )
    sysctl: Annotated[dict[Key, Value], Field(max_length=500, description="Kernel settings by key.")] = Field(
        default_factory=dict
    )
    name: FileName = Field(default="opsledger", description="What the files of limits and kernel settings are called.")
    live: bool = Field(default=True, description="Also set the running kernel's settings.")
    check: bool = Field(default=False, description="Change nothing; report what would change.")
    root: AbsolutePath = Field(default="/", description="This host's own system, or an image's folder.")
    pool: PoolName | None = Field(default=None, description="A pool whose executors are on the host to prepare.")

    @model_validator(mode="after")
    def _something(self) -> "HostPrepareParams":
        if not (self.packages or self.users or self.directories or self.limits or self.sysctl):
            raise ValueError("give at least one of packages, users, directories, limits and sysctl")
        return self


@task_type("host.prepare")
def host_prepare(params: HostPrepareParams) -> Plan:
    """Prepares a Debian host: packages, accounts, folders, limits, kernel settings; `check` says what would change."""
    steps: list[tuple[str, str, str, dict[str, Any]]] = []
    if params.packages:
        wanted = {"packages": params.packages, "update": params.update}
        steps.append(("packages", "Install packages", "host.packages", wanted))
    for user in params.users:
        given = user.model_dump(exclude_none=True)
        steps.append((f"user-{user.name}", f"Create user {user.name}", "host.user", given))
    for place, directory in enumerate(params.directories, start=1):
        given = directory.model_dump(exclude_none=True)
        steps.append((f"directory-{place}", f"Create directory {directory.path}"[:200], "host.directory", given))
    if params.limits:
        lines = [limit.model_dump() for limit in params.limits]
        steps.append(("limits", "Set resource limits", "host.limits", {"file": params.name, "limits": lines}))
    if params.sysctl:
        settings = {"file": f"60-{params.name}"[:61], "settings": params.sysctl, "live": params.live}
        steps.append(("sysctl", "Set kernel parameters", "host.sysctl", settings))
    subtasks: list[SubtaskPlan] = []
    for key, name, operation, given in steps:
        subtasks.append(
            SubtaskPlan(
                key=key,
                name=name,
                operation=operation,
                params={**given, "check": params.check, "root": params.root},
                upstreams=[subtasks[-1].key] if subtasks else [],
                pool=params.pool,
                retry=RetryPolicy(times=2, delay_seconds=5),
            )
        )
    return Plan(subtasks=subtasks)
