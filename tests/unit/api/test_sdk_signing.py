"""SDK-HMAC-SHA256 against Huawei's own signer: what it signs is accepted, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials  # type: ignore[import-untyped]
from huaweicloudsdkcore.sdk_request import SdkRequest  # type: ignore[import-untyped]
from huaweicloudsdkcore.signer.signer import Signer  # type: ignore[import-untyped]

from services.api.identity.sdk_signing import SdkSigned

AT = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)
SECRET = "ols_a secret with ümlauts"
Query = list[tuple[str, str]]


def signed(
    path: str = "/v2/p/sync-tasks",
    query: Query | None = None,
    body: bytes = b"",
    method: str = "GET",
    content_type: str = "application/json",
    **headers: str,
) -> tuple[dict[str, str], str]:
    """The headers their signer makes, and the address it asks for."""
    request = SdkRequest(
        method=method,
        schema="http",
        host="127.0.0.1:8642",
        resource_path=path,
        query_params=query or [],
        header_params={"X-Sdk-Date": AT.strftime("%Y%m%dT%H%M%SZ"), "Content-Type": content_type, **headers},
        body=body,
    )
    found = Signer(BasicCredentials("olk_1", SECRET, "p")).sign(request)
    return found.header_params, found.uri


def read(headers: dict[str, str], uri: str, method: str = "GET") -> SdkSigned:
    """The request as the server sees it."""
    path, _, query = uri.partition("?")
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return SdkSigned(headers["Authorization"], method, path, query, raw)


@pytest.mark.parametrize(
    ("path", "query", "body", "headers"),
    [
        ("/v2/p/sync-tasks", None, b"", {}),
        ("/v2/p/sync-tasks/", None, b"", {}),
        ("/v2/p/sync-tasks/7/statistics", [("start_time", "1"), ("data_type", "A,B"), ("end_time", "2")], b"", {}),
        ("/v2/p/sync-tasks", [("b", "x y"), ("a", "ä/+&=~"), ("a", "")], b"", {}),
        ("/v2/p%20q/%C3%A4~._-", None, b"", {}),
        ("/v2/p/sync-tasks", None, '{"description":"ä"}'.encode(), {}),
        ("/v2/p/sync-tasks", None, b"{}", {"X-Project-Id": " p ", "User-Agent": "huaweicloud-usdk-python/3.0"}),
        ("/v2/p/sync-tasks", None, b"", {"X-Domain-Id": "ü"}),
        ("/v2/p/sync-tasks", None, b"", {"unsigned_by_their_rule": "x"}),
    ],
)
def test_what_their_signer_signs_is_right(path: str, query: Query | None, body: bytes, headers: dict[str, str]) -> None:
    """Paths, parameters in any order and writing, bodies, headers."""
    found = read(*signed(path, query, body, "POST", **headers), "POST")
    assert found.claimed is not None
    assert found.claimed.access_key == "olk_1"
    assert found.right(SECRET, body)
    assert not found.right(f"{SECRET}x", body)
    assert not found.right(SECRET, body + b" ")


def test_whatever_is_signed_counts() -> None:
    """Another method, path, parameter or header is another request."""
    headers, uri = signed(query=[("a", "1")])
    assert read(headers, uri).right(SECRET, b"")
    assert not read(headers, uri, "HEAD").right(SECRET, b"")
    assert not read(headers, uri.replace("sync-tasks", "sync-task")).right(SECRET, b"")
    assert not read(headers, uri + "&b=1").right(SECRET, b"")
    for name in headers:
        assert name == "Authorization" or not read(headers | {name: headers[name] + "x"}, uri).right(SECRET, b"")


def test_a_signature_must_cover_enough() -> None:
    """Host and date are signed, or it is none; nor is one for a body that its maker did not look at."""
    headers, uri = signed()
    for name in ("host;", ";x-sdk-date"):
        assert name in headers["Authorization"]
        less = headers | {"Authorization": headers["Authorization"].replace(name, "")}
        assert read(less, uri).text(b"") is None
    missing = {name: value for name, value in headers.items() if name != "Content-Type"}
    assert read(missing, uri).text(b"") is None
    form, uri = signed(body=b"a=b", content_type="text/plain")
    assert form["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    assert not read(form, uri).right(SECRET, b"a=b")


def test_a_header_that_comes_twice_counts_as_none() -> None:
    """Which of the two was signed would be a guess."""
    headers, uri = signed()
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    doubled = SdkSigned(headers["Authorization"], "GET", uri, "", [*raw, (b"host", b"127.0.0.1:8642")])
    assert doubled.text(b"") is None


@pytest.mark.parametrize(("apart", "fresh"), [(0, True), (900, True), (-900, True), (901, False), (-901, False)])
def test_a_date_holds_for_a_quarter_of_an_hour(apart: int, fresh: bool) -> None:
    """Either way."""
    headers, uri = signed()
    assert read(headers, uri).fresh(AT + timedelta(seconds=apart)) is fresh


@pytest.mark.parametrize("date", ["", "now", "2026-03-01T08:00:00Z", "20260301T080000", "99999999T999999Z"])
def test_what_is_no_date_is_not_fresh(date: str) -> None:
    """Their form alone."""
    headers, uri = signed()
    assert not read(headers | {"X-Sdk-Date": date}, uri).fresh(AT)


@pytest.mark.parametrize(
    "header",
    [
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=a",
        "SDK-HMAC-SHA256 Access=, SignedHeaders=host, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=" + "0" * 63,
        "SDK-HMAC-SHA256 Access=ä, SignedHeaders=host, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=" + "0" * 64 + ", x",
    ],
)
def test_a_broken_header_claims_nothing(header: str) -> None:
    """And is right for no key."""
    found = SdkSigned(header, "GET", "/", "", [(b"host", b"h")])
    assert found.claimed is None
    assert not found.right(SECRET, b"")
