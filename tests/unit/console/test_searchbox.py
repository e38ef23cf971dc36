"""What people type into the search box."""

import pytest

from services.api.console.searchbox import QUALIFIERS, BadSearch, likely, parse, with_state, write


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
        ("id:7,8", [("ids", "7,8")]),
        ("By:admin", [("operator", "admin")]),
        ("since:2026-11-21T08:00:00Z", [("createdFrom", "2026-11-21T08:00:00Z")]),
        ("since:2026-11-21", [("createdFrom", "2026-11-21T00:00:00Z")]),
        ("until:2026-11-21T08:00", [("createdTo", "2026-11-21T08:00Z")]),
        ("finished:2026-11-21", [("finishedFrom", "2026-11-21T00:00:00Z")]),
        ("", []),
        ('""', []),
        ("12:30", [("text", "12:30")]),
        ("don't", [("text", "don't")]),
        (r"C:\\temp", None),
        ('"http://db-17"', [("text", "http://db-17")]),
        ("text:billing invoices", [("text", "billing invoices")]),
    ],
)
def test_each_form(text: str, pairs: list[tuple[str, str]] | None) -> None:
    """A value may have a form of its own; what is quoted is looked for, whatever it looks like."""
    if pairs is None:
        with pytest.raises(BadSearch, match="quote it"):
            parse(text)
    else:
        assert parse(text) == pairs


def test_by_me_is_who_searches() -> None:
    """A search that is sent to somebody else finds theirs; a name that is `me` elsewhere stays."""
    assert parse("by:me object:me", "ada") == [("operator", "ada"), ("objectName", "me")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sate:failed", "no qualifier sate. Did you mean state:"),
        ("zzz:1", "no qualifier zzz. There are state, "),
        ("by:", "by: what.*such as by:me"),
        ('name:"open', "not closed"),
        ("label:x", "a key"),
    ],
)
def test_what_cannot_be_understood_says_why(text: str, said: str) -> None:
    """A wrong word is named, and what to write instead."""
    with pytest.raises(BadSearch, match=said):
        parse(text)


def test_every_qualifier_makes_what_its_example_says() -> None:
    """No suggested qualifier is without an effect, and every example is one that works."""
    assert all(parse(qualifier.example) for qualifier in QUALIFIERS.values())


def test_a_state_takes_the_place_of_another() -> None:
    """The states above the list change the search and leave the rest of it, quoted words too."""
    assert with_state("by:admin state:failed billing", "running") == "state:running by:admin billing"
    assert with_state("by:admin status:failed", None) == "by:admin"
    assert with_state('name:"in state:x"', "failed", "status") == 'status:failed name:"in state:x"'


def test_what_is_written_is_read_again() -> None:
    """The form's search is one that somebody could have typed."""
    words = [("name", "Disks of db-17"), ("by", "ada"), ("host", ""), ("", "billing http://x")]
    assert write(words) == 'name:"Disks of db-17" by:ada billing "http://x"'
    assert parse(write(words)) == [("name", "Disks of db-17"), ("operator", "ada"), ("text", "billing http://x")]


def test_a_likely_word() -> None:
    """A slip of the keyboard is recognised, something else is not guessed at."""
    assert likely("sql.scrpt", ["sql.script", "host.inspect"]) == "sql.script"
    assert likely("backup", ["sql.script"]) is None
