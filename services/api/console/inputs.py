"""Fields with what stands in them and what is wrong with it, ready for a template. Draws no markup."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.api.catalog import Schema
from services.api.console.fields import ABSENT, Field, Kind, Offer
from services.api.console.filling import NONE, Texts, below, count, word
from services.api.invalid import Fault

FEW: Final = 4
"""So many settings that may be left alone stand in the open; more are folded away."""
_MISSING: Final = re.compile(r'"(.+)" is a required property')
_PATTERN: Final = re.compile(r'the value does not match "(.+)"')
_TYPE: Final = re.compile(r'the value is not of type "(\w+)"')
_TYPES: Final = {"integer": "a whole number", "number": "a number", "string": "a text", "boolean": "true or false"}
_VARIANTS: Final = "the value is not valid under any of the schemas"


@dataclass(frozen=True, slots=True)
class Input:
    """One control, or a group of them. `error` is beside it; `list` names the list of what is offered."""

    name: str
    kind: str
    label: str
    hint: str
    required: bool
    text: str = ""
    error: str = ""
    list: str = ""
    lines: int = 1
    number: bool = False
    longest: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    none: str = ""
    """The name of the box that says null, empty where there is none."""
    is_none: bool = False
    inside: tuple["Input", ...] = ()
    more: tuple["Input", ...] = ()
    """Settings of a group that may be left alone."""
    more_open: bool = False
    rows: tuple["Input", ...] = ()

    @property
    def touched(self) -> bool:
        """Whether something in it is wrong."""
        return bool(self.error) or any(one.touched for one in (*self.inside, *self.more, *self.rows))


@dataclass(slots=True)
class Errors:
    """What is wrong, by the name of the field it lies beside."""

    by_name: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    """What belongs to no field."""


def sorted_out(faults: Iterable[Fault], names: Mapping[str, Field | None]) -> Errors:
    """Return the faults by field: what lies deeper than a field belongs to it, a missing value to its own field."""
    errors = Errors()
    for fault in faults:
        missing = _MISSING.fullmatch(fault.message)
        at = below(fault.pointer, missing[1]) if missing else fault.pointer
        owner = _owner(at, names)
        if owner is None:
            errors.others.append(f"{fault.pointer or 'The form'}: {fault.message}")
        elif owner not in errors.by_name:
            errors.by_name[owner] = _told(fault, at, owner, names[owner], missing=missing is not None)
    return errors


def _owner(at: str, names: Mapping[str, Field | None]) -> str | None:
    while at:
        if at in names:
            return at
        at = at.rpartition("/")[0]
    return None


def _told(fault: Fault, at: str, owner: str, one: Field | None, *, missing: bool) -> str:
    if missing and at == owner:
        return "This is needed."
    inside = at.removeprefix(owner + "/") if at != owner else ""
    where = ""
    if inside and one is not None:
        first, _, rest = inside.partition("/")
        where = f"Line {int(first) + 1}: " if one.kind is Kind.LINES and first.isdigit() and not rest else f"{inside}: "
    return where + _sentence(_plain(fault.message, one if not inside else None))


def _plain(message: str, one: Field | None) -> str:
    """Return the validator's words as people say them."""
    if pattern := _PATTERN.fullmatch(message):
        examples = one.schema.get("examples") if one is not None else None
        such = f", such as {word(examples[0])}" if isinstance(examples, list) and examples else ""
        return f"this is not of the form that is needed{such}: {pattern[1]}"
    if kind := _TYPE.fullmatch(message):
        return f"this is not {_TYPES.get(kind[1], kind[1])}"
    return message


def _sentence(text: str) -> str:
    return _ended(text[:1].upper() + text[1:])


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def named(fields: Sequence[Field], texts: Mapping[str, str], base: str) -> dict[str, Field | None]:
    """Return every field that the form has, by its name, as they follow; those of rows once a row."""
    found: dict[str, Field | None] = {}
    for one in (one for part in parted(fields) for one in part):
        at = below(base, one.name)
        found[at] = one
        if one.kind is Kind.GROUP:
            found |= named(one.fields, texts, at)
        if one.kind is Kind.ROWS:
            for place in range(count(texts, at)):
                found[below(at, place)] = None
                found |= named(one.fields, texts, below(at, place))
    return found


