"""Types of columns, as the databases spell them, as kinds of values and their bounds."""

import re

from services.executor.mock.schema import Kind, Limits

INTEGERS = {
    "tinyint": 8,
    "smallint": 16,
    "int2": 16,
    "year": 16,
    "mediumint": 24,
    "int": 32,
    "integer": 32,
    "int4": 32,
    "bigint": 64,
    "int8": 64,
}
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"bool", "boolean"),
    (r"(numeric|decimal|dec|money|number)\b", "decimal"),
    (r"(real|float|double)", "float"),
    (
        r"(char|character|varchar|nvarchar|nchar|bpchar|text|citext|clob|name|tinytext|mediumtext|longtext|string)",
        "text",
    ),
    (r"(timestamp|datetime)", "datetime"),
    (r"date", "date"),
    (r"time", "time"),
    (r"interval", "interval"),
    (r"(uuid|guid|uniqueidentifier)", "uuid"),
    (r"jsonb?", "json"),
    (r"(bytea|blob|tinyblob|mediumblob|longblob|binary|varbinary)", "bytes"),
    (r"(inet|cidr)", "inet"),
    (r"macaddr", "mac"),
)
_LENGTH = re.compile(r"\((\d+)(?:\s*,\s*(\d+))?\)")
LONG = 65_535


def kind_of(spelled: str) -> tuple[Kind, Limits]:
    """Return kind and bounds of a type such as `varchar(20)`, `numeric(8,2)`, `int unsigned`."""
    low = spelled.lower().strip()
    sizes = _LENGTH.search(low)
    first = int(sizes.group(1)) if sizes else None
    second = int(sizes.group(2)) if sizes and sizes.group(2) else 0
    if low.endswith("[]"):
        return "array", Limits()
    if low == "tinyint(1)":
        return "boolean", Limits()
    word = re.match(r"[a-z_0-9]*", low)
    bits = INTEGERS.get(word.group(0) if word else "")
    if low.startswith("year"):
        return "integer", Limits(low=1970, high=2069)
    if bits is not None:
        return "integer", _integers(bits, unsigned="unsigned" in low)
    for pattern, kind in _KINDS:
        if re.match(pattern, low):
            return kind, _limits(kind, low, first, second)
    return ("integer", _integers(64, unsigned=False)) if "int" in low and "point" not in low else ("other", Limits())


def _integers(bits: int, *, unsigned: bool) -> Limits:
    return Limits(low=0, high=2**bits - 1) if unsigned else Limits(low=-(2 ** (bits - 1)), high=2 ** (bits - 1) - 1)


def _limits(kind: Kind, low: str, first: int | None, second: int) -> Limits:
    if kind == "decimal":
        if low.startswith("money"):
            return Limits(low=-1e12, high=1e12, scale=2)
        if first is None:
            return Limits(scale=2)
        top = (10**first - 1) / 10**second
        return Limits(low=0 if "unsigned" in low else -top, high=top, scale=second)
    if kind in {"text", "bytes"}:
        short = low.startswith(("char", "bpchar", "character", "binary")) and "varying" not in low
        named = {"tinytext": 255, "tinyblob": 255, "name": 63}.get(low)
        return Limits(
            length=first or named or (1 if short and low in {"char", "character", "bpchar", "binary"} else None)
        )
    return Limits()
