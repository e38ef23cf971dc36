"""Time and ids from outside the pure core. Leases use `monotonic`; `now` is for people and for display."""

import secrets
import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def commit_id() -> str:
    """Return a new UUIDv7 as text: ids made later sort later."""
    stamp = time.time_ns() // 1_000_000
    tail = secrets.randbits(74)
    value = stamp << 80 | 7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & ((1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
