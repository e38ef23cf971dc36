"""The JSON that the fields of a form mean. Reads what can be read and names what cannot.

Whether it fits is the API's affair. Empty is left out, and so is what is as by default: a body says what its author
decided.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

from services.api.console.fields import ABSENT, Field, Kind
from services.api.console.filling import NONE, below, count, word
from services.api.invalid import Fault, Invalid
from services.api.strict_json import BadJson, loads

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def read(fields: Sequence[Field], texts: Mapping[str, str], base: str) -> tuple[dict[str, Any], list[Fault]]:
    """Return the object that the texts mean, and what could not be read."""
    faults: list[Fault] = []
    return _object(fields, texts, base, faults), faults


def missing(fields: Sequence[Field], values: Mapping[str, Any], base: str) -> list[Fault]:
    """Return a fault for each value that is needed and not there."""
    return [Fault(below(base, one.name), "this is needed") for one in fields if one.required and one.name not in values]


def readable(faults: Sequence[Fault]) -> None:
    """Raise `Invalid` when there are faults."""
    if faults:
        raise Invalid(faults)


def _object(fields: Sequence[Field], texts: Mapping[str, str], base: str, faults: list[Fault]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for one in fields:
        value = _value(one, texts, below(base, one.name), faults)
        if value is not ABSENT and (one.required or not _same(value, one.default)):
            values[one.name] = value
    return values


def _value(one: Field, texts: Mapping[str, str], at: str, faults: list[Fault]) -> Any:
    if NONE + at in texts:
        return None
    match one.kind:
        case Kind.GROUP:
            inside = _object(one.fields, texts, at, faults)
            return inside if inside or one.required else ABSENT
        case Kind.ROWS:
            rows = [_object(one.fields, texts, below(at, place), faults) for place in range(count(texts, at))]
            return rows if rows or one.required else ABSENT
        case Kind.CHECK:
            return texts.get(at, "") != ""
        case _:
            text = texts.get(at, "").replace("\r\n", "\n")
            return _leaf(one, text, at, faults) if text.strip() else _empty(one)


def _leaf(one: Field, text: str, at: str, faults: list[Fault]) -> Any:
    match one.kind:
        case Kind.CHOICE:
            return next((value for value in one.choices if word(value) == text), text)
        case Kind.LINES:
            return [_scalar(line, one.types) for line in _lines(text)]
        case Kind.PAIRS:
            return _pairs(one, text, at, faults)
        case Kind.JSON:
            return json_of(text, at, faults)
        case Kind.LONG | Kind.CODE:
            return text
        case _:
            return _scalar(text.strip(), one.types)


def _empty(one: Field) -> Any:
    """Return what an empty field means: nothing; but an empty text where that takes a default back."""
    bare = one.default is ABSENT or one.default is None
    free = one.kind in {Kind.TEXT, Kind.LONG} and "string" in one.types
    return ABSENT if bare or not free or "pattern" in one.schema or one.schema.get("minLength") else ""


def _lines(text: str) -> Iterable[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _pairs(one: Field, text: str, at: str, faults: list[Fault]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in _lines(text):
        key, sign, value = (part.strip() for part in line.partition("="))
        if not sign or not key:
            faults.append(Fault(at, "a line has no '=': write one key = value a line"))
        elif key in found:
            faults.append(Fault(at, f"'{key[:80]}' stands twice"))
        found[key] = _scalar(value, one.types)
    return found


def json_of(text: str, at: str, faults: list[Fault]) -> Any:
    """Return the value of a JSON text; what is none is `ABSENT`, and a fault more."""
    try:
        return loads(text.encode())
    except (BadJson, UnicodeEncodeError) as error:
        faults.append(Fault(at, f"this is not JSON: {error}"))
        return ABSENT


def _scalar(text: str, types: frozenset[str]) -> Any:
    """Return the text as the narrowest of these types that it is; the text itself when it is none of them."""
    if types & {"integer", "number"} and _INTEGER.fullmatch(text) and abs(int(text)) < 2**63:
        return int(text)
    if "number" in types and _NUMBER.fullmatch(text) and isfinite(float(text)):
        return float(text)
    return text == "true" if "boolean" in types and text in {"true", "false"} else text


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default; true is not 1, while 80 is 80.0."""
    return isinstance(value, bool) == isinstance(default, bool) and bool(value == default)
