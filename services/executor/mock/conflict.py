"""What a database said, as a fault that a person can act on."""

from services.executor.fault import PermanentFault, TransientFault
from services.executor.sql.target import Target


def conflict(table: str, said: str, key: str = "") -> PermanentFault:
    """Return that a row has a key that is there already."""
    return PermanentFault(
        f"A row for {table} conflicts with one that is there already ({said}); nothing of this table was kept. Use"
        " strategy IGNORE or OVERWRITE, truncate the table, or take another seed.",
        {"kind": "CONFLICT", "table": table, "key": key, "conflicting": 1},
    )


def refused(target: Target, table: str, said: str, code: str, column: str = "") -> PermanentFault:
    """Return that the database did not accept a row or a statement, and will not the next time."""
    where, said = f"{table}.{column}" if column else table, said.rstrip(".")
    return PermanentFault(
        f"{target.where} refused what was made for {where}: {said}. Nothing of this table was kept. Give the column a"
        " rule that fits (min, max, values, pattern), or the user the right that is missing.",
        {"kind": "REFUSED", "table": table, "column": column, "code": code},
    )


def unsteady(target: Target, table: str, said: str, code: str) -> TransientFault:
    """Return that the database could not at this moment."""
    return TransientFault(
        f"{target.where} could not go on with {table}: {said.rstrip('.')}. Nothing of this table was kept unless its"
        " commit had begun; a retry finds out, and writes nothing twice.",
        {"kind": "DATABASE_FAILED", "table": table, "code": code},
    )
