"""What came of a script so far: counts, failure records and result sets, within what a commit can hold."""

import time
from typing import Any, Final

from pydantic_core import to_json

from services.executor.sql.driver import StatementFailed
from services.executor.sql.session import Ran
from services.executor.sql.split import Statement

MAX_RECORDS: Final = 200
MAX_RESULTS: Final = 1000
RECORD_CHARACTERS: Final = 2000
SHOWN_CHARACTERS: Final = 200
DETAIL_BYTES: Final = 48 * 1024
"""How large the detail of a failure may be; what is larger goes into a result file."""


class Tally:
    """Counts what statements did; `output` is what the subtask keeps."""

    def __init__(self, dialect: str, connection: str, statements: int) -> None:
        self._head = {"kind": "sql", "dialect": dialect, "connection": connection, "statements": statements}
        self._began = time.monotonic()
        self._records: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []
        self._results_left_out = False
        self.statements = statements
        self.success = 0
        self.failure = 0

    @property
    def said(self) -> str:
        """The counts in words."""
        left = self.statements - self.success - self.failure
        return f"{self.success} of {many(self.statements, 'statement')} done, {self.failure} failed, {left} not run"

    def done(self, statement: Statement, ran: Ran) -> None:
        """Count a statement that ran to its end, and its result set."""
        self.success += 1
        if ran.columns is None:
            return
        if len(self._results) == MAX_RESULTS:
            self._results_left_out = True
            return
        self._results.append(
            {
                "index": statement.index,
                "sql": short(statement.sql),
                "columns": [{"name": column.name, "type": column.type} for column in ran.columns],
                "rows": ran.rows,
                "truncated": ran.truncated,
                "file": ran.reference,
            }
        )

    def failed(self, statement: Statement, error: StatementFailed) -> None:
        """Count a statement that failed, and keep the first 200 of them."""
        self.failure += 1
        if len(self._records) < MAX_RECORDS:
            said = explained(error)[:RECORD_CHARACTERS]
            self._records.append(
                {"index": statement.index, "sql": statement.sql[:RECORD_CHARACTERS], "error": said, "code": error.code}
            )

    def output(self) -> dict[str, Any]:
        """Return everything that is kept of the script."""
        kept = {
            **self._head,
            "success": self.success,
            "failure": self.failure,
            "records": self._records,
            "recordsTruncated": self.failure > len(self._records),
            "results": self._results,
            "durationMs": round((time.monotonic() - self._began) * 1000),
        }
        if self._results_left_out:
            kept["resultsTruncated"] = True
        return kept

    def brief(self) -> tuple[dict[str, Any], bool]:
        """Return what fits into the detail of a failure, and whether that is everything."""
        output = self.output()
        if len(to_json(output)) <= DETAIL_BYTES:
            return output, True
        records = _first(self._records, DETAIL_BYTES // 2)
        results = _first(self._results, DETAIL_BYTES // 2)
        output["records"], output["results"] = records, results
        output["recordsTruncated"] = self.failure > len(records)
        output["resultsTruncated"] = self._results_left_out or len(results) < len(self._results)
        return output, False


def explained(error: StatementFailed) -> str:
    """What the server said, with its code."""
    return f"{error.message} [{error.code}]" if error.code else error.message


def many(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def short(sql: str) -> str:
    """The beginning of a statement on one line."""
    line = " ".join(sql[: 4 * SHOWN_CHARACTERS].split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"


def _first(entries: list[dict[str, Any]], budget: int) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for entry in entries:
        budget -= len(to_json(entry)) + 1
        if budget < 0:
            break
        kept.append(entry)
    return kept
