"""What the search benchmark loads is what the projector would have written: the log itself says so."""

from collections.abc import AsyncIterator

from benchmarks import folded, samples
from benchmarks.folded import Told
from benchmarks.load import load
from services.api.projection.engine import engine_for
from services.api.projection.reads import Filter, Reads
from services.api.projection.verify import verify
from shared.log.jetstream import JetStreamStorage
from shared.log.transact import TaskLog
from shared.runtime.nats import connect
from shared.store import streams
from shared.task.state import TaskState
from tests.support.nats_server import NatsServer

MANY = 400


async def test_verify_accepts_what_was_loaded(nats_server: NatsServer, database_url: str) -> None:
    """Tasks whose every commit is in a log, loaded as copies of templates: rows and log agree, task by task."""
    client = await connect(nats_server.url, name="test")
    await streams.create(client, streams.tasks(1))
    storage = JetStreamStorage(client)
    await storage.open()
    log, templates = TaskLog(storage), folded.Templates()
    last = 0

    async def told() -> AsyncIterator[Told]:
        for number in range(1, MANY + 1):
            sample = samples.sample(number, MANY)
            seqs = positions[number]
            task = await log.load(number, fresh=True)
            assert task is not None
            yield folded.varied(await templates.of(sample), sample, seqs, task.head)

    positions = {}
    for number in range(1, MANY + 1):
        positions[number] = await folded.tell(log, samples.sample(number, MANY))
        last = positions[number][-1]
    stored = await storage.get(last)
    assert stored is not None
    tail = await storage.tail()

    await load(database_url, told(), seen=(str(tail["created"]), last, stored.id))

    engine = engine_for(database_url)
    found = await verify(storage, engine)
    assert found.differences == []
    assert found.tasks == MANY
    reads = Reads(engine)
    failed = await reads.tasks(Filter(states=frozenset({TaskState.FAILED}), name="db-"))
    assert failed.contents
    page = await reads.tasks(Filter(text=samples.sample(9, MANY).params["ticket"].lower()))
    assert 9 in {task.id for task in page.contents}
    await engine.dispose()
    await client.close()
