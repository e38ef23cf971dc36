"""From a script to its statements, each with its number and where it ends in bytes.

Between `;` sqlparse decides, which knows blocks (`BEGIN … END` of routines and triggers); it sees literals and comments
masked, so that their rules are the dialect's own. Other delimiters are taken literally, outside of literals and
comments: `//`, `$$` and whatever a `DELIMITER` line names anywhere; `/` and `$`, which mean something in SQL, only
where nothing follows them on their line. `DELIMITER x` on a line of its own changes it, as MySQL's client has it.

Takes CPU (two seconds a megabyte): call it on a thread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlparse.engine import FilterStack

from services.executor.fault import PermanentFault
from services.executor.sql.literals import mask
from services.executor.sql.target import Dialect

_DIRECTIVE: Final = re.compile(r"^[ \t]*DELIMITER[ \t]+(\S+)[^\n]*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_AT_LINE_END: Final = ("/", "$")
# what sqlparse would take for the end of a batch, and for the beginning of a block
_GO: Final = re.compile(r"\bGO\b", re.IGNORECASE)
_TRANSACTION: Final = re.compile(
    r"\bBEGIN(?=\s+(?:ISOLATION|READ|DEFERRABLE|NOT\s+DEFERRABLE|CONCURRENT)\b)", re.IGNORECASE
)
_COPY: Final = re.compile(r"\s*COPY\b.*\b(FROM\s+STDIN|TO\s+STDOUT)\b", re.IGNORECASE | re.DOTALL)
_LOCAL: Final = re.compile(r"\s*LOAD\s+(?:DATA|XML)\b.*?\bLOCAL\b", re.IGNORECASE | re.DOTALL)


# statements that never hold a block, whatever their columns are called
_FLAT: Final = re.compile(
    "SELECT|INSERT|UPDATE|DELETE|REPLACE|MERGE|VALUES|WITH|TABLE|SET|SHOW|USE|COMMIT|ROLLBACK|DROP|TRUNCATE|GRANT"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its place in the script from 1, its text, and how many bytes of the script end with it.

    `word` is its first word in capitals.
    """

    index: int
    sql: str
    end: int
    word: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the script: from where to where, the delimiter included, and its masked text without it."""

    begin: int
    end: int
    masked: str


def split(script: str, dialect: Dialect, delimiter: str = ";") -> list[Statement]:
    """Return the statements. Raises `PermanentFault` for an empty script and for what needs a client's own files."""
    found: list[Statement] = []
    place, done = 0, 0
    for piece in _pieces(script, dialect, delimiter):
        done += len(script[place : piece.end].encode("utf-8", "surrogatepass"))
        place = piece.end
        masked = piece.masked.rstrip(" \t\r\n\f;")
        if not masked.strip():
            continue
        sql = script[piece.begin : piece.begin + len(masked)].strip()
        word = _word(masked)
        _refuse(len(found) + 1, masked, word, dialect)
        found.append(Statement(len(found) + 1, sql, done, word))
    if not found:
        raise PermanentFault("The script is empty: there is no statement in it.", {"kind": "SCRIPT_EMPTY"})
    return found


def _pieces(script: str, dialect: Dialect, delimiter: str) -> Iterator[_Piece]:
    """Cut the script where its delimiter changes, and each part by the delimiter that holds there."""
    place = 0
    while place < len(script):
        masked = mask(script[place:], dialect, plain="" if delimiter == ";" else delimiter)
        directive = _DIRECTIVE.search(masked)
        part = masked[: directive.start()] if directive else masked
        cuts = _by_sqlparse(part) if delimiter == ";" else _by_text(part, delimiter)
        for begin, end, after in cuts:
            yield _Piece(place + begin, place + after, masked[begin:end])
        if directive is None:
            return
        place += directive.end()
        delimiter = directive[1]


def _by_sqlparse(masked: str) -> Iterator[tuple[int, int, int]]:
    masked = _TRANSACTION.sub("xxxxx", _GO.sub("xx", masked))
    place = 0
    while place < len(masked):
        split_off: Iterator[Any] = cast("Any", FilterStack)().run(masked[place:])  # sqlparse is half typed
        for statement in split_off:
            text = str(statement)
            inner = text.find(";")
            flat = _FLAT.fullmatch(_word(text)) is not None and 0 <= inner < len(text.rstrip()) - 1
            end = place + (inner + 1 if flat else len(text))
            yield place, end, end
            place = end
            if flat:
                break
        else:
            return


def _by_text(masked: str, delimiter: str) -> Iterator[tuple[int, int, int]]:
    nothing_follows = r"(?=[ \t\r\f]*(?:\n|\Z))" if delimiter in _AT_LINE_END else ""
    place = 0
    for match in re.finditer(re.escape(delimiter) + nothing_follows, masked):
        yield place, match.start(), match.end()
        place = match.end()
    yield place, len(masked), len(masked)


def _word(masked: str) -> str:
    found = re.match(r"\W*(\w*)", masked)
    return found[1].upper() if found else ""


def _refuse(index: int, masked: str, word: str, dialect: Dialect) -> None:
    """Refuse, before anything runs, what would need a file or a stream of the client."""
    if dialect == "postgresql" and word == "COPY" and _COPY.match(masked):
        what = "COPY with STDIN or STDOUT needs a client's stream: use INSERT, or a task of type data.mock"
    elif dialect == "mysql" and word == "LOAD" and _LOCAL.match(masked):
        what = "LOAD DATA LOCAL needs a client's file: use INSERT, or LOAD DATA with a file on the server"
    else:
        return
    raise PermanentFault(
        f"Statement {index} cannot run in a script: {what}. Nothing was executed.",
        {"kind": "STATEMENT_REFUSED", "index": index},
    )
