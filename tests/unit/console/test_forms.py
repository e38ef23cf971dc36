"""Where forms come from, and the addresses in pages."""

import pytest
from starlette.requests import Request

from services.api.access import Principal, Role
from services.api.console.http import address, here, places, same_origin
from services.api.rest.errors import Problem


def asked(path: str = "/tasks", query: str = "", **headers: str) -> Request:
    """A request to `here.example`."""
    given = [(b"host", b"here.example:8080")]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "server": ("here.example", 8080),
            "path": path,
            "query_string": query.encode(),
            "headers": given,
        }
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://here.example:8080"},
        {"sec_fetch_site": "same-origin", "origin": "https://the.name.outside"},
    ],
)
def test_our_own_forms_are_taken(headers: dict[str, str]) -> None:
    """Also through a proxy that asks us under another name, and from what is no browser."""
    same_origin(asked(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://here.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site", "origin": "http://here.example:8080"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": ""},
    ],
)
def test_those_of_others_are_not(headers: dict[str, str]) -> None:
    """Neighbours of the same name, other ports and sandboxes are others too."""
    with pytest.raises(Problem) as refused:
        same_origin(asked(**headers))
    assert refused.value.status == 403


def test_all_state_is_in_the_address() -> None:
    """What changes is changed, what is None goes, the rest stays, repeated and escaped."""
    request = asked(query="q=state%3Afailed&label=a&label=b&cursor=7")

    assert address(request, cursor=None, sort="name & id") == "/tasks?q=state%3Afailed&label=a&label=b&sort=name+%26+id"
    assert address(request, "/oms", q=None, label=None, cursor=None) == "/oms"


def test_here_is_an_address() -> None:
    """One that can be asked for again, whatever letters are in it."""
    assert here(asked("/t/by-key/nightly 1/ä", "by=x")) == "/t/by-key/nightly%201/%C3%A4?by=x"


def test_the_head_leads_where_somebody_may_go() -> None:
    """And says where they are."""
    viewer = Principal(name="vera", role=Role.TASK_VIEWER)
    admin = Principal(name="ada", role=Role.ADMIN)

    shown = [place["href"] for place in places(viewer, "/tasks/7")]
    assert "/people" not in shown
    assert "/audit" not in shown
    assert "/people" in [place["href"] for place in places(admin, "/")]
    assert [place["href"] for place in places(viewer, "/tasks/7") if place["here"]] == ["/tasks"]
    assert places(None, "/login") == []
