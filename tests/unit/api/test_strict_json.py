"""Strict JSON: whatever two readers could understand differently is refused, and everything else is what json gives."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.strict_json import MAX_DEPTH, BadJson, loads

_INTEGERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
_LEAVES = st.none() | st.booleans() | _INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max((_depth(child) for child in value.values()), default=0)
    return 1 + max((_depth(child) for child in value), default=0) if isinstance(value, list) else 0


@given(_VALUES)
def test_what_json_writes_is_read_back(value: Any) -> None:
    """Any value of JSON's kinds survives, escaped or not."""
    if _depth(value) <= MAX_DEPTH:
        assert loads(json.dumps(value).encode()) == value
        text = json.dumps(value, ensure_ascii=False)
        assert loads(text.encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(raw: bytes) -> None:
    """No bytes lead to any other error."""
    with suppress(BadJson):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"c":2,"b":3}}',
        b'{"\\u0061":1,"a":2}',
        b"NaN",
        b'{"a":Infinity}',
        b"[-Infinity]",
        b"1e999",
        b"-1e999",
        b"9223372036854775808",
        b"1" * 5000,
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'{"a":"\\ud83d"}',
        b"",
        b"{",
        b'{"a":1}x',
        b"{'a':1}",
        b'{"a":1,}',
        b"\x00",
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    """Duplicate keys, non-numbers, overlong integers, half characters, deep nesting and broken JSON are refused."""
    with pytest.raises(BadJson):
        loads(raw)


def test_nesting_up_to_the_limit_is_read() -> None:
    """Exactly 32 levels are fine, also many shallow ones."""
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert len(loads(b"[" + b",".join([b'{"a":[1]}'] * 1000) + b"]")) == 1000


def test_paired_surrogates_are_a_character() -> None:
    """An escaped pair is one character."""
    assert loads(b'"\\ud83d\\ude00"') == "😀"
