"""Run the statements of a script in order on one session, as the operation `sql.execute` promises.

Each statement commits by itself unless the script began a transaction. A statement that failed is tried again, then
recorded; what comes then is the caller's choice (ABORT, CONTINUE). What no choice helps against ends the script: a
session that was lost (a new one would know nothing of the old one's transaction, tables and settings), a result set
that cannot be stored, a transaction that the script left open. Refuses to know how statements reach a server.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic_core import to_json

from services.executor.fault import Cancelled, Fault, PermanentFault
from services.executor.operations.contract import Context
from services.executor.sql.driver import Place, StatementFailed
from services.executor.sql.session import Ran, Session
from services.executor.sql.split import Statement
from services.executor.sql.tally import Tally, explained, many, short
from shared.store.objects import ResultsUnavailable

# statements of which nothing is lost when a transaction is rolled back
_HARMLESS: Final = re.compile(
    "SELECT|SHOW|VALUES|TABLE|EXPLAIN|DESCRIBE|DESC|BEGIN|START|SET|USE|SAVEPOINT|RELEASE|DECLARE|FETCH|CLOSE"
)
Cause = Literal["STATEMENT_FAILED", "SESSION_LOST", "RESULT_NOT_STORED", "TRANSACTION_LEFT_OPEN"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the caller wants: rows kept a statement, what a failure means, tries and the seconds between them."""

    query_limit: int
    go_on: bool
    fail_at_end: bool
    retry_times: int
    retry_interval: float


