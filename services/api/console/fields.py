"""From a JSON schema to the fields of a form: what can be drawn, and a JSON field for what cannot.

What is not understood of a schema becomes JSON, which the API checks as it checks everything. Draws nothing and reads
no form.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from services.api.console import schemas
from services.api.console.schemas import Schema

DEEP: Final = 4
"""So many groups within each other are drawn; what lies deeper is JSON."""
LONG: Final = 2_000
"""A text that may be this long gets several lines."""
CODE: Final = 10_000
"""One that may be this long is a script."""
UNITS: Final = {"seconds": "seconds", "percent": "percent", "ms": "ms", "bytes": "bytes", "minutes": "minutes"}
_SHORT: Final = {"sql": "SQL", "id": "ID", "uid": "UID", "url": "URL", "cpu": "CPU", "ip": "IP", "json": "JSON"}


class Kind(StrEnum):
    """How a field is drawn."""

    TEXT = "text"
    LONG = "long"
    CODE = "code"
    CHECK = "check"
    CHOICE = "choice"
    LINES = "lines"
    """A list: one value a line."""
    PAIRS = "pairs"
    """A map: `key = value`, one a line."""
    ROWS = "rows"
    """A list of groups."""
    GROUP = "group"
    JSON = "json"


class Offer(StrEnum):
    """What is offered as values of a text, from what this installation has."""

    NOTHING = ""
    CONNECTION = "connection"
    SECRET = "secret"  # noqa: S105  what a field holds a reference to
    POOL = "pool"


class Absent:
    """Stands where there is no value; `null` is one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter. `types` are the scalar types a text may be read as; `fields` those of a group, or of a row."""

    name: str
    kind: Kind
    label: str
    hint: str = ""
    required: bool = False
    nullable: bool = False
    default: Any = ABSENT
    types: frozenset[str] = frozenset()
    choices: tuple[Any, ...] = ()
    fields: tuple["Field", ...] = ()
    offer: Offer = Offer.NOTHING
    longest: int | None = None
    schema: Schema = field(default_factory=dict)
    """What a value must fit, null aside."""

    @property
    def numeric(self) -> bool:
        """Whether numbers alone fit."""
        return bool(self.types) and self.types <= {"integer", "number"}

    @property
    def emptied(self) -> bool:
        """Whether null means something else than leaving it out."""
        return self.nullable and self.default is not None and self.default is not ABSENT


def fields_of(schema: Schema, leave_out: Sequence[str] = ()) -> tuple[Field, ...] | None:
    """Return the fields of an object's schema, or None when it has to be written as JSON as a whole."""
    top = schemas.plain(schema, schema)
    if "properties" not in top or schemas.mixed(top):
        return None
    return tuple(one for one in _properties(top, schema, 0) if one.name not in leave_out)


def _properties(schema: Schema, root: Schema, depth: int) -> Iterator[Field]:
    needed = schema.get("required")
    required = {one for one in needed if isinstance(one, str)} if isinstance(needed, list) else set()
    for name, found in schemas.mapping(schema.get("properties")).items():
        yield _field(str(name), found, root, depth, required=name in required)


def _field(name: str, found: Any, root: Schema, depth: int, *, required: bool) -> Field:
    outer = schemas.plain(found, root)
    inner, nullable = schemas.without_null(outer, root)
    text = outer.get("description") or inner.get("description") or ""
    drawn = Field(
        name=name,
        kind=Kind.JSON,
        label=label(name, outer.get("title") or inner.get("title")),
        hint=str(text) if inner.get("type") != "object" or "description" in outer else "",
        required=required,
        nullable=nullable,
        default=outer.get("default", inner.get("default", ABSENT)),
        schema={
            **inner,
            "$defs": schemas.mapping(root.get("$defs")),
            "definitions": schemas.mapping(root.get("definitions")),
        },
    )
    return _shaped(drawn, inner, root, depth)


def _shaped(drawn: Field, schema: Schema, root: Schema, depth: int) -> Field:
    """Return the field with its kind, by the first rule that fits."""
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(choices, list) and choices:
        return replace(drawn, kind=Kind.CHOICE, choices=tuple(choices))
    types = schemas.scalar_types(schema, root)
    if types == {"boolean"}:
        plain = not drawn.nullable and (drawn.required or isinstance(drawn.default, bool))
        kind = Kind.CHECK if plain else Kind.CHOICE
        return replace(drawn, kind=kind, types=types, choices=() if plain else (True, False))
    if types:
        return _text(drawn, schema, types)
    match schema.get("type"):
        case "object" if not schemas.mixed(schema):
            return _object(drawn, schema, root, depth)
        case "array":
            return _list(drawn, schema, root, depth)
        case _:
            return drawn


def _text(drawn: Field, schema: Schema, types: frozenset[str]) -> Field:
    longest = schema.get("maxLength")
    longest = longest if isinstance(longest, int) else None
    kind = Kind.TEXT
    if "string" in types and "pattern" not in schema:
        room = longest or 0
        kind = Kind.CODE if room >= CODE else Kind.LONG if room >= LONG or drawn.name == "description" else Kind.TEXT
    return replace(drawn, kind=kind, types=types, longest=longest, offer=_offer(drawn, schema, types))


def _offer(drawn: Field, schema: Schema, types: frozenset[str]) -> Offer:
    """Return what to offer: the schema's format says it, or the name and the description do."""
    if types != {"string"}:
        return Offer.NOTHING
    if schema.get("format") in [Offer.SECRET, Offer.CONNECTION, Offer.POOL]:
        return Offer(schema["format"])
    if drawn.name == "pool":
        return Offer.POOL
    said = drawn.hint.lower()
    named = drawn.name == "connection" or drawn.name.endswith("_connection")
    return Offer.CONNECTION if named or re.search(r"\bthe connection (to|of)\b", said) else Offer.NOTHING


def _object(drawn: Field, schema: Schema, root: Schema, depth: int) -> Field:
    properties = schemas.mapping(schema.get("properties"))
    if properties and depth < DEEP:
        return replace(drawn, kind=Kind.GROUP, fields=tuple(_properties(schema, root, depth + 1)))
    patterns = [*schemas.mapping(schema.get("patternProperties")).values()]
    rest = schema.get("additionalProperties")
    values = [schemas.plain(one, root) for one in [*patterns, *([rest] if isinstance(rest, Mapping) else [])]]
    types = [schemas.scalar_types(one, root) for one in values]
    if properties or not types or not all(types):
        return drawn
    return replace(drawn, kind=Kind.PAIRS, types=frozenset().union(*types))


def _list(drawn: Field, schema: Schema, root: Schema, depth: int) -> Field:
    items = schemas.plain(schema.get("items"), root)
    types = schemas.scalar_types(items, root)
    if types:
        return replace(drawn, kind=Kind.LINES, types=types)
    if items.get("type") == "object" and "properties" in items and not schemas.mixed(items) and depth < DEEP - 1:
        return replace(drawn, kind=Kind.ROWS, fields=tuple(_properties(items, root, depth + 1)))
    return drawn


def label(name: str, title: Any = None) -> str:
    """Return what a field is called: its own title, or its name in words, with its unit behind it in brackets."""
    words = name.replace("-", "_").split("_")
    if isinstance(title, str) and title and title != " ".join(words).title():
        return title[:100]
    unit = f" ({UNITS[words[-1]]})" if len(words) > 1 and words[-1] in UNITS else ""
    text = " ".join(_SHORT.get(word, word) for word in (words[:-1] if unit else words))
    return (text[:1].upper() + text[1:] if text else name) + unit
