"""Every stream and bucket with its settings, created by one explicit step (T25). Knows no content.

TASKS allows neither deletion nor expiry, schedules nor roll-ups (T15, T16). WORK refuses a second copy of a queued
item with error 10077. Existing streams are left exactly as they are: no service ever updates one.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from nats.aio.client import Client
from nats.js.api import KeyValueConfig, ObjectStoreConfig
from nats.js.errors import BadRequestError

from shared.messages import subjects
from shared.runtime.nats import ApiError, Unanswered, Unreachable, api
from shared.store.kv import BucketUnavailable

NO_STREAM = 10059
STREAM_EXISTS = frozenset({10058, 10065})
DAY = 86_400 * 1_000_000_000
MIB = 1024 * 1024
LASTING = (
    subjects.CATALOG,
    subjects.IDEMPOTENCY,
    subjects.ACCESS,
    subjects.CONNECTIONS,
    subjects.SECRETS,
    subjects.VALUES,
)
"""The buckets whose entries never expire."""
REPLAYS_KEPT = timedelta(minutes=31)
"""How long a used signature is remembered: a request may be signed 15 minutes ahead of our clock, and is good until 15
minutes behind it."""


def _stream(name: str, subject: str, replicas: int, **settings: Any) -> dict[str, Any]:
    return {
        "name": name,
        "subjects": [subject],
        "storage": "file",
        "num_replicas": replicas,
        "discard": "new",
        "max_msg_size": 256 * 1024,
        "allow_direct": True,
        **settings,
    }


def tasks(replicas: int) -> dict[str, Any]:
    """Return the settings of the log."""
    return _stream(subjects.TASKS, "tasks.*", replicas, retention="limits", deny_delete=True, deny_purge=True)


def work(replicas: int) -> dict[str, Any]:
    """Return the settings of the queue.

    On one replica it need not be synced: what a crash takes from it, the rescuer puts back (decision 5).
    """
    return _stream(
        subjects.WORK,
        "work.>",
        replicas,
        retention="workqueue",
        max_msgs_per_subject=1,
        discard_new_per_subject=True,
        duplicate_window=100_000_000,
        **({"persist_mode": "async"} if replicas == 1 else {}),
    )


def others(replicas: int, *, log_age_days: float = 30, log_bytes: int = 1024 * MIB) -> list[dict[str, Any]]:
    """Return the settings of the streams beside the log and the queue."""
    return [
        _stream(subjects.COMMANDS, "commands.*", replicas, retention="workqueue", duplicate_window=100_000_000),
        _stream(
            subjects.LOGS,
            "logs.*.*",
            replicas,
            retention="limits",
            discard="old",
            max_age=int(log_age_days * DAY),
            max_bytes=log_bytes,
            compression="s2",
        ),
        _stream(subjects.IDS, "ids.*", replicas, retention="limits", discard="old", allow_msg_counter=True),
        _stream(
            subjects.SET_ASIDE.upper(), "set-aside.*", replicas, retention="limits", discard="old", max_bytes=64 * MIB
        ),
    ]


SHOWN = (subjects.TASKS, subjects.WORK, subjects.LOGS, subjects.COMMANDS, subjects.SET_ASIDE.upper())
"""The streams that fill."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How full a stream is. `limit` is in bytes, None: the disk's; `behind`: copies that are not up to date."""

    name: str
    messages: int
    bytes: int
    limit: int | None
    copies: int
    behind: int


async def figures(client: Client) -> list[Figures]:
    """Return how full each stream is that fills. Raises `BucketUnavailable`."""
    try:
        answers = await asyncio.gather(*(api(client, f"STREAM.INFO.{name}") for name in SHOWN))
    except (ApiError, Unreachable, Unanswered) as error:
        raise BucketUnavailable(f"streams: {error}") from error
    return [_figures(name, answer) for name, answer in zip(SHOWN, answers, strict=True)]


def _figures(name: str, answer: dict[str, Any]) -> Figures:
    config, state = answer["config"], answer["state"]
    followers = (answer.get("cluster") or {}).get("replicas") or []
    behind = sum(not one.get("current") or bool(one.get("offline")) for one in followers)
    limit = config.get("max_bytes", -1)
    copies = config.get("num_replicas", 1)
    return Figures(name, state["messages"], state["bytes"], limit if limit > 0 else None, copies, behind)


async def provision(client: Client, *, replicas: int, lease: timedelta) -> None:
    """Create every stream and bucket that is missing; change none that is there.

    `lease` is how long an executor's entry lives without being renewed.
    """
    for settings in (tasks(replicas), work(replicas), *others(replicas)):
        await create(client, settings)
    js = client.jetstream()
    for bucket in LASTING:
        await _bucket(js.create_key_value(KeyValueConfig(bucket=bucket, replicas=replicas)))
    await _bucket(
        js.create_key_value(KeyValueConfig(bucket=subjects.EXECUTORS, replicas=replicas, ttl=lease.total_seconds()))
    )
    used = KeyValueConfig(bucket=subjects.REPLAYS, replicas=replicas, ttl=REPLAYS_KEPT.total_seconds())
    await _bucket(js.create_key_value(used))
    await _bucket(js.create_object_store(subjects.RESULTS, ObjectStoreConfig(replicas=replicas)))


async def create(client: Client, settings: dict[str, Any]) -> bool:
    """Create a stream unless one of its name is there; return whether it was created.

    Looks first: a creation of what is there is answered like a new one, and fails where the room it reserves would not
    be there twice.
    """
    try:
        await api(client, f"STREAM.INFO.{settings['name']}", timeout=10)
    except ApiError as error:
        if error.code != NO_STREAM:
            raise
    else:
        return False
    try:
        await api(client, f"STREAM.CREATE.{settings['name']}", settings, timeout=10)
    except ApiError as error:
        if error.code in STREAM_EXISTS:
            return False
        raise
    return True


async def _bucket(creation: Any) -> None:
    try:
        await creation
    except BadRequestError as error:
        if error.err_code not in STREAM_EXISTS:
            raise
