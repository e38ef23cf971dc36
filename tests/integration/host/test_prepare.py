"""`host.prepare` on a system in a folder: what it changes, that `check` changes nothing, that its undo undoes it."""

import os
from pathlib import Path

import pytest

from services.executor.operations.contract import ExecutorPolicy, PermanentFault
from tests.integration.host.conftest import Prepare, tree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="accounts and owners are changed by root alone: run as root")

WANTED = {
    "users": [{"name": "oper", "uid": 1500, "groups": ["docker"], "home": "/data", "comment": "Operator"}],
    "directories": [
        {"path": "/data/1", "owner": "oper", "group": "oper", "mode": "0750"},
        {"path": "/data/log", "owner": "oper"},
    ],
    "limits": [
        {"domain": "oper", "type": "soft", "item": "nofile", "value": 655350},
        {"domain": "*", "item": "core", "value": "unlimited"},
    ],
    "sysctl": {"vm.swappiness": "1", "net.ipv4.ip_local_port_range": "3500 65535"},
}


async def test_a_host_is_prepared(prepare: Prepare, image: Path) -> None:
    """Account, folders, limits and settings are there, with owner, mode and value."""
    await prepare(**WANTED).run()

    assert "oper:x:1500:1500:Operator:/data:/usr/sbin/nologin\n" in (image / "etc/passwd").read_text()
    assert "docker:x:990:oper\n" in (image / "etc/group").read_text()
    about = (image / "data/1").stat()
    assert (about.st_mode & 0o7777, about.st_uid, about.st_gid) == (0o750, 1500, 1500)
    limits = (image / "etc/security/limits.d/opsledger.conf").read_text().splitlines()
    assert limits[1:] == ["oper soft nofile 655350", "* - core unlimited"]
    assert "vm.swappiness = 1\n" in (image / "etc/sysctl.d/60-opsledger.conf").read_text()
    assert (image / "proc/sys/vm/swappiness").read_text() == "1\n"
    assert (image / "proc/sys/net/ipv4/ip_local_port_range").read_text() == "3500 65535\n"


async def test_a_check_changes_nothing_and_says_what_would(prepare: Prepare, image: Path) -> None:
    """Every step reports, also where it builds on what an earlier one would have made."""
    before = tree(image)
    looked = prepare(**WANTED, check=True)
    await looked.run()

    assert tree(image) == before
    says = [change for key in looked.keys for change in looked.outputs[key]["changes"]]
    root = str(image)
    assert says == [
        "make account oper",
        f"make {root}/data",
        f"make {root}/data/1",
        f"make {root}/data",
        f"make {root}/data/log",
        f"write {root}/etc/security/limits.d/opsledger.conf",
        f"write {root}/etc/sysctl.d/60-opsledger.conf",
        "set vm.swappiness from 60 to 1",
        "set net.ipv4.ip_local_port_range from 32768 60999 to 3500 65535",
    ]
    await looked.undo()
    assert tree(image) == before


async def test_prepared_twice_is_prepared_once(prepare: Prepare, image: Path) -> None:
    """A second task finds nothing to do, and its undo leaves the first one's work alone."""
    await prepare(**WANTED).run()
    before = tree(image)

    again = prepare(**WANTED, task_id=8)
    await again.run()

    assert [again.outputs[key]["changed"] for key in again.keys] == [False] * 5
    await again.undo()
    assert tree(image) == before


async def test_all_of_it_is_undone(prepare: Prepare, image: Path) -> None:
    """Accounts, folders, files and values are as before; undo is safe to repeat."""
    before = tree(image)
    done = prepare(**WANTED)
    await done.run()
    kept = dict(done.outputs)

    await done.undo()
    assert tree(image) == before
    for step in reversed(done.plan.subtasks):
        done.outputs = dict(kept)
        await done.undo_step(step.key)
    assert tree(image) == before


async def test_an_attempt_repeated_in_the_middle_still_knows_what_was_before(prepare: Prepare, image: Path) -> None:
    """Every step is run twice under its token, as after a crash; the undo restores what the first one found."""
    (image / "etc/sysctl.d/60-opsledger.conf").write_text("# before\n")
    before = tree(image)
    done = prepare(**WANTED)
    await done.run()
    done.outputs.clear()
    await done.run()

    await done.undo()

    assert tree(image) == before


async def test_an_account_that_is_there_keeps_its_number(prepare: Prepare, image: Path) -> None:
    """Shell and groups are brought in line and given back; another number is refused."""
    before = tree(image)
    done = prepare(users=[{"name": "ola", "shell": "/bin/bash", "groups": ["docker", "adm"]}])
    await done.run()
    assert "ola:x:2000:2000:Ola:/home/ola:/bin/bash" in (image / "etc/passwd").read_text()
    assert "docker:x:990:ola" in (image / "etc/group").read_text()
    assert done.outputs["user-ola"]["changes"][1:] == ["put ola into group docker"]

    await done.undo()
    assert tree(image) == before

    with pytest.raises(PermanentFault, match="its number is 2000, not 7"):
        await prepare(users=[{"name": "ola", "uid": 7}], task_id=8).run()


