"""What stands in the object lists of a synchronisation: asked of executors, who reach the destination, over core NATS.

Where lists lie and what they are called (specification §7, "Object lists"), and the shapes of question and answer.
Nothing is stored or changed.
"""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

Which = Literal["requested", "synced", "ignored", "failed", "not_begun"]
FOLDERS: Final[dict[Which, str]] = {
    "requested": "object_lists",
    "synced": "success_object_lists",
    "ignored": "skip_object_lists",
    "failed": "failed_object_lists",
    "not_begun": "failed_object_lists/creation_failures",
}
RESERVED: Final = "oms/sync_task/"
"""Where the object lists of synchronisation tasks lie in a destination."""
NAME: Final = r"^[0-9]{1,19}(-[0-9]{1,19}){2,3}(\.failed_list)?\.txt$"
"""What a list is called: `<child task>-<subtask>-...`."""
PIECE: Final = 120 * 1024
"""Bytes of a list in one answer: a message of NATS has 256 KiB, and base64 takes four for three."""


def folder_of(task: int, which: Which) -> str:
    """Return the directory of a task's lists, below the destination's root."""
    return f"{RESERVED}{task}/{FOLDERS[which]}"


class ListQuestion(BaseModel):
    """Which lists there are of a standing task; with `name` what stands in that one, from a byte on.

    `destination`: the connection; `team`: the task's, which decides whether the connection may be used. `child`: the
    lists of that child task alone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: int = Field(ge=1)
    destination: str
    team: str | None = None
    which: Which
    child: int | None = Field(default=None, ge=1)
    name: str | None = Field(default=None, pattern=NAME)
    offset: int = Field(default=0, ge=0)

    @property
    def folder(self) -> str:
        """The directory that is meant."""
        return folder_of(self.task, self.which)


class ObjectList(BaseModel):
    """One list: `size` in bytes, `at` when it was written."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(pattern=NAME)
    size: int
    at: datetime


class ListAnswer(BaseModel):
    """The newest lists, and how many there are; or a piece of one that has `size` bytes; or why not.

    `counted` is false when there are more lists than were looked at. `missing`: there is no list of this name.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")

    refused: str | None = None
    missing: bool = False
    lists: tuple[ObjectList, ...] = ()
    total: int = 0
    counted: bool = True
    piece: bytes = b""
    size: int = 0

    def encode(self) -> bytes:
        """Return the JSON form."""
        return self.model_dump_json(exclude_defaults=True).encode()
