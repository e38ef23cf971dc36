"""Role by route, carried out: each role is refused exactly where the table says so, and strangers everywhere (S2)."""

import pytest

from services.api.access import Role
from tests.integration.api.harness import ServedApi, refused
from tests.support.routes import Route, every

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = every()


@pytest.mark.parametrize("role", Role)
async def test_a_role_is_refused_where_the_table_says(api: ServedApi, role: Role) -> None:
    """403 for what it does not grant; anything else for what it does: no body fits, no id is there."""
    client = await api.bearer(role, name="somebody")
    before, wrong = await api.last_seq(), []
    for route in ROUTES:
        async with client.stream(route.method, route.at(), params={"dry_run": "true"}) as answer:
            if (answer.status_code != 403) is not route.open_to(role) or answer.status_code in {401, 500}:
                wrong.append(f"{route.method} {route.path}: {answer.status_code}")
            if answer.status_code == 403:
                await answer.aread()
                assert refused(answer, 403)["code"] in {3100, 30014}  # OCP's two versions
    assert wrong == []
    assert await api.last_seq() == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_strangers_are_refused_everywhere(api: ServedApi, route: Route) -> None:
    """But for the one public path."""
    async with api.client() as stranger:
        answer = await stranger.request(route.method, route.at())
    if route.permission is None:
        assert answer.status_code == 200
    else:
        assert refused(answer, 401)["code"] in {3000, 30000}
