"""The token job: makes a token and prints it once."""

from datetime import timedelta

from services.api.access import TOKEN, Role, new_token
from shared.runtime.clock import now
from shared.store.kv import Bucket


async def issue(bucket: Bucket, name: str, role: Role, *, days: float | None = None) -> str:
    """Store a new token's hash and return the token. Raises `ValidationError` for a bad name, `BucketUnavailable`."""
    at = now()
    token, record = new_token(name, role, at, at + timedelta(days=days) if days is not None else None)
    await bucket.put(TOKEN + record.id, record.model_dump_json().encode())
    return token