class Script:
    """One run of one script."""

    def __init__(self, ctx: Context, session: Session, statements: list[Statement], rules: Rules, tally: Tally) -> None:
        self._ctx = ctx
        self._session = session
        self._statements = statements
        self._rules = rules
        self._tally = tally
        self._total = len(statements)
        self._size = statements[-1].end
        self._unsaved = False

    async def run(self) -> dict[str, Any]:
        """Return the output. Raises `PermanentFault` with everything done so far in its detail, or `Cancelled`."""
        for statement in self._statements:
            if self._ctx.cancelled.is_set():
                raise Cancelled
            error = await self._perform(statement)
            note = f"{statement.index} of {self._total} statements, {self._tally.failure} failed"
            self._ctx.progress(statement.end / self._size, note)
            if error is not None and not self._rules.go_on:
                raise await self._stop("STATEMENT_FAILED", _failure(statement, self._total, error))
        if self._unsaved:
            left = "The script ended inside a transaction: what it did there is rolled back. End it with COMMIT"
            raise await self._stop("TRANSACTION_LEFT_OPEN", left)
        if self._tally.failure and self._rules.fail_at_end:
            raise await self._stop("STATEMENT_FAILED", f"{many(self._tally.failure, 'statement')} of the script failed")
        return self._tally.output()

    async def _perform(self, statement: Statement) -> StatementFailed | None:
        """Run one statement, with its retries; the failure that stands at the end."""
        tried = 0
        while True:
            before, began = self._session.place(), time.monotonic()
            try:
                ran = await self._session.run(
                    statement.sql,
                    limit=self._rules.query_limit,
                    file=lambda: self._ctx.results.writer(self._file(statement)),
                )
            except StatementFailed as error:
                await self._say_failed(statement, error, began)
                if error.cause == "SESSION_LOST":
                    self._tally.failed(statement, error)
                    said = f"The session was lost during statement {statement.index} of {self._total}: "
                    after = ". Whether that statement took effect is not known; look before you run the script again"
                    raise await self._stop("SESSION_LOST", said + explained(error).rstrip(".") + after) from None
                if tried < self._rules.retry_times and not self._pointless(statement, before):
                    tried += 1
                    await self._wait(statement, tried)
                    continue
                self._note(statement, before)
                self._tally.failed(statement, error)
                return error
            except Cancelled:
                raise
            except (ResultsUnavailable, Fault) as error:
                said = f"The rows of statement {statement.index} of {self._total} could not be stored: {error}"
                raise await self._stop("RESULT_NOT_STORED", said.rstrip(".")) from None
            self._tally.done(statement, ran)
            self._note(statement, before)
            await self._say_done(statement, ran, began)
            if before.aborted and not self._session.place().in_transaction:
                said = f"{statement.index}/{self._total} ended a transaction that had failed: it is rolled back"
                await self._ctx.log.write("WARN", said)
            return None

    def _file(self, statement: Statement) -> str:
        return f"{self._folder}/{statement.index}.jsonl"

    @property
    def _folder(self) -> str:
        ctx = self._ctx
        return f"{ctx.task_id}-{ctx.subtask}-{ctx.generation}-{ctx.attempt}"

    def _note(self, statement: Statement, before: Place) -> None:
        """Keep in mind whether a transaction holds what a rollback would take back."""
        if not self._session.place().in_transaction:
            self._unsaved = False
        elif before.in_transaction and not _HARMLESS.fullmatch(statement.word):
            self._unsaved = True

    def _pointless(self, statement: Statement, before: Place) -> bool:
        """Whether a retry could not mean what the script means: the transaction around the statement is gone."""
        after = self._session.place()
        if not before.in_transaction or (after.in_transaction and not after.aborted):
            return False
        if self._rules.retry_times:
            said = f"{statement.index}/{self._total} is not tried again: its transaction is gone"
            self._ctx.log.warning(said)
        return True

    async def _wait(self, statement: Statement, tried: int) -> None:
        seconds = self._rules.retry_interval
        times = f"{tried} of {self._rules.retry_times}"
        await self._ctx.log.write(
            "WARN", f"{statement.index}/{self._total} will be tried again in {seconds:g} s ({times})"
        )
        try:
            await asyncio.wait_for(self._ctx.cancelled.wait(), seconds)
        except TimeoutError:
            return
        raise Cancelled

    async def _say_done(self, statement: Statement, ran: Ran, began: float) -> None:
        if ran.columns is not None:
            count = f", {many(ran.rows, 'row')} kept" + (" (there were more)" if ran.truncated else "")
        else:
            count = f", {many(ran.affected, 'row')} changed" if ran.affected is not None else ""
        line = f"{statement.index}/{self._total} done in {_ms(began)} ms{count}: {short(statement.sql)}"
        await self._ctx.log.write("INFO", line)
        for notice in ran.notices:
            said = f"{statement.index}/{self._total} the server says: {notice.text}"
            await self._ctx.log.write("WARN" if notice.warning else "INFO", said)
        if ran.extra_sets:
            left = many(ran.extra_sets, "further result set")
            await self._ctx.log.write("WARN", f"{statement.index}/{self._total} gave {left}; only the first is kept")

    async def _say_failed(self, statement: Statement, error: StatementFailed, began: float) -> None:
        head = f"{statement.index}/{self._total} failed after {_ms(began)} ms"
        await self._ctx.log.write("ERROR", f"{head}: {short(statement.sql)}: {explained(error)}")

    async def _stop(self, cause: Cause, message: str) -> PermanentFault:
        """Return the fault that ends the script; everything done so far goes along."""
        brief, whole = self._tally.brief()
        detail: dict[str, Any] = {**brief, "kind": "SQL_FAILED", "cause": cause}
        if not whole:
            try:
                everything = to_json(self._tally.output())
                detail["whole"] = await self._ctx.results.put(f"{self._folder}/output.json", everything)
            except (ResultsUnavailable, Fault) as error:
                lost = f"the full list of failures and results could not be stored: {error}"
                self._ctx.log.warning(lost)
        rolled_back = self._unsaved and cause != "TRANSACTION_LEFT_OPEN"
        detail["rolledBack"] = self._unsaved
        said = f"{message}. {self._tally.said}."
        return PermanentFault(said + (" The open transaction is rolled back." if rolled_back else ""), detail)


def _failure(statement: Statement, total: int, error: StatementFailed) -> str:
    said = explained(error).rstrip(".")[:1000]
    return f"Statement {statement.index} of {total} failed: {said}. It is: {short(statement.sql)}"


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
