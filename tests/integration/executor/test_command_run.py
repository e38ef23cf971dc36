"""`command.run` against real programs: environment, input, output, exit codes, limits."""

import asyncio
import os
from typing import Any

import pytest

from opsledger.kit import Cancelled, ExecutorPolicy, PermanentFault, TransientFault
from opsledger.testing import Ran
from services.executor.operations.command_run import CommandRun
from tests.support.descendants import alive, mark
from tests.support.eventually import eventually


async def test_the_output_holds_what_a_command_said(run_operation: Any) -> None:
    """Exit code, both streams and the time come back; lines are logged at their levels as they come."""
    ran = await run_operation(CommandRun(), {"argv": ["sh", "-c", "echo out; echo err >&2"]})

    seconds = ran.output.pop("duration_seconds")
    assert ran.output == {"exit_code": 0, "stdout": "out\n", "stderr": "err\n", "truncated": False}
    assert 0 <= seconds < 10
    assert {("INFO", "out"), ("WARN", "err")} <= {(line.level, line.text) for line in ran.lines}


async def test_a_failure_says_how_in_one_line(run_operation: Any) -> None:
    """The message has the exit code and the last line of stderr, and a retry may help."""
    ran = Ran()

    with pytest.raises(TransientFault) as caught:
        await run_operation(
            CommandRun(), {"argv": ["sh", "-c", "echo one >&2; echo 'disk  full' >&2; exit 3"]}, into=ran
        )

    assert caught.value.message == "sh exited with 3: disk full"
    assert caught.value.detail["exit_code"] == 3
    assert "one" in ran.log


async def test_expected_codes_are_success(run_operation: Any) -> None:
    """`diff` and `grep` use 1 to say something; whoever plans them says so."""
    ran = await run_operation(CommandRun(), {"argv": ["sh", "-c", "exit 1"], "expect": [0, 1]})

    assert ran.output["exit_code"] == 1


async def test_a_command_killed_by_a_signal_fails(run_operation: Any) -> None:
    """Death by a signal is told as such."""
    with pytest.raises(TransientFault, match="sh was killed by signal 11"):
        await run_operation(CommandRun(), {"argv": ["sh", "-c", "kill -SEGV $$"]})


async def test_the_environment_is_what_the_policy_and_the_plan_say(
    run_operation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inherited names are an allow-list, the plan adds literal values, and the token comes along."""
    monkeypatch.setenv("OPSLEDGER_NATS_URL", "nats://user:password@host")
    monkeypatch.setenv("VISIBLE_ONE", "yes")
    policy = ExecutorPolicy(env_allow=("PATH", "VISIBLE_*"))

    ran = await run_operation(CommandRun(), {"argv": ["env"], "env": {"MINE": "a b"}}, policy=policy, generation=4)

    seen = dict(line.split("=", 1) for line in ran.output["stdout"].splitlines())
    assert seen == {"PATH": os.environ["PATH"], "VISIBLE_ONE": "yes", "MINE": "a b", "TASK_TOKEN": "1/1/4"}


async def test_no_shell_reads_the_arguments(run_operation: Any) -> None:
    """Arguments arrive as they are, whatever a shell would make of them (S9)."""
    odd = ["; rm -rf /", "$(id)", "`id`", "a\nb", "-rf", "*", ""]

    ran = await run_operation(CommandRun(), {"argv": ["printf", "[%s]", *odd]})

    assert ran.output["stdout"] == "".join(f"[{item}]" for item in odd)


async def test_upstream_outputs_come_by_standard_input(run_operation: Any) -> None:
    """`stdin: {"upstreams": true}` is a JSON object by upstream key, and stdout can be parsed back."""
    ran = await run_operation(
        CommandRun(),
        {"argv": ["cat"], "stdin": {"upstreams": True}, "parse": "json", "log_stdout": "NONE"},
        upstreams={"disks": {"used": 4}, "none": None},
    )

    assert ran.output["data"] == {"disks": {"used": 4}, "none": None}
    assert ran.output["stdout"] == ""
    assert not any("disks" in line for line in ran.log)


@pytest.mark.parametrize("printed", ["{", "NaN", "", '{"a": Infinity}'])
async def test_what_is_not_json_is_a_permanent_fault(run_operation: Any, printed: str) -> None:
    """A command that promised JSON and printed something else will do so again."""
    with pytest.raises(PermanentFault, match="stdout is not JSON"):
        await run_operation(CommandRun(), {"argv": ["printf", "%s", printed], "parse": "json"})


async def test_long_output_keeps_head_and_tail(run_operation: Any) -> None:
    """The output says how much is missing in the middle; the log has all of it."""
    ran = await run_operation(
        CommandRun(), {"argv": ["sh", "-c", "echo first; seq 100000; echo last"], "keep_bytes": 1000}
    )

    text = ran.output["stdout"]
    assert ran.output["truncated"]
    assert text.startswith("first\n1\n2\n")
    assert text.endswith("100000\nlast\n")
    assert "bytes left out …]" in text
    assert len(text) < 1_100
    assert len(ran.log) == 100_003


async def test_the_log_limit_is_said_once_and_the_command_goes_on(run_operation: Any) -> None:
    """Past the limit the log ends with one line, and the command still ends well."""
    policy = ExecutorPolicy(output_limit_bytes=100_000)

    ran = await run_operation(CommandRun(), {"argv": ["sh", "-c", "yes | head -c 50000000"]}, policy=policy)

    assert ran.output["exit_code"] == 0
    assert sum("output limit" in line for line in ran.log) == 1
    assert sum(map(len, ran.log)) < 110_000


async def test_the_executors_own_python_is_a_word(run_operation: Any) -> None:
    """`@python` is the interpreter of the executor, which finds this project's own modules even with -I."""
    argv = ["@python", "-I", "-c", "import services.executor, sys; print(sys.flags.isolated)"]

    ran = await run_operation(CommandRun(), {"argv": argv})

    assert ran.output["stdout"] == "1\n"


async def test_a_cancel_ends_the_tree(run_operation: Any) -> None:
    """A cancelled command is reported as cancelled, and its children are dead."""
    name, cancelled, ran = mark(), asyncio.Event(), Ran()
    script = "sh -c 'sleep 100' $1 & echo up; wait"
    running = asyncio.create_task(
        run_operation(CommandRun(), {"argv": ["sh", "-c", script, "sh", name]}, cancelled=cancelled, into=ran)
    )
    await eventually(lambda: "up" in ran.log)

    cancelled.set()
    with pytest.raises(Cancelled, match="sh was stopped"):
        await running

    assert alive(name) == []


@pytest.mark.parametrize(
    "params",
    [
        {"argv": []},
        {"argv": ["a\0b"]},
        {"argv": ["x" * 40_000]},
        {"argv": ["true"], "env": {"TASK_TOKEN": "1/1/1"}},
        {"argv": ["true"], "env": {"OPSLEDGER_POOL": "x"}},
        {"argv": ["true"], "env": {"a=b": "x"}},
        {"argv": ["true"], "cwd": "relative"},
        {"argv": ["true"], "shell": True},
        {"argv": "true; false"},
        {"argv": ["true"], "expect": []},
        {"argv": ["true"], "stdin": {"upstreams": False}},
    ],
)
def test_bad_parameters_are_refused(params: dict[str, Any]) -> None:
    """What cannot be run safely is refused before anything starts."""
    with pytest.raises(PermanentFault, match=r"parameters of command\.run do not fit"):
        CommandRun().parse(params)
