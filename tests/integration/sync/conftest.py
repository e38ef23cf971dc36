"""Stores to synchronise between, and one way to read what came of it."""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sync.stores import Folder
from tests.support import s3
from tests.support.s3 import Bucket, S3Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server that tests of this run share."""
    with s3.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """An empty bucket."""
    return s3_server.bucket(f"bucket-{os.getpid()}-{next(_numbers)}-{time.time_ns()}")


@pytest.fixture
def bucket_b(s3_server: S3Server) -> Bucket:
    """Another empty bucket."""
    return s3_server.bucket(f"other-{os.getpid()}-{next(_numbers)}-{time.time_ns()}")


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    """An empty folder to read from."""
    return Folder.new(tmp_path / "source")


@pytest.fixture
def destination(tmp_path: Path) -> Folder:
    """An empty folder to write to."""
    return Folder.new(tmp_path / "destination")
