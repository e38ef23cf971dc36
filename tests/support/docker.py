"""Whether a Docker engine can lend a test a server, and which images those servers have.

Images are read from `compose.yaml`, so that tests run what is shipped. Knows nothing of NATS and PostgreSQL. Every
question is answered within seconds, also where no engine, or no registry, can be reached.

Environment: OPSLEDGER_TEST_DOCKER=0 says that there is no engine, whatever is installed.
"""

import contextlib
import functools
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
from requests.exceptions import RequestException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import DockerClient, get_docker_host

ROOT = Path(__file__).parents[2]
PROBE_SECONDS = 4
PULL_SECONDS = 300
_UNREACHABLE = (DockerException, RequestException, OSError)


def compose_image(repository: str) -> str:
    """The one image of `repository` that compose.yaml names, with its tag; LookupError when there are more or none."""
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    images = set(re.findall(rf"^\s*image:\s*[\"']?({re.escape(repository)}[:@][^\s\"'#]+)", text, flags=re.MULTILINE))
    if len(images) != 1:
        raise LookupError(f"compose.yaml names {len(images)} images of {repository}: {sorted(images)}")
    return str(images.pop())


@contextlib.contextmanager
def _client(timeout: float) -> Iterator[Any]:
    client: Any = DockerClient(timeout=timeout).client  # docker-py carries no types
    try:
        yield client
    finally:
        client.close()


def _somebody_listens() -> bool:
    # docker-py forgets to close its socket when nobody listens there, which this project's tests count as an error.
    host = get_docker_host() or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(host.removeprefix("unix://")) == 0


@functools.cache
def engine_version() -> str | None:
    """The version of the Docker engine that answers, or None."""
    if os.environ.get("OPSLEDGER_TEST_DOCKER", "") == "0" or not _somebody_listens():
        return None
    try:
        with _client(PROBE_SECONDS) as client:
            return str(client.version()["Version"])
    except _UNREACHABLE:
        return None


def image_is_local(image: str) -> bool:
    """Whether the engine has the image already."""
    try:
        with _client(PROBE_SECONDS) as client:
            client.images.get(image)
    except _UNREACHABLE:
        return False
    return True


@functools.cache
def image_at_hand(image: str) -> bool:
    """Whether a container of this image can be had: an engine answers, and it has the image or its registry does."""
    if engine_version() is None:
        return False
    if image_is_local(image):
        return True
    try:
        with _client(PROBE_SECONDS) as client:
            client.images.get_registry_data(image)
    except _UNREACHABLE:
        return False
    return True


def fetch(image: str) -> None:
    """Make the image local, and let testcontainers do without its reaper where that image is not local.

    The reaper is a second net only: every fixture removes its own container.
    """
    try:
        with _client(PULL_SECONDS) as client:
            client.images.get(image)
    except ImageNotFound:
        with _client(PULL_SECONDS) as client:
            client.images.pull(image)
    if not image_is_local(testcontainers_config.ryuk_image):
        testcontainers_config.ryuk_disabled = True
