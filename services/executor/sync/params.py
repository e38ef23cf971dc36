"""What synchronisation is told: the parameters of a standing task, as its children's operations get them under `of`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.executor.operations.contract import Params

Overwrite = Literal["newer", "always", "never"]
ConnectionName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Key = Annotated[str, StringConstraints(max_length=8_192)]
"""A key as it was asked for. Most of what no store can hold is accepted here: it fails by itself, with its cause."""


def _folder(prefix: str) -> str:
    """Refuse a prefix that could not be the beginning of an object's name; outer slashes mean nothing."""
    prefix = prefix.strip("/")
    parts = prefix.split("/") if prefix else []
    if any(part in {"", ".", ".."} for part in parts) or not prefix.isprintable():
        raise ValueError("a prefix has no empty part, no '.', no '..' and no control characters")
    return prefix


Folder = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_folder)]


class Rules(BaseModel):
    """From where to where, and when an object is copied. `task`: the standing task, under whose id the lists lie."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source: ConnectionName
    source_prefix: Folder = ""
    destination: ConnectionName
    destination_prefix: Folder = ""
    overwrite: Overwrite = "newer"
    metadata: bool = True
    task: int | None = None


class ObjectSyncParams(Params):
    """Where objects come from and where they go."""

    source: ConnectionName = Field(description="The connection to read from.")
    source_prefix: Folder = Field(default="", description="Folder of the source; keys are names below it.")
    destination: ConnectionName = Field(description="The connection to write to; the object lists lie there too.")
    destination_prefix: Folder = Field(default="", description="Folder of the destination; keys are names below it.")
    overwrite: Overwrite = Field(
        default="newer",
        description="newer: leave what is there with the same size and a later time; always: copy; never: leave it.",
    )
    metadata: bool = Field(default=True, description="Carry content type and user metadata, where both stores have it.")
    description: Annotated[str, StringConstraints(max_length=1_000)] = ""


def below(prefix: str, key: str) -> str:
    """Return the name in the store of a key below a prefix."""
    return f"{prefix}/{key}" if prefix else key
