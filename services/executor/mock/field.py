"""One column by itself: its rule, its generator, and whether they fit. Knows no other column."""

from dataclasses import dataclass
from difflib import get_close_matches

from services.executor.fault import PermanentFault
from services.executor.mock.choose import chosen
from services.executor.mock.generators import GENERATORS, SPECIAL, shortened
from services.executor.mock.params import ColumnRule
from services.executor.mock.schema import Kind, Table
from services.executor.mock.spaces import Space
from services.executor.mock.wanted import Wanted

_FITS: dict[Kind, tuple[str, ...]] = {
    "integer": ("integer", "boolean"),
    "decimal": ("decimal", "integer", "float"),
    "float": ("float", "decimal", "integer"),
    "boolean": ("boolean",),
    "date": ("date",),
    "time": ("time",),
    "datetime": ("datetime", "date"),
    "interval": ("interval",),
    "uuid": ("uuid",),
    "json": ("json",),
    "bytes": ("bytes",),
    "inet": ("ip",),
    "mac": ("mac",),
    "array": ("array",),
}
_NO_TEXT = ("bytes", "array")
_ANY = ("choice", "pattern")


@dataclass(frozen=True, slots=True)
class Made:
    """A column that is filled: what it is, under which name, and its values."""

    wanted: Wanted
    generator: str
    space: Space


def check_names(table: Table, rules: dict[str, ColumnRule]) -> None:
    """Refuse rules for columns that are not there."""
    known = [column.name for column in table.columns]
    for name in rules:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean '{near[0]}'?" if near else f" It has {', '.join(known[:20])}."
            raise PermanentFault(
                f"Table {table.label} has no column '{name}'.{hint}",
                {"kind": "NO_SUCH_COLUMN", "table": table.label, "column": name},
            )


def made(wanted: Wanted, *, unique: bool) -> Made | None:
    """Return how the column is filled, or None when it is left to the database."""
    column, rule = wanted.column, wanted.rule
    name, builder = rule.generator or "", GENERATORS.get(rule.generator or "")
    if not name:
        name, builder = chosen(wanted, unique=unique)
    elif builder is None:
        near = get_close_matches(name, [*GENERATORS, *SPECIAL], 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise wanted.unfit(f"there is no generator '{name}'.{hint} There are {', '.join(sorted(GENERATORS))}.")
    elif column.kind in _FITS and name not in (*_FITS[column.kind], *_ANY):
        raise wanted.unfit(f"generator '{name}' does not fit its type; {', '.join((*_FITS[column.kind], *_ANY))} do.")
    if column.kind == "text" and name in _NO_TEXT:
        raise wanted.unfit(f"generator '{name}' gives no text.")
    if builder is None:
        if column.nullable or column.has_default:
            return None
        raise wanted.unfit("no generator knows this type: give it values or a pattern.")
    return Made(wanted, name, _narrow(wanted, shortened(wanted, builder(wanted))))


def _narrow(wanted: Wanted, space: Space) -> Space:
    length = wanted.column.limits.length
    if space.size < 1:
        raise wanted.unfit("there is no value that it could take; change min, max or values.")
    if length is None or wanted.column.kind != "text" or wanted.rule.values is not None:
        return space
    longest = max(len(str(value)) for value in space.take((0, space.size // 2, space.size - 1)))
    if longest <= length:
        return space
    if wanted.rule.generator is None:
        return GENERATORS["token"](wanted)
    raise wanted.unfit(f"generator '{wanted.rule.generator}' gives {longest} characters, the column keeps {length}.")
