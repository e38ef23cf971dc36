"""One API for a whole module, on a NATS and a SQLite file of its own; tests that break things make theirs."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.api.harness import ServedApi, served
from tests.support.nats_server import NatsServer


@pytest.fixture(scope="module")
def module_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A NATS server for the tests of one module."""
    with NatsServer(tmp_path_factory.mktemp("api-nats")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(module_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """A running API."""
    folder = tmp_path_factory.mktemp("api")
    async with served(module_nats.url, f"sqlite:///{folder}/view.db", rescue_after_seconds=60) as running:
        yield running
