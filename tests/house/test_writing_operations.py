"""The author's guide is true: its package is the example's, its commands and its tests run, its tables are complete."""

import re
from pathlib import Path

import pytest

from opsledger import kit
from opsledger.kit import ExecutorPolicy, Operation
from services.executor.operations.contract import Context
from tests.support.author import EXAMPLE, Author
from tests.support.guide import BLOCKS, TEXT, blocks

pytestmark = pytest.mark.xdist_group("author")

WORKBENCH = Path(kit.__file__).parent / "workbench"
INNER = {"resolve_secret", "resolve_connection", "keep_secret", "on_progress", "children"}
"""What a context is made with, behind the methods that authors call."""


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    """A machine where the example is installed."""
    made = Author(tmp_path_factory.mktemp("author"))
    made.install()
    return made


def test_every_block_is_of_a_kind_that_a_test_runs() -> None:
    """Files, commands with what they print, commands against a server, and Python."""
    kinds = {(block.language, block.word) for block in BLOCKS}
    files = {(language, word) for language, word in kinds if (EXAMPLE / word).is_file()}

    assert kinds - files == {("sh", ""), ("sh", "server"), ("text", ""), ("python", "")}


def test_the_guides_files_are_the_examples() -> None:
    """What is read is what is installed: all of it."""
    shown = {block.word: block.body for block in BLOCKS if (EXAMPLE / block.word).is_file() and block.word}
    there = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*.*") if path.suffix in {".py", ".toml"}}

    assert {name: (EXAMPLE / name).read_text(encoding="utf-8") for name in shown} == shown
    assert there - set(shown) == {"src/acme_operations/__init__.py"}


def test_the_operation_is_short_enough_to_be_read() -> None:
    """About thirty lines of work, a test of about ten."""
    code = (EXAMPLE / "src/acme_operations/publish.py").read_text(encoding="utf-8")
    test = (EXAMPLE / "tests/test_rollout.py").read_text(encoding="utf-8")
    [shown] = re.findall(r"(async def test_a_rollout_is_undone.*?)\n\n\n", test, flags=re.DOTALL)

    assert len([line for line in code.splitlines() if line.strip()]) <= 60
    assert len([line for line in shown.splitlines() if line.strip()]) <= 10


def test_the_guides_commands_do_what_it_says(author: Author) -> None:
    """In order, as a reader would type them; what it shows as printed is printed."""
    told = []
    for script in blocks("sh"):
        ran = author.sh(script)
        assert ran.returncode == 0, script + ran.stdout + ran.stderr
        told.append("\n".join(line.rstrip() for line in ran.stdout.splitlines()).strip())

    for shown in blocks("text"):
        assert shown.strip() in told
    assert "2 offers: nothing to mend" in "".join(told)


def test_the_guides_samples_work(author: Author) -> None:
    """Its Python blocks are one module, and the tests in it pass."""
    (author.package / "test_guide.py").write_text("\n\n".join(blocks("python")), encoding="utf-8")

    ran = author.sh("pytest -q -W error test_guide.py")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{sum(body.count('async def test_') for body in blocks('python'))} passed" in ran.stdout


def test_the_guide_names_what_there_is() -> None:
    """Everything of the kit, every class variable, every field of the context, and the inherited environment."""
    variables = [name for name in Operation.__annotations__ if name != "Params"]
    fields = [name for name in Context.__slots__ if name not in INNER]
    names = {*kit.__all__, *variables, *fields, *ExecutorPolicy().env_allow}

    assert [name for name in sorted(names) if not re.search(rf"`[^`\n]*\b{re.escape(name)}", TEXT)] == []


def test_every_rule_of_the_lint_is_explained() -> None:
    """What the lint may say has a row, and no row is about nothing."""
    code = "".join(path.read_text(encoding="utf-8") for path in WORKBENCH.glob("lint*.py"))
    said = set(re.findall(r'(?:"(?:error|warning|hint)", [\w.]+, |\*\(subject, )"([a-z-]+)"', code))
    section = TEXT.partition("## The lint")[2].partition("## ")[0]
    first = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    rows = {rule for cell in first for rule in re.findall(r"`([a-z-]+)`", cell)}

    assert said == rows
