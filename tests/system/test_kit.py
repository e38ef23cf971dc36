"""An author's package from pip to a running system: installed, tried, offered by an executor, run and rolled back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.author import Author
from tests.support.eventually import eventually_sync
from tests.support.guide import blocks
from tests.support.rest import Rest
from tests.support.up import Up

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("author")]


class Acme:
    """A system whose only executor has the author's package."""

    def __init__(self, up: Up, rest: Rest, author: Author) -> None:
        self.up, self.rest, self.author = up, rest, author

    @property
    def files(self) -> Path:
        """The executor's folder."""
        return self.up.data_dir / "files"

    def release(self, site: str, name: str, *, page: str = "") -> None:
        """Upload a release; without a page it is broken."""
        folder = self.files / site / name
        folder.mkdir(parents=True)
        if page:
            (folder / "index.html").write_text(page, encoding="utf-8")

    def current(self, site: str) -> str:
        """The page that a site shows."""
        return (self.files / site / "current" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    """`opsledger up` without an executor, and one from the author's own environment that joins it."""
    folder = tmp_path_factory.mktemp("acme")
    author = Author(folder)
    author.install()
    log = folder / "executor.log"
    with (
        Up(folder, executors=0) as up,
        Rest(up.url, up.password) as rest,
        author.background("opsledger", "executor", log=log, OPSLEDGER_ACK_WAIT_SECONDS="3"),
    ):
        eventually_sync(
            lambda: rest.http.get("/api/v2/task-types/acme.rollout").status_code == 200,
            timeout=60,
            what="the executor offers acme.rollout",
        )
        made = Acme(up, rest, author)
        made.release("shop", "2.0", page="hello")
        yield made


def test_the_packages_own_tests_pass_where_it_is_installed(acme: Acme) -> None:
    """With the plugin that opsledger brings, from the installed package and not from its folder."""
    ran = acme.author.sh("cd tests && pytest -q && python -c 'import acme_operations; print(acme_operations.__file__)'")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout
    assert "/venv/" in ran.stdout


def test_a_task_of_its_type_succeeds(acme: Acme) -> None:
    """Created over REST, run by the executor that has the package."""
    task = acme.rest.ended(
        acme.rest.create({"type": "acme.rollout", "params": {"sites": ["shop"], "release": "2.0"}})["id"]
    )

    assert task["state"] == "SUCCESSFUL", task
    assert acme.current("shop") == "hello"


def test_a_broken_rollout_is_rolled_back(acme: Acme) -> None:
    """The second site's release has no page: its check fails, and a rollback takes both sites back."""
    for site in ("news", "docs"):
        acme.release(site, "1.0", page=f"{site} of old")
        (acme.files / site / "current").symlink_to("1.0")
    acme.release("news", "2.0", page="news of today")
    acme.release("docs", "2.0")
    created = acme.rest.create({"type": "acme.rollout", "params": {"sites": ["news", "docs"], "release": "2.0"}})
    failed = acme.rest.ended(created["id"])
    assert failed["state"] == "FAILED"
    assert acme.current("news") == "news of today"

    answer = acme.rest.http.post(f"/api/v2/tasks/instances/{created['id']}/rollback", json={})
    assert answer.is_success, answer.text
    undone = acme.rest.ended(created["id"])

    assert (undone["state"], undone["operation"]) == ("SUCCESSFUL", "ROLLBACK")
    assert [acme.current(site) for site in ("news", "docs")] == ["news of old", "docs of old"]


def test_the_guides_commands_work_against_the_server(acme: Acme) -> None:
    """What the guide says to type once the package is on the executors."""
    [script] = blocks("sh", "server")

    ran = acme.author.sh(script)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    [row] = [line for line in ran.stdout.splitlines() if line.startswith("acme.rollout")]
    assert row.split()[3:5] == ["v1", "v1"]
