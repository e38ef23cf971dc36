"""Users and tokens on the console of a running API."""

import re
from html import unescape

import pytest

from services.api.access import Role
from services.api.console.session import COOKIE
from tests.integration.api.harness import PASSWORD, ServedApi
from tests.integration.console.signed import HTML, LONG_PASSWORD, Person, with_user

pytestmark = pytest.mark.asyncio(loop_scope="module")
FRESH = "another horse battery staple"
ALERT = re.compile(r'role="alert">([^<]*)<')


def errors(page: str) -> dict[str, str]:
    """What a form says is wrong, by field."""
    return {name: unescape(text) for name, text in re.findall(r'class="error" id="about-(\w+)">([^<]*)<', page)}


async def test_a_user_is_made_changed_and_removed(api: ServedApi) -> None:
    """With role and teams as REST shows them."""
    fields = {"name": "una", "password": LONG_PASSWORD, "role": "TASK_VIEWER", "teams": " red, blue ,"}
    async with Person(api) as admin:
        made = await admin.post("/people/user", **fields)
        listed = (await admin.get("/people")).text
        changed = await admin.post("/people/users/una", role="TASK_OPERATOR", teams="")
        shown = (await api.admin.get("/api/v2/users")).json()["data"]["contents"]
        removed = await admin.post("/people/users/una/remove")
        gone = await admin.get("/people/users/una")

    assert (made.status_code, made.headers["location"]) == (303, "/people")
    assert '<tr id="user-una">' in listed
    assert "blue, red" in listed
    assert changed.status_code == 303
    assert [(one["role"], one.get("teams")) for one in shown if one["name"] == "una"] == [("TASK_OPERATOR", None)]
    assert (removed.status_code, gone.status_code) == (303, 404)


async def test_what_is_wrong_is_said_beside_what_was_typed(api: ServedApi) -> None:
    """Everything at once; what was typed stays, but for the password."""
    fields = {"name": "a b", "password": "short-1", "role": "TASK_VIEWER", "teams": "red, red"}
    async with Person(api) as admin:
        answer = await admin.post("/people/user", **fields)
        taken = await admin.post("/people/user", name="admin", password=LONG_PASSWORD, role="ADMIN", teams="")
        teams = await admin.post("/people/user", name="ann", password=LONG_PASSWORD, role="ADMIN", teams="red")
        nothing = await admin.post("/people/user")

    assert answer.status_code == 422
    assert errors(answer.text) == {
        "name": "Letters, digits and . _ - only, a letter or digit first.",
        "password": "It should have at least 12 characters.",
        "teams": "A team is named twice.",
    }
    assert 'value="red, red"' in answer.text
    assert "short-1" not in answer.text
    assert (taken.status_code, ALERT.findall(taken.text)) == (409, ["There is a user admin already."])
    assert teams.status_code == 422
    assert "An ADMIN sees every team" in ALERT.findall(teams.text)[0]
    assert set(errors(nothing.text)) == {"name", "password", "role"}


async def test_the_last_admin_stays(api: ServedApi) -> None:
    """Neither demoted nor removed."""
    async with Person(api) as admin:
        demoted = await admin.post("/people/users/admin", role="TASK_VIEWER", teams="")
        removed = await admin.post("/people/users/admin/remove")

    assert [answer.status_code for answer in (demoted, removed)] == [409, 409]
    assert ALERT.findall(demoted.text) == ["admin is the only ADMIN; make another one first."]


async def test_a_removed_user_is_out_at_once(api: ServedApi) -> None:
    """And one with another role may do what that role may, in the same session."""
    async with await with_user(api, "olga", Role.AUDIT_VIEWER) as olga, Person(api) as admin:
        before = await olga.get("/me")
        await admin.post("/people/users/olga", role="TASK_VIEWER", teams="")
        after = await olga.get("/me")
        await admin.post("/people/users/olga/remove")
        gone = await olga.get("/me")

    assert "read, audit" in before.text
    assert "audit" not in after.text.lower()
    assert (gone.status_code, gone.headers["location"]) == (303, "/login?next=%2Fme")


