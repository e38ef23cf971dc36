"""What a nudge may say."""

import json

import pytest

from services.executor.nudge import Drain, Look, read


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"task": 7}, Look(7)),
        ({"task": 7, "more": "of a later version"}, Look(7)),
        ({"drain": True, "by": "ana"}, Drain(on=True, by="ana")),
        ({"drain": False, "by": "ana"}, Drain(on=False, by="ana")),
        ({"drain": True}, Drain(on=True, by="")),
        ({"drain": True, "by": "x" * 9_000}, Drain(on=True, by="x" * 200)),
    ],
)
def test_a_nudge_is_read(said: object, expected: Look | Drain) -> None:
    """A task to look at, or whether to take no new work."""
    assert read(json.dumps(said).encode()) == expected


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"7", b"{}", b'{"task":"7"}', b'{"task":true}', b'{"drain":"yes"}', b"[" * 100_000]
)
def test_what_is_none_is_a_value_error(body: bytes) -> None:
    """And nothing else, so that whoever can publish there ends no executor."""
    with pytest.raises(ValueError, match=r"."):
        read(body)
