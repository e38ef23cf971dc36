"""How many made-up rows a second one executor puts into a PostgreSQL on the same machine, as `data.mock.table` does it.

Five columns (name, address, city, amount, moment) and a key of the database's own, through COPY, batches of 200, one
transaction. The clock runs from the connection to the end of the commit. Median of three.
"""

import time
from threading import Event

import psycopg
from sqlalchemy import URL

from benchmarks.figures import median, rate
from benchmarks.report import VALUE, per_s
from benchmarks.run import Run
from services.executor.mock.fill import Job, Tell, fill
from services.executor.mock.params import TableRule
from services.executor.mock.sessions import session_on
from services.executor.operations.contract import Connection
from services.executor.sql.target import Target
from tests.support import postgres

TIMES = 3
_TABLE = """
CREATE TABLE people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(80) NOT NULL,
  email varchar(80) NOT NULL, city text, balance numeric(10,2) NOT NULL, created_at timestamptz NOT NULL)"""


def measure(run: Run) -> None:
    """Fill a table, where a PostgreSQL can be had."""
    try:
        with postgres.shared() as server, postgres.fresh_database(server) as url:
            _measure(run, url)
    except postgres.NoPostgres as reason:
        run.report.fact("made-up rows", f"{'none':>{VALUE}}          {reason}")


def _measure(run: Run, url: URL) -> None:
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute(_TABLE)
    place = f"postgresql://{url.username}@{url.host}:{url.port}/{url.database}"
    target = Target.of(Connection("benchmark", place, secrets={"password": str(url.password)}))
    rows = run.sizes.mock_rows
    seconds, own = [], []
    child = postgres.chosen().startswith("child process")
    with run.report.watching(alone=child):
        for number in range(TIMES):
            began, busy = time.perf_counter(), time.thread_time()
            _fill(target, rows, number)
            seconds.append(time.perf_counter() - began)
            own.append(time.thread_time() - busy)
    run.figures.mock_rows_per_s = rate(rows, median(seconds))
    micros = median(own) / rows * 1e6
    how = f"{rows:,} of five columns, COPY; {micros:.1f} µs of a core each here, the rest is the server's"
    run.report.row("made-up rows", per_s(run.figures.mock_rows_per_s), how)


def _fill(target: Target, rows: int, number: int) -> None:
    session = session_on(target, "benchmark mock")
    try:
        rule = TableRule.model_validate({"table": "people", "total": rows})
        job = Job(rule, seed=number, locale="en", subtask=f"0/{number}", first=True)
        fill(session, job, Tell(progress=lambda _fraction, _note: None, info=lambda _text: None, stop=Event()))
    finally:
        session.close()
