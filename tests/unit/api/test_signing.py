"""OCP's signed requests: the text that is signed, byte by byte, and what is not taken for one."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from services.api.identity import signing
from services.api.identity.signing import Signed

DATE = "Wed, 21 Nov 2035 10:00:00 GMT"
AT = datetime(2035, 11, 21, 10, 0, tzinfo=UTC)


def signed(method: str = "GET", path: str = "/api", query: str = "", **headers: str) -> Signed:
    """A request; underscores in names of headers stand for hyphens."""
    found = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    return Signed(method, path, query, found)


def test_the_text_has_every_part_on_a_line() -> None:
    """Method, MD5, Content-Type, Date, Host, the x-ocp headers by name, path and parameters (specification §2.3)."""
    request = signed(
        "POST",
        "/api/v2/tasks/instances",
        "size=5&name=a%20b",
        Host="ocp:8080",
        Date=DATE,
        Content_Type="application/json",
        X_Ocp_Origin="me",
        X_Ocp_A="1",
        X_Other="no",
    )
    assert (request.text(b"{}") or "").split("\n") == [
        "POST",
        "99914B932BD37A50B983C5E7C90AE93B",
        "application/json",
        DATE,
        "ocp:8080",
        "x-ocp-a:1",
        "x-ocp-origin:me",
        "/api/v2/tasks/instances?name=a%20b&size=5",
    ]


def test_what_is_missing_leaves_an_empty_line() -> None:
    """No body, no type, no x-ocp headers, no parameters: the lines stay."""
    assert signed(Date=DATE, Host="h").text(b"") == f"GET\n\n\n{DATE}\nh\n\n/api"


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("status=RUNNING,FAILED", "status=RUNNING%2CFAILED"),
        ("status=RUNNING%2cFAILED", "status=RUNNING%2CFAILED"),
        ("b=1&a=2&a=1", "a=1&a=2&b=1"),
        ("a=x+y", "a=x%20y"),
        ("a=x%2By", "a=x%2By"),
        ("a=~-._", "a=~-._"),
        ("a", "a="),
        ("a=%E5%90%8D", "a=%E5%90%8D"),
        ("a=%FF", "a=%FF"),
        ("a=%zz", "a=%25zz"),
        ("a=1&&b=2", "a=1&b=2"),
    ],
)
def test_parameters_are_signed_in_one_form(sent: str, canonical: str) -> None:
    """However a client's library wrote them into the address."""
    text = signed(query=sent, Date=DATE, Host="h").text(b"")
    assert text is not None
    assert text.endswith(f"/api?{canonical}")


def test_a_signature_is_base64_of_hmac_sha1() -> None:
    """As anybody can compute it."""
    expected = base64.b64encode(hmac.new(b"secret", b"text", hashlib.sha1).digest()).decode()
    assert signing.signature("secret", "text") == expected
    assert signing.matches("secret", "text", expected)
    assert not signing.matches("secret", "text", expected[:-2] + "A=")
    assert not signing.matches("secret", "text", "")


@pytest.mark.parametrize("name", ["Date", "Host", "Content-Type"])
def test_a_header_that_is_signed_may_come_once(name: str) -> None:
    """Else a proxy and we might each read another one."""
    pair = (name.lower().encode(), b"x")
    assert Signed("GET", "/", "", [(b"date", DATE.encode()), (b"host", b"h"), pair, pair]).text(b"") is None


@pytest.mark.parametrize(
    ("minutes", "fresh"), [(0, True), (14.9, True), (-14.9, True), (15.1, False), (-15.1, False), (60 * 24, False)]
)
def test_the_date_is_good_for_a_quarter_of_an_hour(minutes: float, fresh: bool) -> None:
    """Either way of our clock."""
    date = format_datetime(AT + timedelta(minutes=minutes), usegmt=True)
    assert signed(Date=date).fresh(AT) is fresh


@pytest.mark.parametrize("date", ["", "now", "2035-11-21T10:00:00Z", "Wed, 99 Nov 2035 10:00:00 GMT", "ä"])
def test_what_is_no_date_is_not_fresh(date: str) -> None:
    """Nor is a missing one."""
    assert not signed(Date=date).fresh(AT)
    assert not signed().fresh(AT)


@pytest.mark.parametrize(
    "header",
    ["", "Basic abc", *(signing.SCHEME + rest for rest in ("", " ", " a", " a:", " :b", " ä:b"))],
)
def test_what_is_no_signature_claims_nothing(header: str) -> None:
    """Scheme, access key and signature must all be there."""
    assert signing.claimed(header) is None


def test_a_claim_is_read() -> None:
    """Whatever the scheme's case; a signature may end with equal signs."""
    found = signing.claimed("ocp-access-key-hmacsha1 olk_1:abc=")
    assert found is not None
    assert (found.access_key, found.signature) == ("olk_1", "abc=")
