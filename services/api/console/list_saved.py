"""Lists that somebody has given a name: kept on the server, so that they are there in any browser. Knows no HTTP.

A record `views/<user>` in KV `access` has all of a user's, each an address of this console. It names the user's
creation: whoever gets the name of somebody who is gone does not get the views.
"""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from services.api.console.list_look import LOOKS
from shared.runtime.logging import get
from shared.store.kv import Bucket, BucketUnavailable
from shared.task.text import readable

VIEWS: Final = "views/"
MOST: Final = 20
"""Views of one user."""
MAX_NAME: Final = 40
MAX_QUERY: Final = 1000
TRIES: Final = 5

log = get(__name__)


class ViewProblem(Exception):  # noqa: N818  a fact, not a fault
    """The view cannot be saved; the message says why."""


class View(BaseModel):
    """A list with a name: one of ours, and what its address says behind the question mark."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Annotated[
        str,
        StringConstraints(min_length=1, max_length=MAX_NAME, strip_whitespace=True),
        AfterValidator(readable),
    ]
    path: str
    query: Annotated[str, StringConstraints(max_length=MAX_QUERY)]

    @property
    def href(self) -> str:
        """Where it is."""
        return self.path + (f"?{self.query}" if self.query else "")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    user_created_at: datetime
    views: list[View]


class SavedViews:
    """The saved views of this installation. One per process; it remembers nothing."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def of(self, user: str, created_at: datetime) -> list[View]:
        """Return somebody's views by name, none when they cannot be read: no list is missing for that."""
        try:
            return (await self._read(user, created_at))[0]
        except BucketUnavailable as problem:
            log.warning("saved views not read", why=str(problem))
            return []

    async def save(self, user: str, created_at: datetime, name: str, path: str, query: str) -> None:
        """Save a view, in place of one of the same name. Raises `ViewProblem`, `BucketUnavailable`."""
        if path not in LOOKS:
            raise ViewProblem("Only lists of tasks can be saved.")
        try:
            view = View(name=name, path=path, query=query)
        except ValidationError:
            raise ViewProblem(f"A name has 1 to {MAX_NAME} characters, all of them readable.") from None
        await self._change(user, created_at, view.name, view)

    async def remove(self, user: str, created_at: datetime, name: str) -> None:
        """Remove a view; one that is not there stays so. Raises `BucketUnavailable`."""
        await self._change(user, created_at, name, None)

    async def _change(self, user: str, created_at: datetime, name: str, view: View | None) -> None:
        for _ in range(TRIES):
            views, revision = await self._read(user, created_at)
            kept = [one for one in views if one.name != name] + ([view] if view is not None else [])
            if len(kept) > MOST:
                raise ViewProblem(f"You have {MOST} views, which is all there can be. Remove one first.")
            record = _Record(user_created_at=created_at, views=sorted(kept, key=lambda one: one.name.lower()))
            value = record.model_dump_json().encode()
            if revision == 0:
                done = await self._bucket.create(VIEWS + user, value)
            else:
                done = await self._bucket.replace(VIEWS + user, value, revision) is not None
            if done:
                return
        raise BucketUnavailable(f"the views of {user} are being changed elsewhere")

    async def _read(self, user: str, created_at: datetime) -> tuple[list[View], int]:
        entry = await self._bucket.get(VIEWS + user)
        if entry is None or not entry.value:
            return [], 0
        try:
            record = _Record.model_validate_json(entry.value)
        except ValidationError:
            log.exception("saved views cannot be read", user=user)
            return [], entry.revision
        views = record.views if record.user_created_at == created_at else []
        return [view for view in views if view.path in LOOKS], entry.revision
