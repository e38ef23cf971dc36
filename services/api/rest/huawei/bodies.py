"""What Huawei's clients send, read leniently where their documents are: unknown fields pass, keys are not looked at.

Buckets are names of connections, which know how to log in; so `src_ak`, `src_sk`, `dst_ak`, `dst_sk` and `…_token` are
dropped unread: they are never stored, logged or part of a message. What would change the result and cannot be done
(KMS, a CDN as source, another way to compare) is refused, not passed over.
"""

from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from services.api import synchronisation as sync
from services.api.invalid import Invalid
from shared.task.words import TEAM

LABEL: Final = "oms."
"""Begins the labels that hold what Huawei's clients want told again."""
MAX_KEYS: Final = 10
CLOUDS: Final = frozenset(
    {"AWS", "Azure", "Aliyun", "Tencent", "HuaweiCloud", "QingCloud", "KingsoftCloud", "Baidu", "Qiniu", "UCloud"}
)
_FORBIDDEN: Final = frozenset("<>()\"'&")
_Bucket = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
_Word = Annotated[str, StringConstraints(max_length=100)]


class CreateSyncTask(BaseModel):
    """The body of a create, as far as it says something."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    src_bucket: _Bucket
    dst_bucket: _Bucket
    src_cloud_type: _Word = "Aliyun"
    src_region: _Word | None = None
    dst_region: _Word | None = None
    description: Annotated[str, StringConstraints(max_length=255)] | None = None
    enable_metadata_migration: bool | None = None
    enable_restore: bool | None = None
    dst_storage_policy: _Word | None = None
    app_id: _Word | None = None
    consistency_check: Literal["size_last_modified"] | None = None
    src_crypto_type: Literal["DEFAULT", ""] | None = None
    dst_crypto_type: Literal["DEFAULT", ""] | None = None
    source_cdn: None = Field(default=None, description="A CDN as source is not supported.")

    @field_validator("src_cloud_type")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in CLOUDS:
            raise ValueError(f"one of {', '.join(sorted(CLOUDS))} is expected")
        return value

    @field_validator("enable_restore")
    @classmethod
    def _thawed(cls, value: bool | None) -> bool | None:
        if value:
            raise ValueError("archived objects are not restored here: leave it out or send false")
        return value

    @field_validator("description")
    @classmethod
    def _plain(cls, value: str | None) -> str | None:
        if value is not None and not _FORBIDDEN.isdisjoint(value):
            raise ValueError("the characters < > ( ) \" ' & are not allowed")
        return value

    def creation(self, project: str) -> dict[str, Any]:
        """Return the create body of the task that this asks for."""
        params: dict[str, Any] = {
            "source": self.src_bucket,
            "destination": self.dst_bucket,
            "metadata": self.enable_metadata_migration is True,
        }
        if self.description:
            params["description"] = self.description
        told = {
            "src_cloud_type": self.src_cloud_type,
            "src_region": self.src_region,
            "dst_region": self.dst_region,
            "dst_storage_policy": self.dst_storage_policy,
            "app_id": self.app_id,
        }
        labels = {TEAM: project, **{f"{LABEL}{name}": value for name, value in told.items() if value}}
        return {
            "type": sync.TYPE,
            "name": f"{self.src_bucket} → {self.dst_bucket}"[:200],
            "params": params,
            "labels": labels,
            "object": {"kind": "bucket", "name": self.dst_bucket},
        }


class SyncEvents(BaseModel):
    """The body of an event: names of objects, URL-encoded; at most ten (their documents say 10 and 100: HWDOC)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    object_keys: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=16_384)]],
        Field(min_length=1, max_length=MAX_KEYS),
    ]

    @field_validator("object_keys")
    @classmethod
    def _decoded(cls, value: list[str]) -> list[str]:
        try:
            return [unquote(key, errors="strict") for key in value]
        except UnicodeDecodeError:
            raise ValueError("a key is not URL-encoded UTF-8") from None


def read(model: type[Any], raw: Any) -> Any:
    """Return the body as the model has it. Raises `Invalid`."""
    try:
        return model.model_validate(raw, strict=True)
    except ValidationError as error:
        raise Invalid.of(error) from None
