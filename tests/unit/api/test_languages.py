"""Messages in the caller's language: English unless Chinese is wanted more, and never a message that says nothing."""

from typing import Any

import pytest

from services.api.rest.languages import CHINESE, ENGLISH, language, translated


@pytest.mark.parametrize(
    ("accepted", "found"),
    [
        ("zh-CN", CHINESE),
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("ZH", CHINESE),
        ("en-US", ENGLISH),
        ("en;q=0.2, zh;q=0.9", CHINESE),
        ("en, zh", ENGLISH),
        ("fr-FR, zh;q=0.1", CHINESE),
        ("fr", ENGLISH),
        ("*", ENGLISH),
        ("zh;q=0", ENGLISH),
        ("zh;q=nan", ENGLISH),
        ("zh;q=much", ENGLISH),
        (";;,,=", ENGLISH),
        ("x" * 10_000 + ",zh", ENGLISH),
    ],
)
def test_the_most_wanted_language_is_spoken(accepted: str, found: str) -> None:
    """Weights count, regions do not; what is unknown or no header at all is English."""
    assert language(accepted) == found


def asked(accepted: str = "zh-CN", **path: str) -> dict[str, Any]:
    """The scope of a request."""
    headers = [(b"accept-language", accepted.encode())]
    return {"type": "http", "method": "PUT", "headers": headers, "path_params": path}


def test_a_message_names_what_it_is_about() -> None:
    """Ids, states and what is allowed stand in the Chinese message too."""
    target = {"state": "SUCCESSFUL", "allowed": ["delete"]}
    found = translated(asked(task_id="7"), 4007, target, "t")
    assert found is not None
    assert all(word in found for word in ("7", "SUCCESSFUL", "delete"))
    found = translated(asked(task_id="7", subtask_id="70001"), 4007, target, "t")
    assert found is not None
    assert "70001" in found
    assert translated(asked(), 1000, {}, "abc") != translated(asked(), 1000, {}, "def")


def test_what_is_in_no_table_stays_english() -> None:
    """An unknown code has no translation, nor has anything for those who want English."""
    assert translated(asked(), 9999, {}, "t") is None
    assert translated(asked("en-US"), 4001, {}, "t") is None


def test_a_hostile_value_is_data() -> None:
    """Braces in a target are not formatted again, and long values are cut."""
    found = translated(asked(), 1001, {"parameter": "{__class__}" + "x" * 999}, "t")
    assert found is not None
    assert "{__class__}" in found
    assert len(found) < 100
