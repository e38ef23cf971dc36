"""The NATS fixtures: shipped settings, a server of our own, and what survives its kills."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from tests.support.eventually import eventually
from tests.support.nats_server import NatsCluster, NatsServer
from tests.support.process import ServerFailed


@contextlib.asynccontextmanager
async def _client(url: str) -> AsyncIterator[Client]:
    client = await nats.connect(url.split(","))
    try:
        yield client
    finally:
        await client.close()


async def test_the_shared_server_has_jetstream_and_the_shipped_payload_limit(nats_url: str) -> None:
    """Whichever server the run shares takes streams and refuses more than 256 KiB."""
    async with _client(nats_url) as client:
        assert client.max_payload == 262_144
        stream = f"support-{id(client)}"
        await client.jetstream().add_stream(name=stream, subjects=[f"{stream}.>"])
        assert (await client.jetstream().publish(f"{stream}.x", b"1")).seq == 1
        await client.jetstream().delete_stream(stream)


def test_an_own_server_syncs_every_message(nats_server: NatsServer) -> None:
    """The server itself reports that it syncs always (T1)."""
    status, settings = nats_server.monitor("/jsz?config=true")
    assert status == 200
    assert '"sync_always": true' in settings


async def test_what_was_acknowledged_survives_kill9_and_restart(nats_server: NatsServer) -> None:
    """A restarted server has the same address, credentials and store."""
    async with _client(nats_server.url) as client:
        await client.jetstream().add_stream(name="KEPT", subjects=["kept"])
        await client.jetstream().publish("kept", b"1")

    first = nats_server.pid
    nats_server.kill9()
    assert not nats_server.alive
    nats_server.start()

    assert nats_server.pid != first
    async with _client(nats_server.url) as client:
        assert (await client.jetstream().stream_info("KEPT")).state.messages == 1


async def test_a_paused_server_answers_again_when_resumed(nats_server: NatsServer) -> None:
    """Pausing leaves connections open and silent; resuming loses nothing."""
    async with _client(nats_server.url) as client:
        nats_server.pause()
        with pytest.raises(TimeoutError):
            await client.jetstream(timeout=0.3).account_info()
        nats_server.resume()
        assert (await client.jetstream(timeout=5).account_info()).streams == 0


def test_another_program_on_the_port_is_never_taken_for_the_server(tmp_path: Path) -> None:
    """When the port is taken, starting fails with the server's own words."""
    server = NatsServer(tmp_path)
    with socket.create_server(("127.0.0.1", server.port)), pytest.raises(ServerFailed, match="address already in use"):
        server.start()
    assert not server.alive


async def test_a_cluster_keeps_a_replicated_stream_without_its_leader(nats_cluster: NatsCluster) -> None:
    """Three servers elect a leader, and elect another when it is killed."""
    async with _client(nats_cluster.url) as client:
        stream = client.jetstream(timeout=2)
        info = await eventually(
            lambda: stream.add_stream(name="KEPT", subjects=["kept"], num_replicas=3), ignoring=(NatsError,), timeout=20
        )
        await stream.publish("kept", b"1")
        assert info.cluster is not None
        assert info.cluster.leader is not None

        nats_cluster.server_named(info.cluster.leader).kill9()

        ack = await eventually(lambda: stream.publish("kept", b"2"), ignoring=(NatsError,), timeout=30)
        assert ack.seq >= 2
