"""The proxy's faults, each seen from both ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.eventually import eventually
from tests.support.proxy import Proxy


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionResetError):
            while data := await reader.read(100):
                writer.write(data)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def _silent(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), 0.1)
    except TimeoutError:
        return True
    return False


async def test_passes_everything_until_told_otherwise(proxy: Proxy) -> None:
    """Without a fault the proxy is not noticed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()
    await eventually(lambda: proxy.connections == 0)


@pytest.mark.parametrize("way", ["to_server", "to_client"])
async def test_what_is_dropped_one_way_never_arrives(proxy: Proxy, way: str) -> None:
    """A half-open connection is silent, and works on after healing without the lost bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.drop("to_server" if way == "to_server" else "to_client")
    writer.write(b"lost")
    assert await _silent(reader)
    proxy.heal()
    writer.write(b"seen")
    assert await reader.readexactly(4) == b"seen"
    writer.close()


async def test_what_is_held_arrives_after_healing(proxy: Proxy) -> None:
    """Held bytes are late, not lost, and keep their order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.hold()
    writer.write(b"late")
    assert await _silent(reader)
    proxy.heal()
    writer.write(b"er")
    assert await reader.readexactly(6) == b"lateer"
    writer.close()


async def test_bytes_trickle(proxy: Proxy) -> None:
    """A slow way passes piece by piece, each after its delay."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.slow("to_client", delay_seconds=0.01, piece=1)
    began = asyncio.get_running_loop().time()
    writer.write(b"0123456789")
    assert await reader.readexactly(10) == b"0123456789"
    assert asyncio.get_running_loop().time() - began >= 0.1
    writer.close()


async def test_reset_ends_connections_and_may_refuse_new_ones(proxy: Proxy) -> None:
    """The client meets a reset, not an orderly end, until the proxy is healed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await eventually(lambda: proxy.connections == 1)
    proxy.reset(refuse=True)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.read(1)
    writer.close()
    proxy.heal()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x")
    assert await reader.read(1) == b"x"
    writer.close()


def test_a_url_keeps_its_credentials_and_gets_the_proxys_address() -> None:
    """Clients are pointed at the proxy by rewriting the server's URL."""
    proxy = Proxy.before("nats://user:secret@127.0.0.1:4222")
    proxy.port = 1234
    assert proxy.url("nats://user:secret@127.0.0.1:4222") == "nats://user:secret@127.0.0.1:1234"
