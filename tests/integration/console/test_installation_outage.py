"""The pages that people look at in an outage are there in an outage."""

import time
from pathlib import Path

from tests.integration.api.harness import plan, served
from tests.integration.console.signed import Person
from tests.support.eventually import eventually
from tests.support.nats_server import NatsServer


async def test_without_nats_the_queue_says_what_follows(tmp_path: Path, nats_server: NatsServer) -> None:
    """At once, to who is signed in, without an error; executors cannot be known and say so."""
    async with served(nats_server.url, f"sqlite:///{tmp_path}/view.db") as api, Person(api) as admin:
        await api.create(plan(name="before"))

        async def seen() -> bool:
            return "before" in (await admin.get("/audit")).text

        await eventually(seen, timeout=15)
        nats_server.kill9()

        async def said() -> str:
            text = (await admin.get("/queue")).text
            return text if "No command can be taken" in text else ""

        text = await eventually(said, timeout=15)
        began = time.monotonic()
        again = await admin.get("/queue")
        took = time.monotonic() - began
        executors = await admin.get("/executors")
        audit = await admin.get("/audit")

    assert "Something that is needed does not answer" in text
    assert "The queue cannot be asked now." in text
    assert "What was set aside cannot be reached; nothing was changed." in text
    assert "NATS cannot be asked now." in text
    assert again.status_code == 200
    assert took < 4
    assert executors.status_code == 503
    assert "cannot be reached" in executors.text
    assert "before" in audit.text