def closer(faults: Iterable[Fault], names: Mapping[str, Field | None], value_at: Mapping[str, Any]) -> list[Fault]:
    """Return the faults, those of a value that may be null in the words of what it must be otherwise."""
    found = []
    for fault in faults:
        one = names.get(fault.pointer)
        if one is not None and one.nullable and fault.message.startswith(_VARIANTS) and fault.pointer in value_at:
            wrapped = {"properties": {"v": {key: one.schema[key] for key in one.schema}}}
            defs = {key: one.schema[key] for key in ("$defs", "definitions") if key in one.schema}
            said = Schema(f"field {one.name}", {**wrapped, **defs}).errors({"v": value_at[fault.pointer]}, limit=1)
            found.append(Fault(fault.pointer, said[0][1]) if said else fault)
        else:
            found.append(fault)
    return found


def drawn(fields: Sequence[Field], texts: Texts, errors: Mapping[str, str], base: str) -> tuple[Input, ...]:
    """Return these fields as controls."""
    return tuple(_input(one, texts, errors, below(base, one.name)) for one in fields)


def parted(fields: Sequence[Field]) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """Return the fields to show in the open, and those to fold away: many that may be left alone."""
    needed = tuple(one for one in fields if one.required)
    rest = tuple(one for one in fields if not one.required)
    return (needed, rest) if needed and len(rest) > FEW else ((*needed, *rest), ())


def _input(one: Field, texts: Texts, errors: Mapping[str, str], at: str) -> Input:
    known: dict[str, Any] = {
        "name": at,
        "kind": one.kind.value,
        "label": one.label,
        "hint": _hint(one, texts.get(at, "")),
        "required": one.required,
        "text": texts.get(at, ""),
        "error": errors.get(at, ""),
        "none": NONE + at if one.emptied else "",
        "is_none": NONE + at in texts,
    }
    match one.kind:
        case Kind.GROUP:
            return Input(**known, **_group(one, texts, errors, at))
        case Kind.ROWS:
            rows = tuple(_row(one, texts, errors, below(at, place), place + 1) for place in range(count(texts, at)))
            return Input(**known, rows=rows)
        case Kind.CHOICE:
            return Input(**known, options=_options(one))
        case _:
            lines = {Kind.LONG: 3, Kind.CODE: 12, Kind.LINES: 3, Kind.PAIRS: 3, Kind.JSON: 6}.get(one.kind, 1)
            lines = max(lines, min(texts.get(at, "").count("\n") + 1, 24)) if lines > 1 else 1
            offered = one.offer.value if one.offer is not Offer.NOTHING else ""
            return Input(**known, lines=lines, number=one.numeric, longest=one.longest, list=offered)


def _row(one: Field, texts: Texts, errors: Mapping[str, str], at: str, number: int) -> Input:
    title = f"{_one_of(one.label)} {number}"
    return Input(at, "row", title, "", required=False, error=errors.get(at, ""), **_group(one, texts, errors, at))


def _group(one: Field, texts: Texts, errors: Mapping[str, str], at: str) -> dict[str, Any]:
    shown, folded = parted(one.fields)
    more = drawn(folded, texts, errors, at)
    return {
        "inside": drawn(shown, texts, errors, at),
        "more": more,
        "more_open": any(one.touched for one in more),
    }


def _options(one: Field) -> tuple[tuple[str, str], ...]:
    found = [(word(value), _said(value)) for value in one.choices]
    bare = one.default is ABSENT or one.default is None
    first = [("", "Choose …" if one.required else "not set")] if bare else []
    return (*first, *found)


def _said(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else word(value)


def _hint(one: Field, text: str) -> str:
    """Return the description with how it is written; and with the default, when something else stands there."""
    how = {Kind.LINES: "One a line.", Kind.PAIRS: "One key = value a line.", Kind.JSON: "As JSON."}.get(one.kind, "")
    default = ""
    if one.kind in {Kind.TEXT, Kind.LONG, Kind.CHOICE} and one.default not in (ABSENT, None, ""):
        default = f"Default: {word(one.default)}" if text != word(one.default) else ""
    parts = (_ended(one.hint) if one.hint else "", how, default)
    return " ".join(part for part in parts if part)


def _one_of(label: str) -> str:
    """Return what one of many is called: a table of Tables, a directory of Directories."""
    if label.endswith("ies"):
        return label[:-3] + "y"
    return label[:-1] if label.endswith("s") and not label.endswith("ss") else label
