"""Where statements end: delimiters, literals and comments of each dialect, blocks, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.fault import PermanentFault
from services.executor.sql.literals import mask
from services.executor.sql.split import split
from services.executor.sql.target import Dialect

CASES: list[tuple[str, Dialect, str, str, list[str]]] = [
    ("plain", "postgresql", ";", "SELECT 1; SELECT 2;\n", ["SELECT 1", "SELECT 2"]),
    ("last without", "sqlite", ";", "SELECT 1;\nSELECT 2", ["SELECT 1", "SELECT 2"]),
    ("text", "sqlite", ";", "SELECT 'a;b', 'it''s;'; SELECT 2", ["SELECT 'a;b', 'it''s;'", "SELECT 2"]),
    ("backslash is text", "postgresql", ";", r"SELECT 'C:\'; SELECT 'x'", [r"SELECT 'C:\'", "SELECT 'x'"]),
    ("backslash escapes", "mysql", ";", r"SELECT 'it\'s; x'; SELECT 2", [r"SELECT 'it\'s; x'", "SELECT 2"]),
    ("E string", "postgresql", ";", r"SELECT E'it\'s; x'; SELECT 2", [r"SELECT E'it\'s; x'", "SELECT 2"]),
    ("names", "mysql", ";", "SELECT `a;b`; SELECT 2", ["SELECT `a;b`", "SELECT 2"]),
    ("quoted names", "postgresql", ";", 'SELECT 1 AS "a;b"; SELECT 2', ['SELECT 1 AS "a;b"', "SELECT 2"]),
    ("brackets", "sqlite", ";", "SELECT 1 AS [a;b]; SELECT 2", ["SELECT 1 AS [a;b]", "SELECT 2"]),
    ("array", "postgresql", ";", "SELECT a[1]; SELECT ';'", ["SELECT a[1]", "SELECT ';'"]),
    ("dollar", "postgresql", ";", "DO $$ BEGIN x; END $$; SELECT 1", ["DO $$ BEGIN x; END $$", "SELECT 1"]),
    ("tag", "postgresql", ";", "SELECT $a$ ;$$; $a$; SELECT 1", ["SELECT $a$ ;$$; $a$", "SELECT 1"]),
    ("no tag", "mysql", ";", "SELECT a$b$; SELECT 2", ["SELECT a$b$", "SELECT 2"]),
    ("line comment", "postgresql", ";", "SELECT 1 -- ; no\n; SELECT 2", ["SELECT 1", "SELECT 2"]),
    ("minus minus", "mysql", ";", "SELECT 5--3; SELECT 2", ["SELECT 5--3", "SELECT 2"]),
    ("hash", "mysql", ";", "SELECT 1 # ; no\n; SELECT 2", ["SELECT 1", "SELECT 2"]),
    ("nested", "postgresql", ";", "/* a /* ; */ ; */ SELECT 1; SELECT 2", ["/* a /* ; */ ; */ SELECT 1", "SELECT 2"]),
    ("not nested", "mysql", ";", "/* a /* ; */ SELECT 1; SELECT 2", ["/* a /* ; */ SELECT 1", "SELECT 2"]),
    ("conditional", "mysql", ";", "/*!50001 SET x = 1 */; SELECT 2", ["/*!50001 SET x = 1 */", "SELECT 2"]),
    (
        "trigger",
        "sqlite",
        ";",
        "CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END; SELECT 4",
        ["CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 3; END", "SELECT 4"],
    ),
    ("transaction", "sqlite", ";", "BEGIN IMMEDIATE; SELECT 1; END", ["BEGIN IMMEDIATE", "SELECT 1", "END"]),
    ("isolation", "postgresql", ";", "BEGIN READ ONLY; SELECT 1; COMMIT", ["BEGIN READ ONLY", "SELECT 1", "COMMIT"]),
    ("column begin", "mysql", ";", "SELECT begin FROM t; SELECT 2", ["SELECT begin FROM t", "SELECT 2"]),
    ("column go", "mysql", ";", "SELECT 1 AS go; SELECT 2", ["SELECT 1 AS go", "SELECT 2"]),
    ("slash", "mysql", "/", "SELECT 4/2\n/\nSELECT 2; SELECT 3 /\n", ["SELECT 4/2", "SELECT 2; SELECT 3"]),
    ("slashes", "mysql", "//", "SELECT 1// SELECT '//'//", ["SELECT 1", "SELECT '//'"]),
    ("dollar sign", "mysql", "$", "SELECT a$b FROM t $\nSELECT 2$", ["SELECT a$b FROM t", "SELECT 2"]),
    ("dollars", "mysql", "$$", "SELECT 1$$ SELECT '$$' $$", ["SELECT 1", "SELECT '$$'"]),
    ("dollars in PG", "postgresql", "$$", "SELECT 1$$ SELECT $a$ $$ $a$ $$", ["SELECT 1", "SELECT $a$ $$ $a$"]),
    (
        "directive",
        "mysql",
        ";",
        "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\ndelimiter ;\nCALL p();",
        ["CREATE PROCEDURE p() BEGIN SELECT 1; END", "CALL p()"],
    ),
    ("directive with $$", "postgresql", ";", "DELIMITER $$\nSELECT 1; $$ SELECT 2 $$", ["SELECT 1", "SELECT 2"]),
    (
        "directive in a text",
        "mysql",
        ";",
        "SELECT '\nDELIMITER //\n'; SELECT 2",
        ["SELECT '\nDELIMITER //\n'", "SELECT 2"],
    ),
    ("unclosed", "postgresql", ";", "SELECT 1; SELECT 'open; x", ["SELECT 1", "SELECT 'open; x"]),
]


@pytest.mark.parametrize(
    ("dialect", "delimiter", "script", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_statements_end_where_the_server_would_say(
    dialect: Dialect, delimiter: str, script: str, expected: list[str]
) -> None:
    """Each statement is found, numbered in order, and its place lies within the script."""
    found = split(script, dialect, delimiter)

    assert [statement.sql for statement in found] == expected
    assert [statement.index for statement in found] == list(range(1, len(expected) + 1))
    ends = [statement.end for statement in found]
    assert ends == sorted(set(ends))
    assert ends[-1] <= len(script.encode())


@pytest.mark.parametrize("script", [" ", ";", "-- nothing", "/* nothing */ ;; -- more\n", "DELIMITER //\n"])
def test_script_without_statements_is_refused(script: str) -> None:
    """Comments and delimiters alone are no script."""
    with pytest.raises(PermanentFault, match="empty"):
        split(script, "postgresql")


@pytest.mark.parametrize(
    "script",
    ["COPY t FROM STDIN", "copy t (a)\nfrom\nstdin with csv", "/* x */ COPY t FROM STDIN", "COPY t TO STDOUT"],
)
def test_copy_of_a_client_is_refused(script: str) -> None:
    """Whatever it is written like, and the number of the statement is said."""
    with pytest.raises(PermanentFault, match="Statement 2 cannot run"):
        split(f"SELECT 1; {script};", "postgresql")


def test_what_only_looks_like_it_is_not_refused() -> None:
    """COPY from a file of the server is the server's business; a text is a text; a table may have the name."""
    script = "COPY t FROM '/tmp/STDIN'; SELECT 'COPY t FROM STDIN'; SELECT copy FROM stdin"

    assert len(split(script, "postgresql")) == 3


def test_progress_counts_bytes() -> None:
    """Letters of two bytes count two, and blanks after the last statement belong to it."""
    assert [statement.end for statement in split("SELECT 'é';SELECT 1;  ", "postgresql")] == [12, 23]


SIGNS = st.text(alphabet="a1 ;'\"`$/*-#\\[]\nE(", max_size=60)


@given(script=SIGNS, dialect=st.sampled_from(["sqlite", "postgresql", "mysql"]))
def test_mask_keeps_every_character_in_its_place(script: str, dialect: Dialect) -> None:
    """Whatever is thrown at it, a mask is as long as its script."""
    assert len(mask(script, dialect)) == len(script)


@given(script=SIGNS, dialect=st.sampled_from(["sqlite", "postgresql", "mysql"]), delimiter=st.sampled_from(list(";/$")))
def test_nothing_of_a_script_is_lost(script: str, dialect: Dialect, delimiter: str) -> None:
    """The statements stand in the script, in order, and do not overlap."""
    place = 0
    try:
        found = split(script, dialect, delimiter)
    except PermanentFault:
        return
    for statement in found:
        at = script.find(statement.sql, place)
        assert at >= 0
        place = at + len(statement.sql)
