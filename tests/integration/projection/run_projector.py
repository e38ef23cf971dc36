"""One projector in a process of its own, for tests that kill it: `run_projector.py NATS_URL DATABASE_URL`."""

import asyncio
import sys

from services.api.projection.engine import engine_for
from services.api.projection.projector import Projector
from shared.log.jetstream import JetStreamStorage
from shared.runtime.nats import connect


async def main(nats_url: str, database_url: str) -> None:
    """Project in batches of 8 until killed."""
    client = await connect(nats_url, name="projector")
    await Projector(JetStreamStorage(client), engine_for(database_url), batch=8, heartbeat=0.2).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
