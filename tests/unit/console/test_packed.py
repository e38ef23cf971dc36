"""Packing answers."""

import gzip

import pytest
from starlette.requests import Request

from services.api.console.packed import LEAST, packed, takes_gzip

LONG = b"opsledger " * LEAST


def asked(accepts: str | None) -> Request:
    """A request that accepts this coding."""
    headers = [(b"accept-encoding", accepts.encode())] if accepts is not None else []
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "deflate,GZIP", "gzip; q=1"])
def test_gzip_is_taken(accepted: str) -> None:
    """When it is named with any weight."""
    assert takes_gzip(accepted)


@pytest.mark.parametrize("accepted", ["", "br", "*", "gzip;q=0", "gzip; q=0.000", "xgzip"])
def test_gzip_is_not_taken(accepted: str) -> None:
    """When it is not named, or refused."""
    assert not takes_gzip(accepted)


def test_what_is_long_is_packed() -> None:
    """And says that it may differ for others, beside what differs already."""
    answer = packed(asked("gzip"), LONG, 200, {"Vary": "Cookie"}, "text/html")

    assert gzip.decompress(bytes(answer.body)) == LONG
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Cookie, Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize(("accepts", "body"), [(None, LONG), ("gzip", b"short")])
def test_the_rest_goes_as_it_is(accepts: str | None, body: bytes) -> None:
    """Short answers, and those to clients that did not ask."""
    answer = packed(asked(accepts), body, 200, {}, "text/html")

    assert bytes(answer.body) == body
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"
