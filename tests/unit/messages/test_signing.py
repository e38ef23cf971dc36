"""Signatures are what docs/bus.md says, cover everything they should, and dates are understood or refused."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.messages import signing

SUBJECT, DATE, BODY = "commands.create", "2026-11-21T10:00:00+00:00", b"{}"
GOLDEN = "OPSLEDGER-HMAC-SHA256 olk_1:TqaIGIIneYiAonwoLkrF5ftGU/ZW5idnXPl6f2kHl9M="


def test_a_signature_is_what_it_was() -> None:
    """Producers in other languages rely on every byte of it."""
    assert signing.authorization("olk_1", "ols_secret", SUBJECT, DATE, "k", BODY) == GOLDEN


def test_it_fits_this_message_and_no_other() -> None:
    """Secret, subject, date, key and body all count; no key is the same as an empty one."""
    found = signing.parse(GOLDEN)
    assert found is not None
    assert found.access_key == "olk_1"
    assert found.fits("ols_secret", SUBJECT, DATE, "k", BODY)
    for other in (
        ("ols_other", SUBJECT, DATE, "k", BODY),
        ("ols_secret", "commands.delete", DATE, "k", BODY),
        ("ols_secret", SUBJECT, "2026-11-21T10:00:01+00:00", "k", BODY),
        ("ols_secret", SUBJECT, DATE, None, BODY),
        ("ols_secret", SUBJECT, DATE, "k", b"{ }"),
    ):
        assert not found.fits(*other)
    bare = signing.parse(signing.authorization("olk_1", "ols_secret", SUBJECT, DATE, None, BODY))
    assert bare is not None
    assert bare.fits("ols_secret", SUBJECT, DATE, "", BODY)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        *(f"OPSLEDGER-HMAC-SHA256{rest}" for rest in ("", " a", " a:", " a:AAAA")),
        GOLDEN[:-5],
        GOLDEN.lower(),
        *(GOLDEN.replace("olk_1", name) for name in ("", "a b", "x" * 129, "../x", "a:b")),
    ],
)
def test_what_is_no_signature(header: str) -> None:
    """It is refused before any key is looked up."""
    assert signing.parse(header) is None


def test_dates() -> None:
    """ISO 8601 and RFC 1123, with a zone."""
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    for text in (DATE, "2026-11-21T10:00:00Z", "Sat, 21 Nov 2026 10:00:00 GMT", "2026-11-21T12:00:00+02:00"):
        assert signing.signed_at(text) == at
    for text in ("", "yesterday", "2026-11-21T10:00:00", "2026-02-30T10:00:00Z", "Sat, 21 Nov 2026 10:00:00", "1e9"):
        assert signing.signed_at(text) is None
    assert timedelta(minutes=15) == signing.WINDOW
