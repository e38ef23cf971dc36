"""`file.write` on a real file system: atomic, idempotent, undone, and never outside of its folders (S12, B22)."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from opsledger.kit import ExecutorPolicy, PermanentFault
from services.executor.operations.file_write import FileWrite


async def test_a_file_is_written_with_its_mode(run_operation: Any, operation_files: Path) -> None:
    """Folders on the way are made, the mode is set, and no temporary file is left."""
    ran = await run_operation(FileWrite(), {"path": "a/b/c.conf", "content": "ü\n", "mode": "0640"})

    target = operation_files / "a/b/c.conf"
    assert target.read_text(encoding="utf-8") == "ü\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert ran.output["path"] == str(target)
    assert (ran.output["bytes"], ran.output["existed"], ran.output["changed"]) == (3, False, True)
    assert [item.name for item in target.parent.iterdir()] == ["c.conf"]


async def test_writing_again_changes_nothing(run_operation: Any, operation_files: Path) -> None:
    """A redelivery finds its own work: same file, same inode, and still the right thing to undo."""
    params = {"path": "x", "content": "new"}
    (operation_files / "x").write_text("old", encoding="utf-8")
    await run_operation(FileWrite(), params)
    inode = (operation_files / "x").stat().st_ino

    ran = await run_operation(FileWrite(), params, attempt=2)
    assert not ran.output["changed"]
    assert (operation_files / "x").stat().st_ino == inode

    await run_operation(FileWrite(), params, phase="undo", output=ran.output)
    assert (operation_files / "x").read_text(encoding="utf-8") == "old"


async def test_undo_removes_what_was_not_there(run_operation: Any, operation_files: Path) -> None:
    """Undo is repeatable, also when nothing is left to do."""
    params = {"path": "new.txt", "content": "x"}
    ran = await run_operation(FileWrite(), params)

    for _ in range(2):
        await run_operation(FileWrite(), params, phase="undo", output=ran.output)

    assert not (operation_files / "new.txt").exists()


async def test_undo_restores_content_mode_and_owner(run_operation: Any, operation_files: Path) -> None:
    """What stood there before comes back as it was."""
    target = operation_files / "x"
    target.write_bytes(b"\x00\xff before")
    target.chmod(0o600)
    params = {"path": "x", "content": "after"}
    ran = await run_operation(FileWrite(), params)

    await run_operation(FileWrite(), params, phase="undo", output=ran.output)

    assert target.read_bytes() == b"\x00\xff before"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_after_an_undo_the_next_attempt_remembers_anew(run_operation: Any, operation_files: Path) -> None:
    """An automatic retry undoes and executes under the same token; the second undo restores what the second found."""
    target = operation_files / "x"
    target.write_text("one", encoding="utf-8")
    params = {"path": "x", "content": "ours"}
    await run_operation(FileWrite(), params)
    await run_operation(FileWrite(), params, phase="undo", output=None)
    target.write_text("two", encoding="utf-8")

    ran = await run_operation(FileWrite(), params, attempt=2)
    await run_operation(FileWrite(), params, phase="undo", output=ran.output)

    assert target.read_text(encoding="utf-8") == "two"


async def test_undo_leaves_somebody_elses_change_alone(run_operation: Any, operation_files: Path) -> None:
    """A file that was edited since is not overwritten."""
    params = {"path": "x", "content": "ours"}
    ran = await run_operation(FileWrite(), params)
    (operation_files / "x").write_text("theirs", encoding="utf-8")

    with pytest.raises(PermanentFault, match="changed by somebody else"):
        await run_operation(FileWrite(), params, phase="undo", output=ran.output)

    assert (operation_files / "x").read_text(encoding="utf-8") == "theirs"


async def test_undo_of_an_attempt_that_did_nothing_is_nothing(run_operation: Any) -> None:
    """An attempt that failed before it wrote has nothing to take back."""
    ran = await run_operation(FileWrite(), {"path": "x", "content": "y"}, phase="undo", output=None)

    assert ran.log == ["Nothing to undo."]


async def test_undo_on_another_host_says_so(run_operation: Any) -> None:
    """Where the record is missing, a person has to look."""
    with pytest.raises(PermanentFault, match="no record of what was there before"):
        await run_operation(FileWrite(), {"path": "x", "content": "y"}, phase="undo", output={"path": "x"})


async def test_without_overwrite_an_existing_file_stays(run_operation: Any, operation_files: Path) -> None:
    """Somebody's file is refused; our own, written by an earlier delivery, is not."""
    params = {"path": "x", "content": "ours", "overwrite": False}
    await run_operation(FileWrite(), params)
    await run_operation(FileWrite(), params, attempt=2)

    with pytest.raises(PermanentFault, match="exists already"):
        await run_operation(FileWrite(), params, generation=2)


