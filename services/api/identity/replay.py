"""Whether a signed request comes a second time. Shared by all API processes through KV `replays`.

Commands only: a request that changes nothing tells a listener nothing he has not heard, and OCP's `Date` has whole
seconds, so a client that reads twice within one sends the very same request.
"""

from hashlib import sha256
from typing import Final

from services.api.identity.signing import Claimed
from shared.store.kv import Bucket

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Replays:
    """Signatures that were used."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def first(self, method: str, claimed: Claimed) -> bool:
        """Whether this is the signature's first use. Raises `BucketUnavailable`: without the store none is."""
        if method in SAFE:
            return True
        digest = sha256(f"{claimed.access_key}:{claimed.signature}".encode()).hexdigest()
        return await self._bucket.create(digest, b"")
