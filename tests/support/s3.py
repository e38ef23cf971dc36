"""A real S3 server for tests: moto's, a process of its own on a free port, with buckets made by the official client.

Knows nothing of synchronisation. `strict` makes it check keys and permissions: only the root keys may do anything then.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import requests
from botocore.config import Config  # type: ignore[import-untyped]

from services.executor.operations.contract import Connection
from tests.support.process import ServerProcess, free_port

KEY, SECRET = "AKIAEXAMPLEEXAMPLE00", "an-example-of-a-secret-key"
REGION = "us-east-1"


class S3Server(ServerProcess):
    """moto's S3 in a process."""

    name = "s3"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._launch(argv, self._answers, timeout=30)

    def _answers(self) -> bool:
        return requests.get(f"{self.endpoint}/moto-api/", timeout=1).ok

    def strict(self) -> None:
        """From here on requests are signed by somebody known and allowed, or refused."""
        requests.post(f"{self.endpoint}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()

    def lenient(self) -> None:
        """Take any keys again."""
        requests.post(f"{self.endpoint}/moto-api/reset-auth", data="inf", timeout=5).raise_for_status()

    def client(self, service: str = "s3") -> Any:
        """The official client."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name=REGION,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def bucket(self, name: str) -> "Bucket":
        """A new bucket."""
        client = self.client()
        client.create_bucket(Bucket=name)
        return Bucket(client, name)

    def connection(self, name: str, bucket: str, **options: str) -> Connection:
        """A connection to a bucket, with keys that work."""
        return Connection(
            name,
            f"s3://{bucket}",
            {"endpoint": self.endpoint, "region": REGION, "allow_http": "true", **options},
            {"access_key_id": KEY, "secret_access_key": SECRET},
        )


class Bucket:
    """A bucket as the official client sees it."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name

    def put(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None, **more: str) -> None:
        """Store an object."""
        self._client.put_object(Bucket=self.name, Key=key, Body=body, Metadata=dict(metadata or {}), **more)

    def get(self, key: str) -> bytes:
        """Return an object's bytes."""
        body: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def sha256(self, key: str) -> str:
        """Return the hash of an object, read piece by piece."""
        digest = hashlib.sha256()
        for piece in self._client.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(1024 * 1024):
            digest.update(piece)
        return digest.hexdigest()

    def head(self, key: str) -> dict[str, Any]:
        """Return what is known of an object."""
        found: dict[str, Any] = self._client.head_object(Bucket=self.name, Key=key)
        return found

    def all(self) -> dict[str, bytes]:
        """Return every object."""
        found = self._client.list_objects_v2(Bucket=self.name, MaxKeys=1000).get("Contents", [])
        return {one["Key"]: self.get(one["Key"]) for one in found}

    def unfinished(self) -> list[str]:
        """Return the keys of uploads that were begun and neither finished nor taken back."""
        return [one["Key"] for one in self._client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """A server for the length of a block."""
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
