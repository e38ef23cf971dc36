"""The one durable consumer through which every API process takes commands. Changes neither it nor the stream (T25).

Its name carries the stream's creation stamp: after a re-creation an old delivery's ack must not remove somebody else's
message. `init` makes it; an intake makes it again when it is missing. The stream is made by `init` alone.
"""

from nats.aio.client import Client

from shared.messages import subjects
from shared.queue.jetstream import NO_CONSUMER, NO_STREAM, stamp_of
from shared.runtime.nats import ApiError, api


async def bind(client: Client, ack_wait: float) -> tuple[str, str] | None:
    """Return (stamp, consumer), the consumer made if need be; None while there is no stream.

    Raises `ApiError`, `Unreachable` or `Unanswered`. `ack_wait` in seconds.
    """
    try:
        info = await api(client, f"STREAM.INFO.{subjects.COMMANDS}")
    except ApiError as error:
        if error.code == NO_STREAM:
            return None
        raise
    stamp = stamp_of(info["created"])
    name = f"intake-{stamp}"
    try:
        await api(client, f"CONSUMER.INFO.{subjects.COMMANDS}.{name}")
    except ApiError as error:
        if error.code != NO_CONSUMER:
            raise
        await _create(client, name, ack_wait)
    return stamp, name


async def _create(client: Client, name: str, ack_wait: float) -> None:
    config = {
        "durable_name": name,
        "name": name,
        "filter_subject": subjects.command("*"),
        "ack_policy": "explicit",
        "ack_wait": int(ack_wait * 1e9),
        "max_deliver": -1,
        "max_ack_pending": -1,  # messages that wait for an outage to end count against it
        "deliver_policy": "all",
        "replay_policy": "instant",
    }
    await api(
        client,
        f"CONSUMER.CREATE.{subjects.COMMANDS}.{name}.{subjects.command('*')}",
        {"stream_name": subjects.COMMANDS, "config": config, "action": "create"},
    )
