"""Idempotency keys of creations: KV `idempotency` maps a key to (task id, body hash) before the first commit.

Knows no task and no log. A key is never given back: the same key means the same task for ever (P2).
"""

import asyncio
import json
from hashlib import sha256
from typing import Any

from shared.store.kv import Bucket, BucketUnavailable
from shared.task.refusals import KeyReused

LOOKS = 20
LOOK_PAUSE = 0.05


class Keys:
    """The bucket as creations use it. `digest` is the key hashed with the principal."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def reserve(self, digest: str, task_id: int, body_hash: str) -> tuple[int, bool]:
        """Return the key's task id, and whether this call is the key's first use.

        Raises `KeyReused` when it was used with another body, `BucketUnavailable`.
        """
        if await self._bucket.create(digest, json.dumps({"task": task_id, "body": body_hash}).encode()):
            return task_id, True
        for _ in range(LOOKS):  # a replica may lag behind the leader that knew the key (T27)
            known = await self.known(digest, body_hash)
            if known is not None:
                return known, False
            await asyncio.sleep(LOOK_PAUSE)
        raise BucketUnavailable("the idempotency key cannot be read yet")

    async def task_of(self, digest: str) -> int | None:
        """Return the task id a key was used for, whatever with, or None. Raises `BucketUnavailable`."""
        entry = await self._bucket.get(digest)
        return int(json.loads(entry.value)["task"]) if entry is not None and entry.value else None

    async def known(self, digest: str, body_hash: str) -> int | None:
        """Return the task id a key was used for, or None. Raises `KeyReused`, `BucketUnavailable`."""
        entry = await self._bucket.get(digest)
        if entry is None or entry.value is None:
            return None
        use = json.loads(entry.value)
        if use["body"] != body_hash:
            raise KeyReused(
                "This idempotency key was used before with another body.", target={"taskId": int(use["task"])}
            )
        return int(use["task"])


def hashed(principal: str, key: str) -> str:
    """Return the key hashed with the principal: keys of different people never meet."""
    return sha256(f"{principal}\0{key}".encode()).hexdigest()


def fingerprint(word: str, body: Any) -> str:
    """Return the hash that tells whether two commands under one key are the same: their JSON, however written."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return sha256(f"{word}\0{text}".encode()).hexdigest()
