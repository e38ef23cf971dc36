"""Whether a signed request comes a second time. Shared by all API processes through KV `replays`.

Commands only: a request that changes nothing tells a listener nothing he has not heard, and OCP's `Date` has whole
seconds, so a client that reads twice within one sends the very same request.

Huawei's `X-Sdk-Date` has whole seconds, too, and its clients send no key that tells two equal commands apart: to
stop twice is to send the same bytes twice. There a signature may come again for `REPEAT_SECONDS`, over the connection
it came over first: who listens elsewhere and repeats what he heard has another one.
"""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from time import monotonic
from typing import Final

from services.api.identity.signing import Claimed
from shared.store.kv import Bucket

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
REPEAT_SECONDS: Final = 2.0
REMEMBERED: Final = 4096

Connection = tuple[str, int]
"""Address and port of the other end."""


class Replays:
    """Signatures that were used. `clock` in seconds."""

    def __init__(self, bucket: Bucket, clock: Callable[[], float] = monotonic) -> None:
        self._bucket = bucket
        self._clock = clock
        self._lately: OrderedDict[str, tuple[float, Connection]] = OrderedDict()

    async def first(self, method: str, claimed: Claimed, connection: Connection | None = None) -> bool:
        """Whether this is the signature's first use. Raises `BucketUnavailable`: without the store none is.

        With a `connection`, a use over the same one moments after the first counts as one, too.
        """
        if method in SAFE:
            return True
        digest = sha256(f"{claimed.access_key}:{claimed.signature}".encode()).hexdigest()
        if connection is None:
            return await self._bucket.create(digest, b"")
        used = self._lately.get(digest)
        if used is not None and used[1] == connection and self._clock() - used[0] <= REPEAT_SECONDS:
            return True
        if not await self._bucket.create(digest, b""):
            return False
        self._lately[digest] = (self._clock(), connection)
        if len(self._lately) > REMEMBERED:
            self._lately.popitem(last=False)
        return True
