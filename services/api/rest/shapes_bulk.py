"""The shapes of what bulk commands answer."""

from typing import Literal

from services.api.rest.schemas import PageAbout, RefusalShape, Shape, State


class BulkItem(Shape):
    """What one target would answer; one that is gone has no name and no state."""

    task: int
    name: str | None = None
    state: State | None = None
    accepted: bool
    refusal: RefusalShape | None = None


class BulkPreview(Shape):
    """A dry run's answer. `looked`: how many targets were decided; `exact` is false when more fit than are meant."""

    dry_run: Literal[True]
    command: str
    count: int
    exact: bool
    looked: int
    accepted: int
    refused: int
    items: list[BulkItem]


class BulkNothing(Shape):
    """No task fits; nothing was created."""

    command: str
    count: Literal[0]
    exact: Literal[True]


class ItemError(Shape):
    """Why the target refused."""

    code: int
    message: str


class Item(Shape):
    """One target of a bulk command and its answer; `status` is HTTP-like and absent while there is none."""

    task: int
    subtask: int
    status: int | None = None
    state: State | None = None
    error: ItemError | None = None


class Items(Shape):
    """A page of targets."""

    contents: list[Item]
    page: PageAbout
