"""The shape of the counts' answer."""

from typing import Literal

from services.api.rest.schemas import Shape, State, Status


class TaskCounts(Shape):
    """How many tasks there are, how many in each state, and in each of OCP's statuses.

    `exact` is false when there are more: then they are counts of the tasks that were looked at.
    """

    total: int
    states: dict[State, int]
    statuses: dict[Status, int]
    exact: Literal[False] | None = None
