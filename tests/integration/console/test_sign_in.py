"""Signing in to a running API: cookies, forms, strangers, and what the log says about them."""

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs

from services.api.access import Role
from services.api.console.session import COOKIE
from tests.integration.api.harness import PASSWORD, ServedApi, plan, served
from tests.integration.console.signed import HTML, Person, with_user
from tests.support.nats_server import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")
RIGHT = {"name": "admin", "password": PASSWORD}


async def test_the_cookie_is_no_scripts_and_no_other_sites(api: ServedApi) -> None:
    """HttpOnly, SameSite, the whole server, and Secure behind a proxy that speaks TLS; the secret is in no page."""
    async with api.client(headers=HTML) as http:
        plain = await http.post("/login", data=RIGHT)
        behind = await http.post("/login", data=RIGHT, headers={"X-Forwarded-Proto": "https"})
        http.cookies.set(COOKIE, behind.cookies[COOKIE])
        page = await http.get("/help")

    given = plain.headers["set-cookie"]
    assert given.startswith(f"{COOKIE}=")
    assert "; Path=/; " in given
    assert given.endswith("; HttpOnly; SameSite=Lax")
    assert behind.headers["set-cookie"].endswith("; HttpOnly; SameSite=Lax; Secure")
    assert page.status_code == 200
    assert behind.cookies[COOKIE].partition(".")[2] not in page.text


async def test_a_wrong_password_says_so_and_opens_nothing(api: ServedApi) -> None:
    """The same words whether there is such a user or not; the name stays, the password does not; the log names who."""
    async with api.client(headers=HTML) as http:
        with capture_logs() as logs:
            wrong = await http.post("/login", data={"name": "admin", "password": "correct cow"})
            unknown = await http.post("/login", data={"name": "<b>x", "password": "correct cow"})

    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert "There is no such user, or the password is another one." in wrong.text
    assert 'value="admin"' in wrong.text
    assert "correct cow" not in wrong.text
    assert "&lt;b&gt;x" in unknown.text
    assert "set-cookie" not in wrong.headers
    assert "www-authenticate" not in wrong.headers
    assert [line["who"] for line in logs if line["event"] == "denied"] == ["user admin", "unknown user"]


@pytest.mark.parametrize(
    ("wanted", "led"),
    [
        ("/tasks?q=state%3Afailed#L12", "/tasks?q=state%3Afailed#L12"),
        ("https://evil.example/", "/tasks"),
        ("//evil.example/", "/tasks"),
        ("/\\evil.example/", "/tasks"),
        ("/\t/evil.example/", "/tasks"),
        ("javascript:alert(1)", "/tasks"),
        ("/tasks\r\nSet-Cookie: a=b", "/tasks"),
        ("", "/tasks"),
    ],
)
async def test_nobody_is_led_elsewhere(api: ServedApi, wanted: str, led: str) -> None:
    """What a link says of where to go after signing in counts only inside of this server."""
    async with api.client(headers=HTML) as http:
        answer = await http.post("/login", data={**RIGHT, "next": wanted})

    assert (answer.status_code, answer.headers["location"]) == (303, led)
    assert answer.headers.get_list("set-cookie")[0].startswith(COOKIE)


async def test_another_site_signs_nobody_in(api: ServedApi) -> None:
    """Else its visitors would work under a name of its own."""
    async with api.client(headers=HTML) as http:
        foreign = await http.post("/login", data=RIGHT, headers={"Origin": "https://evil.example"})
        crossed = await http.post("/login", data=RIGHT, headers={"Sec-Fetch-Site": "cross-site"})
        garbled = await http.post("/login", content="&".join(f"a{n}=1" for n in range(20)))

    assert [answer.status_code for answer in (foreign, crossed, garbled)] == [403, 403, 400]
    assert not http.cookies


async def test_signing_in_anew_ends_the_session_before(api: ServedApi) -> None:
    """A cookie that somebody planted, or kept, is worth nothing afterwards."""
    async with Person(api) as person:
        before = person.http.cookies[COOKIE]
        await person.sign_in()
        async with api.client(headers={**HTML, "Cookie": f"{COOKIE}={before}"}) as thief:
            answer = await thief.get("/help")

    assert answer.status_code == 303


async def test_too_many_failures_are_a_page_that_says_when_to_try_again(nats_server: NatsServer, tmp_path: Any) -> None:
    """Guessing passwords and guessing cookies count alike."""
    limited = served(nats_server.url, f"sqlite:///{tmp_path}/view.db", login_failures_per_minute=4)
    async with limited as api, api.client(headers=HTML) as http:
        passwords = [(await http.post("/login", data={"name": "admin", "password": "x"})).status_code for _ in range(2)]
        cookies = [await http.get("/tasks", headers={"Cookie": f"{COOKIE}=a{n}.b"}) for n in range(3)]
        page = await http.post("/login", data=RIGHT)
        again = await http.get("/tasks", headers={"Cookie": f"{COOKIE}=a0.b"})

    assert passwords == [401, 401]
    assert [answer.status_code for answer in cookies] == [303, 303, 429]
    assert "Too many failed logins from this address." in cookies[-1].text
    assert page.status_code == 429
    assert 0 < int(page.headers["retry-after"]) <= 15
    assert "Too many failed logins from this address." in page.text
    assert "Sign in" in page.text
    assert again.status_code == 303


