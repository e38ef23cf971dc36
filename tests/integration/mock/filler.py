"""A process that fills a table and says so on the way, for tests that kill it. Its only argument is JSON."""

import json
import sys
from threading import Event

from services.executor.mock.fill import Job, Tell, fill
from services.executor.mock.params import TableRule
from services.executor.mock.sessions import session_on
from services.executor.operations.contract import Connection
from services.executor.sql.target import Target


def main() -> None:
    """Fill as attempt 1 of subtask 1/1."""
    told = json.loads(sys.argv[1])
    connection = Connection("shop", told["url"], secrets={"password": told["password"]})
    session = session_on(Target.of(connection), "opsledger mock killed")
    job = Job(TableRule.model_validate(told["table"]), 1, "en", "1/1", first=True)

    def progress(fraction: float, note: str) -> None:
        say(f"{fraction} {note}")

    fill(session, job, Tell(progress, say, Event()))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
