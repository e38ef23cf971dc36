"""The command tree, and the one place where errors become words and exit codes.

Responsible for: `opsledger …` as a whole. Refuses to know: what any command does.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError
from rich.text import Text

from opsledger.cli import jobs, join
from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.console import err
from opsledger.cli.task.create import create
from opsledger.cli.task.events import events
from opsledger.cli.task.list import list_tasks
from opsledger.cli.task.logs import logs
from opsledger.cli.task.show import show
from opsledger.cli.task.watch import watch
from opsledger.cli.up import up


def build() -> App:
    """The whole tree, made when asked for: importing this module has no effect."""
    app = App(
        name="opsledger",
        help="Runs operations work and never loses, doubles or mislays it.",
        version=lambda: version("opsledger"),
    )
    app.command(up)
    app.command(join.executor)
    app.command(join.api)
    app.command(jobs.init)

    task = App(name="task", help="Create tasks, and see how they go.")
    task.command(create)
    task.command(list_tasks, name="list")
    task.command(show)
    task.command(watch)
    task.command(logs)
    task.command(events)
    app.command(task)

    projection = App(name="projection", help="The view that lists and pages are read from.")
    projection.command(jobs.rebuild)
    projection.command(jobs.verify)
    app.command(projection)

    token = App(name="token", help="API tokens.")
    token.command(jobs.create_token, name="create")
    app.command(token)
    return app


def run(words: Sequence[str]) -> int:
    """Run one command line; its exit code. Errors are printed on stderr: the cause, then the next step."""
    try:
        answer = build()(list(words), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        _complain(str(error), "opsledger --help, or --help after a command, tells how")
        return Exit.USAGE
    except CliError as error:
        _complain(error.cause, error.next_step)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader has what it wanted; nothing more to say, also not at exit
        return Exit.DONE
    return answer if isinstance(answer, int) else Exit.DONE


def _complain(cause: str, next_step: str | None) -> None:
    console = err()
    console.print(Text.assemble(("error  ", "bad"), cause), soft_wrap=True)
    if next_step:
        console.print(Text.assemble(("next   ", "label"), next_step), soft_wrap=True)


def main() -> None:
    """The entry point of the `opsledger` program."""
    sys.exit(run(sys.argv[1:]))