async def test_many_at_once_with_the_right_password_are_no_guesses(nats_server: NatsServer, tmp_path: Any) -> None:
    """A program that begins with many requests side by side is not taken for somebody who guesses."""
    limited = served(nats_server.url, f"sqlite:///{tmp_path}/view.db", login_failures_per_minute=4)
    async with limited as api:
        answers = await asyncio.gather(*(api.admin.get("/api/v2/me") for _ in range(40)))

    assert {answer.status_code for answer in answers} == {200}


async def test_a_browser_is_never_challenged(api: ServedApi) -> None:
    """Its own window for names and passwords would open over our page; programs are told how to log in."""
    async with api.client() as http:
        stream = await http.get("/live/tasks/1", headers={"Accept": "text/event-stream", "Sec-Fetch-Mode": "cors"})
        ended = await http.get("/api/v2/me", headers={"Cookie": f"{COOKIE}=aaaa.b"})
        program = await http.get("/api/v2/me")

    assert [answer.status_code for answer in (stream, ended, program)] == [401, 401, 401]
    assert [answer.headers["www-authenticate"].split()[0] for answer in (stream, ended, program)] == [
        "Session",
        "Session",
        "Basic",
    ]


async def test_who_sends_a_form_after_the_session_ended_comes_back_to_it(api: ServedApi) -> None:
    """By way of the sign-in page, whatever the form was; what another site names does not count."""
    async with api.client(headers=HTML) as http:
        ours = await http.post("/theme", headers={"Referer": f"{api.url}/tasks/7?view=list"})
        other = await http.post("/theme", headers={"Referer": "https://evil.example/tasks/7"})

    assert (ours.status_code, other.status_code) == (303, 303)
    assert parse_qs(urlsplit(ours.headers["location"]).query) == {"next": ["/tasks/7?view=list"]}
    assert other.headers["location"] == "/login"


async def test_the_log_names_whose_form_was_refused(api: ServedApi) -> None:
    """A denial of somebody who is signed in has the user's name, as everywhere."""
    async with await with_user(api, "vera", Role.TASK_VIEWER) as vera:
        with capture_logs() as logs:
            answer = await vera.http.post("/theme", data={"csrf": "none", "theme": "dark"})

    assert answer.status_code == 403
    assert [line["who"] for line in logs if line["event"] == "denied"] == ["vera"]


async def test_theme_and_keys_stay_with_the_browser(api: ServedApi) -> None:
    """And lead back to where they were chosen."""
    async with Person(api) as person:
        dark = await person.post("/theme", theme="dark", next="/help?a=b")
        answer = await person.get("/help")
        drawn = answer.text
        auto = await person.post("/theme", theme="mauve", next="//evil.example")
        keys = await person.post("/keys", keys="off")
        without = (await person.get("/help")).text
        await person.post("/keys", keys="on")
        with_keys = (await person.get("/help")).text

    assert (dark.status_code, dark.headers["location"]) == (303, "/help?a=b")
    assert answer.status_code == 200
    assert '<html lang="en" data-theme="dark">' in drawn
    assert auto.headers["location"] == "/tasks"
    assert keys.headers["location"] == "/help"
    assert '<html lang="en">' in without
    assert 'data-keys="off"' in without
    assert 'data-keys="off"' not in with_keys


async def test_short_links_lead_to_a_task(api: ServedApi) -> None:
    """By number with what else the link says, and by idempotency key: one's own, or another creator's."""
    made = await api.create(plan(), **{"Idempotency-Key": "nightly/2026-11-21 a"})
    async with Person(api) as admin, await with_user(api, "tina", Role.TASK_VIEWER, ["blue"]) as tina:
        number = await admin.get(f"/t/{made['id']}?view=list")
        key = await admin.get("/t/by-key/nightly/2026-11-21%20a")
        named = await admin.get("/t/by-key/nightly/2026-11-21%20a?by=admin")
        other = await admin.get("/t/by-key/nightly/2026-11-21%20a?by=tina")
        hidden = await tina.get("/t/by-key/nightly/2026-11-21%20a?by=admin")
        unknown = await tina.get("/t/by-key/none?by=admin")

    assert (number.status_code, number.headers["location"]) == (303, f"/tasks/{made['id']}?view=list")
    assert [(answer.status_code, answer.headers["location"]) for answer in (key, named)] == [
        (303, f"/tasks/{made['id']}")
    ] * 2
    assert [answer.status_code for answer in (other, hidden, unknown)] == [404, 404, 404]
    assert _said(hidden.text) == _said(unknown.text)


async def test_files_are_kept_for_ever_and_pages_never(api: ServedApi) -> None:
    """A file's address changes with the file; a page shows what one person may see."""
    async with Person(api) as person:
        page = await person.get("/help")
        found = re.search(r'href="(/static/[0-9a-f]{12}/style\.css)"', page.text)
        assert found is not None
        style = await person.get(found[1])
        old = await person.get("/static/000000000000/style.css")
        outside = await person.get("/static/000000000000/..%2fpages.py")

    assert page.headers["cache-control"] == "no-store"
    assert (page.headers["content-encoding"], page.headers["vary"]) == ("gzip", "Cookie, Accept-Encoding")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert (style.headers["content-encoding"], style.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert "immutable" in style.headers["cache-control"]
    assert (old.status_code, outside.status_code) == (404, 404)


def _said(page: str) -> str:
    """A page's text without what differs each time."""
    return re.sub(r'trace id <span class="mono">\w+|value="[^"]+"', "", page)
