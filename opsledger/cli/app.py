"""The command tree, and the one place where errors become words and exit codes.

Responsible for: `opsledger …` as a whole. Refuses to know: what any command does.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from opsledger.cli import audit, jobs, join
from opsledger.cli.failure import CliError, Exit
from opsledger.cli.look.errors import complain
from opsledger.cli.people import token, user
from opsledger.cli.people.whoami import whoami
from opsledger.cli.target import connection, secret
from opsledger.cli.task import act
from opsledger.cli.task.create import create
from opsledger.cli.task.events import events
from opsledger.cli.task.list import list_tasks
from opsledger.cli.task.logs import logs
from opsledger.cli.task.results import results
from opsledger.cli.task.results_download import download
from opsledger.cli.task.show import show
from opsledger.cli.task.watch import watch
from opsledger.cli.type import author
from opsledger.cli.type.list import list_types
from opsledger.cli.up import up

_ABOUT = """Runs operations work and never loses, doubles or mislays it.

Output that is piped has neither colour nor cut lines; NO_COLOR is obeyed.
"""
_CODES = """
Exit codes: 0 done, 1 failed or refused, 2 wrong command line or nobody to ask, 130 interrupted; of a task that is
waited for: 0 done, 1 failed, 3 cancelled, 4 rolled back, 124 wait timed out. A service or a job: 3 when the log is
older than the view.
"""


def build() -> App:
    """The whole tree, made when asked for: importing this module has no effect."""
    app = App(
        name="opsledger",
        help=_ABOUT,
        help_epilogue=_CODES,
        version=lambda: version("opsledger"),
    )
    app.register_install_completion_command(help="Complete commands and options on Tab, in this shell from now on.")
    app.command(up)
    app.command(join.executor)
    app.command(join.api)
    app.command(jobs.init)
    app.command(_tasks())
    app.command(_types())
    app.command(_audit())
    for one in (*_people(), *_targets()):
        app.command(one)
    app.command(whoami)

    projection = App(name="projection", help="The view that lists and pages are read from.")
    projection.command(jobs.rebuild)
    projection.command(jobs.verify)
    app.command(projection)
    return app


def _tasks() -> App:
    task = App(name="task", help="Create tasks, see how they go, and steer them.")
    for one in (create, show, watch, logs, events, results, download):
        task.command(one)
    task.command(list_tasks, name="list")
    for one in act.commands():
        task.command(one, alias="pass" if one.__name__ == "skip" else None)
    return task


def _types() -> App:
    found = App(name="type", help="Task types and operations: what there is, and how to try your own.")
    found.command(list_types, name="list")
    for one in (author.lint, author.plan, author.run):
        found.command(one)
    return found


def _audit() -> App:
    found = App(name="audit", help="Who commanded what, when, why, and what was answered.")
    found.default(audit.audit)
    found.command(audit.verify)
    return found


def _people() -> list[App]:
    tokens = App(name="token", help="What programs log in with.")
    tokens.command(token.create)
    tokens.command(token.list_tokens, name="list")
    tokens.command(token.revoke)
    users = App(name="user", help="People who log in by name.")
    users.command(user.add)
    users.command(user.list_users, name="list")
    users.command(user.set_role)
    users.command(user.password)
    users.command(user.remove)
    return [tokens, users]


def _targets() -> list[App]:
    connections = App(name="connection", help="The targets that operations name.")
    connections.command(connection.add)
    connections.command(connection.list_connections, name="list")
    connections.command(connection.remove)
    secrets = App(name="secret", help="What operations get in with; values go in and never come out.")
    secrets.command(secret.set_secret, name="set")
    secrets.command(secret.list_secrets, name="list")
    secrets.command(secret.remove)
    return [connections, secrets]


def run(words: Sequence[str]) -> int:
    """Run one command line; its exit code. Errors are printed on stderr: the cause, then the next step."""
    try:
        answer = build()(list(words), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(str(error), "opsledger --help, or --help after a command, tells how")
        return Exit.USAGE
    except CliError as error:
        complain(error.cause, error.next_step)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader has what it wanted; nothing more to say, also not at exit
        return Exit.DONE
    return answer if isinstance(answer, int) else Exit.DONE


def main() -> None:
    """The entry point of the `opsledger` program."""
    sys.exit(run(sys.argv[1:]))
