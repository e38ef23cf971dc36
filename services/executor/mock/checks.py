"""Check constraints as PostgreSQL, SQLite and MariaDB print them: a list of values or a range, if that is all they say.

What is not understood is left alone: the database will say so when a row does not fit, and a rule can help.
"""

import re
from dataclasses import replace

from services.executor.mock.schema import Limits

_QUOTED = r"'(?:[^']|'')*'"
_NUMBER = r"-?\d+(?:\.\d+)?"
_CAST = re.compile(
    r"::\s*(?:\"[^\"]+\"|[a-z_][a-z0-9_]*)(?:\s+(?:varying|precision|with(?:out)? time zone))?"
    r"(?:\(\d+(?:,\d+)?\))?(?:\[\])?",
    re.IGNORECASE,
)
_LIST = re.compile(
    rf"(?:\bIN\s*\(|=\s*ANY\s*\(+\s*ARRAY\s*\[)((?:\s*(?:_utf8mb4)?(?:{_QUOTED}|{_NUMBER})\s*,?)+)[\])]",
    re.IGNORECASE,
)
_INTRODUCER = re.compile(r"\b_[a-z0-9]+(?=\\?')")
"""The character set before a text, as MySQL prints it; that also escapes the quotes."""
_VALUE = re.compile(rf"{_QUOTED}|{_NUMBER}")
_COMPARED = re.compile(rf"(>=|<=|>|<|=)\s*({_NUMBER})$")
_BETWEEN = re.compile(rf"\bBETWEEN\s+({_NUMBER})\s+AND\s+({_NUMBER})", re.IGNORECASE)


def narrowed(limits: Limits, column: str, text: str) -> Limits:
    """Return the limits with what a check that names this one column adds."""
    bare = _CAST.sub("", _INTRODUCER.sub("", text).replace("\\'", "'"))
    outside = re.sub(_QUOTED, "", bare)
    if re.search(r"\b(OR|NOT|CASE|LIKE|REGEXP|length|char_length|lower|upper)\b|~|!", outside, re.IGNORECASE):
        return limits
    if found := _LIST.search(bare):
        values = tuple(_value(part) for part in _VALUE.findall(found.group(1)))
        return replace(limits, values=values if limits.values is None else _both(limits.values, values))
    if between := _BETWEEN.search(bare):
        return _range(limits, float(between.group(1)), float(between.group(2)))
    for part in re.split(r"\bAND\b", bare, flags=re.IGNORECASE):
        clean = re.sub(r"[()`\"\[\]]|\bCHECK\b", " ", part, flags=re.IGNORECASE).strip()
        name = re.match(rf"^{re.escape(column)}\b\s*", clean, re.IGNORECASE)
        if name is None or (compared := _COMPARED.match(clean[name.end() :].strip())) is None:
            return limits
        sign, number = compared.group(1), float(compared.group(2))
        # a strict bound moves by one, or for columns with digits after the point by one of the last digit
        step = 10.0**-limits.scale
        low = number if sign in {">=", "="} else number + step if sign == ">" else None
        high = number if sign in {"<=", "="} else number - step if sign == "<" else None
        limits = _range(limits, low, high)
    return limits


def _value(text: str) -> str | int | float:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return float(text) if "." in text else int(text)


def _both(one: tuple[object, ...], other: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(value for value in one if value in other)


def _range(limits: Limits, low: float | None, high: float | None) -> Limits:
    lows = [value for value in (limits.low, low) if value is not None]
    highs = [value for value in (limits.high, high) if value is not None]
    return replace(limits, low=max(lows, default=None), high=min(highs, default=None))
