"""`acme.rollout`: a release on several sites, one after the other, each checked before the next."""

from typing import Annotated

from pydantic import Field, StringConstraints

from acme_operations.publish import WORD
from opsledger.kit import Params, Plan, RetryPolicy, SubtaskPlan, task_type

Word = Annotated[str, StringConstraints(pattern=WORD)]


class RolloutParams(Params):
    """Which release, and where."""

    sites: list[Word] = Field(min_length=1, description="Sites in the order they get it.", examples=[["shop", "docs"]])
    release: Word = Field(description="The release they get.", examples=["2.0"])


@task_type("acme.rollout")
def rollout(params: RolloutParams) -> Plan:
    """Publishes a release on sites, one after the other, and looks at each before it goes on."""
    steps: list[SubtaskPlan] = []
    for site in params.sites:
        publish = SubtaskPlan(
            key=f"publish-{site}",
            operation="acme.publish",
            params={"site": site, "release": params.release},
            upstreams=[steps[-1].key] if steps else [],
        )
        check = SubtaskPlan(
            key=f"check-{site}",
            operation="command.run",
            params={"argv": ["test", "-s", f"{site}/current/index.html"]},
            upstreams=[publish.key],
            delivery="at_least_once",
            retry=RetryPolicy(times=2, delay_seconds=1),
        )
        steps += [publish, check]
    return Plan(subtasks=steps)