async def test_ones_own_password_is_changed_with_the_old_one(api: ServedApi) -> None:
    """It ends every other session; the browser that changed it stays signed in. Nobody else's can be changed."""
    async with await with_user(api, "pia", Role.TASK_VIEWER) as pia, Person(api, "pia", LONG_PASSWORD) as elsewhere:
        path = "/people/users/pia/password"
        wrong = await pia.post(path, old="wrong horse battery", password=FRESH, again=FRESH)
        differs = await pia.post(path, old=LONG_PASSWORD, password=FRESH, again=FRESH + "!")
        right = await pia.post(path, old=LONG_PASSWORD, password=FRESH, again=FRESH)
        here, there = await pia.get("/me"), await elsewhere.get("/me")
        others = await pia.post("/people/users/admin/password", password=FRESH, again=FRESH)
    async with Person(api, "pia", FRESH) as anew:
        assert (await anew.get("/me")).status_code == 200

    assert (wrong.status_code, errors(wrong.text)) == (422, {"old": "This is not the present password."})
    assert errors(differs.text) == {"again": "This is another one."}
    assert (right.status_code, right.headers["location"]) == (303, "/me")
    assert (here.status_code, there.status_code, others.status_code) == (200, 303, 403)


async def test_an_admin_changes_a_password_without_it(api: ServedApi) -> None:
    """Whoever forgot it gets in again; sessions with the old one have ended."""
    async with await with_user(api, "quin", Role.TASK_VIEWER) as quin, Person(api) as admin:
        form = (await admin.get("/people/users/quin/password")).text
        answer = await admin.post("/people/users/quin/password", password=FRESH, again=FRESH)
        out = await quin.get("/me")
    async with Person(api, "quin", FRESH) as anew:
        assert COOKIE in anew.http.cookies

    assert 'name="old"' not in form
    assert (answer.status_code, out.status_code) == (303, 303)


async def test_a_token_is_shown_once(api: ServedApi) -> None:
    """It opens the API; no page has it afterwards; once revoked it opens nothing."""
    async with Person(api) as admin:
        made = await admin.post(
            "/people/token", name="deploy-bot", role="TASK_OPERATOR", teams="red", days="30", pair="yes"
        )
        token = re.findall(r'value="(ol_[^"]+)"', made.text)[0]
        key = re.findall(r'Access key <input class="mono" value="([^"]+)"', made.text)[0]
        listed = (await admin.get("/people")).text
        token_id = token.split("_")[1]
        async with api.client(headers={"Authorization": f"Bearer {token}"}) as program:
            who = (await program.get("/api/v2/me")).json()["data"]
            revoked = await admin.post(f"/people/tokens/{token_id}/revoke")
            after = await program.get("/api/v2/me")
        again = await admin.post(f"/people/tokens/{token_id}/revoke")

    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    assert who == {"name": "deploy-bot", "role": "TASK_OPERATOR", "teams": ["red"], "permissions": ["read", "operate"]}
    assert "Secret key" in made.text
    assert token not in listed
    assert f'<tr id="token-{token_id}">' in listed
    assert token_id in key
    assert (revoked.status_code, after.status_code, again.status_code) == (303, 401, 404)


async def test_a_token_lasts_as_long_as_it_should(api: ServedApi) -> None:
    """Nothing but a number of days, or never."""
    async with Person(api) as admin:
        wrong = [
            (await admin.post("/people/token", name="x", role="TASK_VIEWER", teams="", days=days)).status_code
            for days in ("", "0", "-1", "1e3", "99999", "٣")
        ]
        never = await admin.post("/people/token", name="x", role="TASK_VIEWER", teams="", days="never")
    tokens = (await api.admin.get("/api/v2/tokens")).json()["data"]["contents"]

    assert wrong == [422] * 6
    assert never.status_code == 201
    assert [("expires_at" in one) for one in tokens if one["name"] == "x"] == [False]


async def test_a_program_may_read_pages_but_has_no_forms(api: ServedApi) -> None:
    """A Basic or Bearer caller has no session, so there is nothing to sign out of and no password to change here."""
    async with api.client(auth=("admin", PASSWORD), headers=HTML) as program:
        me = (await program.get("/me")).text
        help_ = (await program.get("/help")).text

    assert "Change the password" not in me
    assert 'action="/logout"' not in help_
    assert 'action="/keys"' not in help_
