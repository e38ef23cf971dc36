"""Where the literals and comments of a script lie, by the rules of its dialect.

`mask` gives a text of the same length in which what is quoted or commented cannot be taken for SQL: whoever looks for
delimiters and keywords looks there and cuts the original. Anything that is not closed reaches to the end; the server
will complain of it. Refuses to know statements.
"""

import re
from collections.abc import Iterator
from typing import Final

from services.executor.sql.target import Dialect

_DOLLAR: Final = re.compile(r"\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$")
_COMMENT: Final = re.compile(r"/\*|\*/")
_DELIMITER: Final = re.compile(r"^[ \t]*DELIMITER[ \t]+\Z", re.IGNORECASE | re.MULTILINE)
_LINE_END: Final = re.compile(r"\n|$")
_PLAIN: Final = re.compile(r"""[^'"`\[\-#/$]+""")
_NOT_A_LINE: Final = re.compile(r"[^\n]")


def mask(sql: str, dialect: Dialect, *, plain: str = "") -> str:
    """Return `sql` with literals as `'xxx'` and comments as blanks, character for character.

    `plain` is a text that is no literal whatever the dialect says: a delimiter `$$`.
    """
    return "".join(_masked(sql, dialect, plain))


def _masked(sql: str, dialect: Dialect, plain: str) -> Iterator[str]:
    place, end = 0, len(sql)
    while place < end:
        match = _PLAIN.match(sql, place)
        if match:
            yield match[0]
            place = match.end()
            continue
        if plain and sql.startswith(plain, place):
            yield plain
            place += len(plain)
            continue
        after = _literal(sql, place, dialect)
        if after is not None:
            yield _hidden(sql[place:after])
            place = after
            continue
        after = _comment(sql, place, dialect)
        if after is None:
            yield sql[place]
            place += 1
            continue
        executed = dialect == "mysql" and sql.startswith(("/*!", "/*M!"), place)
        yield _hidden(sql[place:after]) if executed else _NOT_A_LINE.sub(" ", sql[place:after])
        place = after


def _hidden(text: str) -> str:
    return f"'{'x' * (len(text) - 2)}'" if len(text) > 1 else "x"


def _literal(sql: str, place: int, dialect: Dialect) -> int | None:
    """Where the literal that begins here ends, or None."""
    sign = sql[place]
    if sign == "$":
        if dialect != "postgresql" or (place and (sql[place - 1].isalnum() or sql[place - 1] in "_$")):
            return None
        tag = _DOLLAR.match(sql, place)
        if tag is None or _DELIMITER.search(sql, max(0, place - 40), place):
            return None
        closing = sql.find(tag[0], tag.end())
        return len(sql) if closing < 0 else closing + len(tag[0])
    if sign == "[":
        closing = sql.find("]", place) if dialect == "sqlite" else -1
        return closing + 1 if closing >= 0 else None
    if sign not in "'\"`" or (sign == "`" and dialect == "postgresql"):
        return None
    escapes = sign != "`" and (dialect == "mysql" or (sign == "'" and _escape_string(sql, place, dialect)))
    return _closed(sql, place, sign, escapes=escapes)


def _escape_string(sql: str, place: int, dialect: Dialect) -> bool:
    """Whether this is PostgreSQL's E'…'."""
    if dialect != "postgresql" or place == 0 or sql[place - 1] not in "eE":
        return False
    return place == 1 or not (sql[place - 2].isalnum() or sql[place - 2] in "_$")


def _closed(sql: str, place: int, sign: str, *, escapes: bool) -> int:
    wanted = (sign, "\\") if escapes else (sign,)
    place += 1
    while True:
        found = [at for at in (sql.find(one, place) for one in wanted) if at >= 0]
        if not found:
            return len(sql)
        place = min(found)
        if sql[place] == "\\" or sql.startswith(sign, place + 1):
            place += 2
        else:
            return place + 1


def _comment(sql: str, place: int, dialect: Dialect) -> int | None:
    """Where the comment that begins here ends, or None."""
    if sql.startswith("/*", place):
        return _block(sql, place, nested=dialect == "postgresql")
    if sql.startswith("--", place):
        # MySQL wants a blank after it: 5--3 is eight there
        begins = dialect != "mysql" or place + 2 >= len(sql) or sql[place + 2].isspace()
    else:
        begins = sql[place] == "#" and dialect == "mysql"
    if not begins:
        return None
    ends = _LINE_END.search(sql, place)
    return ends.start() if ends else len(sql)


def _block(sql: str, place: int, *, nested: bool) -> int:
    depth, place = 1, place + 2
    while match := _COMMENT.search(sql, place):
        place = match.end()
        if match[0] == "*/":
            depth -= 1
        elif nested:
            depth += 1
        if depth == 0:
            return place
    return len(sql)
