"""JSON as strict as it can be: what two readers could understand differently is refused (B6).

Refused: duplicate keys, NaN and infinities (1e999 too), nesting deeper than 32, lone surrogates, a byte order mark,
bytes that are not UTF-8, integers beyond 64 bits. Knows nothing of what the JSON means.
"""

import json
from math import isfinite
from typing import Any, Final

MAX_DEPTH: Final = 32
_BIGGEST = 2**63


class BadJson(Exception):  # noqa: N818  a fact about the body
    """The bytes are not JSON as we read it; the message says where or why."""


def loads(raw: bytes) -> Any:
    """Return the value, or raise `BadJson`."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise BadJson("it starts with a byte order mark")
    try:
        value = _decoder.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise BadJson(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise BadJson(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BadJson(_TOO_DEEP) from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    if b"\\u" in raw:
        _check_text(value)
    return value


_TOO_DEEP = f"nested deeper than {MAX_DEPTH}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadJson(f"the key {json.dumps(twice[:100])} stands twice in one object")
    return found


def _constant(word: str) -> Any:
    raise BadJson(f"{word} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise BadJson("a number is too large")
    return value


def _int(text: str) -> int:
    if len(text) > 20 or not -_BIGGEST <= (value := int(text)) < _BIGGEST:
        raise BadJson("an integer takes more than 64 bits")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for found in level
            for child in (found.values() if isinstance(found, dict) else found if isinstance(found, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BadJson(_TOO_DEEP)


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadJson("a text holds half of a surrogate pair") from None


_decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int)