async def test_what_does_not_exist_is_named(prepare: Prepare, image: Path) -> None:
    """A group, an owner, a kernel setting: each is named before anything is changed."""
    before = tree(image)
    for params, says in (
        ({"users": [{"name": "x", "groups": ["nobodys"]}]}, "no group nobodys"),
        ({"directories": [{"path": "/d", "owner": "ghost"}]}, "no user 'ghost'"),
        ({"sysctl": {"vm.swappiness": "1", "vm.imaginary": "1"}}, "vm.imaginary cannot be read"),
    ):
        with pytest.raises(PermanentFault, match=says):
            await prepare(**params).run()
    assert tree(image) == before


async def test_a_folder_with_somebodys_files_is_not_removed(prepare: Prepare, image: Path) -> None:
    """The undo stops and says what to do; when the file is gone it goes on."""
    done = prepare(directories=[{"path": "/data/1"}])
    await done.run()
    (image / "data/1/theirs").write_text("x")

    with pytest.raises(PermanentFault, match=r"data/1 holds what this task did not make"):
        await done.undo()

    (image / "data/1/theirs").unlink()
    await done.undo()
    assert not (image / "data").exists()


async def test_a_folder_that_is_there_gets_its_owner_and_mode_back(prepare: Prepare, image: Path) -> None:
    """Nothing is removed that was there before."""
    (image / "data").mkdir(mode=0o700)
    before = tree(image)
    done = prepare(directories=[{"path": "/data", "owner": "ola", "mode": "2775"}])
    await done.run()
    assert (image / "data").stat().st_mode & 0o7777 == 0o2775
    assert (image / "data").stat().st_uid == 2000

    await done.undo()
    assert tree(image) == before


async def test_links_lead_nowhere(prepare: Prepare, image: Path, tmp_path: Path) -> None:
    """A link on the way is refused, for folders and for files; what it points at is untouched."""
    (tmp_path / "outside").mkdir()
    (image / "data").symlink_to(tmp_path / "outside")
    (image / "etc/security/limits.d").rmdir()
    (image / "etc/security/limits.d").symlink_to(tmp_path / "outside")

    with pytest.raises(PermanentFault, match="symbolic link"):
        await prepare(directories=[{"path": "/data/1"}]).run()
    with pytest.raises(PermanentFault, match="symbolic link"):
        await prepare(limits=[{"domain": "*", "item": "core", "value": 0}]).run()

    assert list((tmp_path / "outside").iterdir()) == []


async def test_only_where_the_executor_may_write(prepare: Prepare, image: Path) -> None:
    """Outside of the file roots everything is refused with the setting to change."""
    for params in ({"directories": [{"path": "/data"}]}, {"sysctl": {"vm.swappiness": "1"}}):
        done = prepare(**params)
        done.policy = ExecutorPolicy()
        with pytest.raises(PermanentFault, match="OPSLEDGER_FILE_ROOTS"):
            await done.run()


async def test_a_file_that_somebody_changed_since_is_left(prepare: Prepare, image: Path) -> None:
    """The undo does not throw an edit away."""
    done = prepare(limits=[{"domain": "*", "item": "core", "value": 0}])
    await done.run()
    path = image / "etc/security/limits.d/opsledger.conf"
    path.write_text("theirs\n")

    with pytest.raises(PermanentFault, match="changed by somebody else"):
        await done.undo()

    assert path.read_text() == "theirs\n"


async def test_undo_on_another_host_says_so(prepare: Prepare, image: Path, tmp_path: Path) -> None:
    """Where the record is not, nothing is guessed."""
    done = prepare(limits=[{"domain": "*", "item": "core", "value": 0}])
    await done.run()
    (tmp_path / "files/.undo").rename(tmp_path / "elsewhere")

    with pytest.raises(PermanentFault, match="no record of what was there before"):
        await done.undo()


async def test_without_root_it_says_so(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kind of step names what it needs; a check needs nothing."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for key, value in WANTED.items():
        params = {key: value} if key != "directories" else {key: [{"path": "/data"}]}
        with pytest.raises(PermanentFault, match=r"needs root.*runs as user 1000"):
            await prepare(**params).run()
        await prepare(**params, check=True, task_id=8).run()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"users": [{"name": "-rf"}]},
        {"users": [{"name": "x", "comment": "a:b"}]},
        {"directories": [{"path": "/a/../etc"}]},
        {"directories": [{"path": "relative"}]},
        {"limits": [{"domain": "x\ny", "item": "core", "value": 0}]},
        {"sysctl": {"../../etc/passwd": "x"}},
        {"sysctl": {"vm.swappiness": "1\nkernel.core_pattern = |x"}},
        {"packages": ["--option=x"]},
    ],
)
def test_what_could_harm_makes_no_plan(prepare: Prepare, params: dict[str, object]) -> None:
    """Names, paths and values that could mean something else are refused at once."""
    with pytest.raises(PermanentFault, match="do not fit"):
        prepare(**params)
