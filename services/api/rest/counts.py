"""How many tasks there are, by state and in OCP's words: the numbers that the view keeps, so asking costs nothing."""

from starlette.requests import Request
from starlette.responses import Response

from services.api.access import Permission
from services.api.projection.reads import Filter
from services.api.rest.envelope import ok
from services.api.rest.policy import needs, principal
from services.api.rest.ports import api
from services.api.rest.tasks import reach_list
from services.api.rest.words import STATUS


@needs(Permission.READ)
async def counts(request: Request) -> Response:
    """Say how many tasks are in each state; who sees some teams' tasks alone is told of these, up to a limit."""
    found = api(request)
    await reach_list(request, found)
    states, exact = await found.reads.counts_of(Filter(teams=principal(request).teams))
    statuses = dict.fromkeys(STATUS.values(), 0)
    for state, number in states.items():
        statuses[STATUS[state]] += number
    data = {
        "total": sum(states.values()),
        "states": {state.value: number for state, number in states.items()},
        "statuses": statuses,
    }
    return ok(request, data if exact else {**data, "exact": False})