async def test_content_comes_from_an_upstream(run_operation: Any, operation_files: Path) -> None:
    """A field of an upstream's output, text as it is and anything else as JSON."""
    upstreams = {"findings": {"data": {"report": "# Report\n", "rows": [{"n": 1}, {"n": 2}]}}}
    text = {"upstream": "findings", "field": "data.report"}
    rows = {"upstream": "findings", "field": "data.rows.1"}

    await run_operation(FileWrite(), {"path": "r.md", "content_from": text}, upstreams=upstreams)
    await run_operation(FileWrite(), {"path": "r.json", "content_from": rows}, upstreams=upstreams, generation=2)

    assert (operation_files / "r.md").read_text(encoding="utf-8") == "# Report\n"
    assert (operation_files / "r.json").read_text(encoding="utf-8") == '{\n  "n": 2\n}'


@pytest.mark.parametrize("field", ["nothing", "data.report.x", "rows.9"])
async def test_a_missing_field_is_named(run_operation: Any, field: str) -> None:
    """A field that is not there will not be there next time."""
    params = {"path": "x", "content_from": {"upstream": "up", "field": field}}

    with pytest.raises(PermanentFault, match=f"has no field '{field}'"):
        await run_operation(FileWrite(), params, upstreams={"up": {"data": {"report": "r"}, "rows": []}})


async def test_absolute_paths_need_a_root(run_operation: Any, tmp_path: Path) -> None:
    """Only below the roots of the policy."""
    allowed, other = tmp_path / "allowed", tmp_path / "allowed-not"
    allowed.mkdir()
    other.mkdir()
    policy = ExecutorPolicy(file_roots=(allowed,))

    await run_operation(FileWrite(), {"path": f"{allowed}/x", "content": "y"}, policy=policy)
    for path in (f"{other}/x", "/etc/opsledger-test"):
        with pytest.raises(PermanentFault, match="outside of the folders"):
            await run_operation(FileWrite(), {"path": path, "content": "y"}, policy=policy)

    assert (allowed / "x").exists()
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("link", ["folder", "file", "dangling"])
async def test_symbolic_links_lead_nowhere(
    run_operation: Any, operation_files: Path, tmp_path: Path, link: str
) -> None:
    """A planted link is neither followed nor read through, whether it is a folder or the file itself."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("theirs", encoding="utf-8")
    targets = {"folder": outside, "file": outside / "secret", "dangling": outside / "nothing"}
    (operation_files / "link").symlink_to(targets[link])
    path = "link/secret" if link == "folder" else "link"

    with pytest.raises(PermanentFault, match="links are not followed"):
        await run_operation(FileWrite(), {"path": path, "content": "ours"})

    assert (outside / "secret").read_text(encoding="utf-8") == "theirs"
    assert [item.name for item in outside.iterdir()] == ["secret"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..", "a/", "", ".", "a\0b", "/etc/../x", "/"])
def test_paths_that_climb_are_refused(path: str) -> None:
    """No `..`, no NUL, no folder."""
    with pytest.raises(PermanentFault, match=r"parameters of file\.write do not fit"):
        FileWrite().parse({"path": path, "content": "x"})


async def test_only_regular_files_are_replaced(run_operation: Any, operation_files: Path) -> None:
    """A fifo or a folder in the place is left alone, and does not hang the executor."""
    os.mkfifo(operation_files / "fifo")
    (operation_files / "folder").mkdir()

    with pytest.raises(PermanentFault, match="not a regular file"):
        await run_operation(FileWrite(), {"path": "fifo", "content": "x"})
    with pytest.raises(PermanentFault):
        await run_operation(FileWrite(), {"path": "folder", "content": "x"})


def test_one_source_of_content() -> None:
    """Either the content or where it comes from."""
    for params in ({"path": "x"}, {"path": "x", "content": "", "content_from": {"upstream": "u"}}):
        with pytest.raises(PermanentFault, match="exactly one of content and content_from"):
            FileWrite().parse(params)
