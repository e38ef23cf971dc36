"""What people type into the search box."""

import pytest

from services.api.console.searchbox import QUALIFIERS, BadSearch, parse, with_state


def test_qualifiers_and_words_together() -> None:
    """Qualifiers become filters of the list, what is left is looked for as it stands."""
    assert parse('state:failed,running type:sql.script by:admin since:2h name:"Disks of db-17" billing invoices') == [
        ("state", "failed,running"),
        ("taskType", "sql.script"),
        ("operator", "admin"),
        ("since", "2h"),
        ("name", "Disks of db-17"),
        ("text", "billing invoices"),
    ]


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("object:db-17", [("objectName", "db-17")]),
        ("object:host/db-17", [("objectKind", "host"), ("objectName", "db-17")]),
        ("object:*", []),
        ("label:stage=prod", [("label", "stage:prod")]),
        ("label:stage:prod", [("label", "stage:prod")]),
        ("team:blue", [("label", "team:blue")]),
        ("since:2026-11-21T08:00:00Z", [("createdFrom", "2026-11-21T08:00:00Z")]),
        ("", []),
        ("12:30", [("text", "12:30")]),
    ],
)
def test_each_form(text: str, pairs: list[tuple[str, str]]) -> None:
    """A value may have a form of its own."""
    assert parse(text) == pairs


@pytest.mark.parametrize(
    ("text", "said"),
    [("sate:failed", "no qualifier sate"), ("by:", "by: what"), ('name:"open', "not closed"), ("label:x", "a key")],
)
def test_what_cannot_be_understood_says_why(text: str, said: str) -> None:
    """A wrong word is named, and what to write instead."""
    with pytest.raises(BadSearch, match=said):
        parse(text)


def test_every_qualifier_makes_something() -> None:
    """No suggested qualifier is without an effect."""
    assert all(make("a=b") for make in QUALIFIERS.values())


def test_a_state_takes_the_place_of_another() -> None:
    """The states above the list change the search and leave the rest of it."""
    assert with_state("by:admin state:failed billing", "running") == "state:running by:admin billing"
    assert with_state("by:admin state:failed", None) == "by:admin"
