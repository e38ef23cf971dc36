"""`opsledger type lint | plan | run`: what an author looks at before anybody else has to."""

from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from opsledger.cli.failure import UsageError
from opsledger.cli.flag import Flag
from opsledger.cli.task import ask
from opsledger.cli.task.output import Output
from opsledger.cli.type import bench

Pairs = Annotated[list[str] | None, Parameter(name=["--param", "-p"], negative="", metavar="K=V")]
File = Annotated[Path | None, Parameter(name=["--params-file", "-f"], metavar="FILE")]
Steps = Annotated[list[str] | None, Parameter(negative="", metavar="KEY[:WHERE]")]


def lint(
    name: str | None = None,
    /,
    *,
    ignore: Annotated[list[str] | None, Parameter(negative="", metavar="RULE")] = None,
    strict: Flag = False,
    output: Output = "table",
) -> NoReturn:
    """Look at operations and task types as an executor would, and say what to mend.

    Exit code 1 when there is an error, with --strict also for warnings.

    Parameters
    ----------
    name
        Name of an operation or task type, or of a module or package; without it, all that other packages install.
    ignore
        A rule to leave out, such as no-undo for what changes nothing; may be repeated.
    strict
        Let warnings fail, too.
    output
        table or json.
    """
    bench.become("lint", name=name, ignore=ignore or [], strict=strict, json_output=output != "table")


def plan(name: str, /, *, param: Pairs = None, file: File = None, output: Output = "table") -> NoReturn:
    """Show the plan that a task type makes of parameters; nothing is created and nothing runs.

    Parameters
    ----------
    name
        Name of a task type, or of an operation.
    param
        One parameter: k=v, or k:=JSON for a value that is no string. May be repeated.
    file
        All parameters as a JSON object, from a file.
    output
        table, or json for the plan as it would be recorded.
    """
    bench.become("plan", name=name, param=param or [], params=_params(file), json_output=output != "table")


def run(
    name: str,
    /,
    *,
    local: Flag = False,
    param: Pairs = None,
    file: File = None,
    fail_at: Steps = None,
    crash_at: Steps = None,
    rollback: Flag = False,
    fast: Flag = False,
    files: Path | None = None,
    secrets: Path | None = None,
    connections: Path | None = None,
    team: str | None = None,
    output: Output = "table",
) -> NoReturn:
    """Run a whole task in this process, with no server, and tell it as it goes.

    Rules, attempts and containment are an executor's own; only the log lives in memory. The operations do what they
    do: this is no dry run. Ctrl-C cancels the task, a second one ends the process. Exit codes: 0 done, or rolled
    back when --rollback asked for it, 1 failed, 3 cancelled.

    Parameters
    ----------
    name
        Name of a task type, or of an operation.
    local
        Say that it shall run here; without it nothing happens.
    param
        One parameter: k=v, or k:=JSON for a value that is no string. May be repeated.
    file
        All parameters as a JSON object, from a file.
    fail_at
        Let this step fail once: before its effect, with :after behind it, or with ":says TEXT" when it logs a line
        with TEXT in it. May be repeated.
    crash_at
        Let the executor of this step die once, likewise, and another one take over.
    rollback
        Roll back what failed; when nothing fails by itself, the last step does, after its effect.
    fast
        Do not wait for the delays of automatic retries.
    files
        The folder that operations may write to; a temporary one by default.
    secrets
        A JSON object of references and values, such as {"kv:db": "…"}. env: references work without it.
    connections
        A JSON list of connections, as OPSLEDGER_CONNECTIONS_FILE of an executor has it.
    team
        The team of the task: its label `team`.
    output
        table, or json for the whole run (what is told meanwhile goes to stderr).
    """
    if not local:
        raise UsageError(
            "this command runs tasks here: say so with --local",
            next_step=f"on a server: opsledger task create {name} --wait",
        )
    bench.become(
        "run",
        name=name,
        param=param or [],
        params=_params(file),
        fail_at=fail_at or [],
        crash_at=crash_at or [],
        rollback=rollback,
        fast=fast,
        files=files,
        secrets=secrets,
        connections=connections,
        team=team,
        json_output=output != "table",
    )


def _params(file: Path | None) -> dict[str, object]:
    return {} if file is None else ask.parse_object(ask.read_file(file, "-f"), "-f", str(file))
