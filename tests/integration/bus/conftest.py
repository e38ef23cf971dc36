"""One API for a whole module, and producers with keys of their own; tests that break things make theirs."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.integration.api.harness import ServedApi, served
from tests.integration.bus.producer import SECRETS_KEY
from tests.support.nats_server import NatsServer


@pytest.fixture(scope="module")
def module_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A NATS server for the tests of one module."""
    with NatsServer(tmp_path_factory.mktemp("bus-nats")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(module_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedApi]:
    """A running API."""
    folder = tmp_path_factory.mktemp("bus-api")
    database = f"sqlite:///{folder}/view.db"
    async with served(module_nats.url, database, rescue_after_seconds=60, secrets_key=SECRETS_KEY) as running:
        yield running
