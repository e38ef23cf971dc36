"""`host.packages` with the real apt-get: in a folder with an archive of two tiny packages, and once on this machine."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.executor.operations.contract import ExecutorPolicy, PermanentFault, TransientFault
from tests.integration.host.conftest import Prepare

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="packages are installed by root alone: run as root"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get: run on Debian"),
]


def _package(archive: Path, name: str, depends: str = "", version: str = "1.0") -> str:
    folder = archive / f"{name}-{version}"
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "opt").mkdir()
    (folder / f"opt/{name}").write_text(version)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\n"
    control += f"Depends: {depends}\n" if depends else ""
    control += "Description: a test\n"
    (folder / "DEBIAN/control").write_text(control)
    file = archive / f"{name}_{version}.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(folder), str(file)], check=True, capture_output=True
    )
    size = file.stat().st_size
    digest = subprocess.run(["sha256sum", str(file)], check=True, capture_output=True, text=True).stdout.split()[0]
    return f"{control}Filename: ./{file.name}\nSize: {size}\nSHA256: {digest}\n\n"


@pytest.fixture
def debian(image: Path, tmp_path: Path) -> Path:
    """The image with dpkg's and apt's folders and a source of packages on this disk."""
    archive = tmp_path / "archive"
    archive.mkdir()
    index = (
        _package(archive, "tiny-lib")
        + _package(archive, "tiny-tool", "tiny-lib")
        + _package(archive, "tiny-user", "tiny-tool")
    )
    (archive / "Packages").write_text(index)
    for name in ("etc/apt", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/log/apt"):
        (image / name).mkdir(parents=True)
    for name in (
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "etc/apt/trusted.gpg.d",
        "var/cache/apt/archives/partial",
    ):
        (image / name).mkdir(parents=True)
    (image / "var/lib/dpkg/status").touch()
    (image / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{archive} ./\n")
    return image


def _files(image: Path) -> list[str]:
    return sorted(path.name for path in (image / "opt").iterdir()) if (image / "opt").exists() else []


async def test_packages_come_with_what_they_need_and_go_again(prepare: Prepare, debian: Path) -> None:
    """The dependency is named in the output, and the undo removes both."""
    done = prepare(packages=["tiny-tool"], update=True)
    await done.run()
    assert _files(debian) == ["tiny-lib", "tiny-tool"]
    assert done.outputs["packages"]["come"] == ["tiny-lib", "tiny-tool"]

    again = prepare(packages=["tiny-tool"], task_id=8)
    await again.run()
    assert again.outputs["packages"]["changed"] is False
    await again.undo()
    assert _files(debian) == ["tiny-lib", "tiny-tool"]

    await done.undo()
    assert _files(debian) == []


async def test_a_check_installs_nothing(prepare: Prepare, debian: Path) -> None:
    """It says what would come."""
    await prepare(packages=["tiny-lib"], update=True).run()

    looked = prepare(packages=["tiny-tool", "tiny-lib"], check=True, task_id=8)
    await looked.run()

    assert looked.outputs["packages"]["changes"] == ["install tiny-tool"]
    assert _files(debian) == ["tiny-lib"]


async def test_what_was_there_before_stays(prepare: Prepare, debian: Path) -> None:
    """The dependency was installed already: the undo leaves it, also after a repeated attempt."""
    await prepare(packages=["tiny-lib"], update=True, task_id=6).run()
    done = prepare(packages=["tiny-tool"])
    await done.run()
    done.outputs.clear()
    await done.run()

    await done.undo()

    assert _files(debian) == ["tiny-lib"]


async def test_what_others_need_by_now_is_not_removed(prepare: Prepare, debian: Path) -> None:
    """Somebody installed something that builds on it."""
    done = prepare(packages=["tiny-tool"], update=True)
    await done.run()
    await prepare(packages=["tiny-user"], task_id=8).run()

    with pytest.raises(PermanentFault, match="would also remove tiny-user"):
        await done.undo()

    assert _files(debian) == ["tiny-lib", "tiny-tool", "tiny-user"]


async def test_an_unknown_package_is_named(prepare: Prepare, debian: Path) -> None:
    """With what to do about it."""
    with pytest.raises(PermanentFault, match=r"Unable to locate package no-such-thing.*correct the name"):
        await prepare(packages=["no-such-thing"]).run()


async def test_upgrades_are_refused_unless_allowed(prepare: Prepare, debian: Path, tmp_path: Path) -> None:
    """An installation that pulls a newer version of what is there cannot be undone, so it is not begun."""
    await prepare(packages=["tiny-lib"], update=True, task_id=6).run()
    archive = tmp_path / "archive"
    newer = _package(archive, "tiny-lib", version="2.0") + _package(archive, "tiny-new", "tiny-lib (>= 2.0)")
    (archive / "Packages").write_text((archive / "Packages").read_text() + newer)

    with pytest.raises(PermanentFault, match="would upgrade tiny-lib"):
        await prepare(packages=["tiny-new"], update=True).run()

    assert (debian / "opt/tiny-lib").read_text() == "1.0"


async def test_an_archive_that_is_gone_may_come_back(prepare: Prepare, debian: Path, tmp_path: Path) -> None:
    """Transient: the source cannot be read at the moment."""
    await prepare(packages=["tiny-lib"], update=True, task_id=6).run()
    (tmp_path / "archive/tiny-tool_1.0.deb").unlink()

    with pytest.raises(TransientFault, match="Failed to fetch"):
        await prepare(packages=["tiny-tool"]).run()


@pytest.mark.long
async def test_a_package_and_an_account_of_this_machine(prepare: Prepare) -> None:
    """A tiny package and a system account come and go, on the system itself."""

    def there() -> tuple[bool, Any]:
        name = "opsledger-try"
        return shutil.which("hello") is not None, name in Path("/etc/passwd").read_text()

    if there() != (False, False):
        pytest.skip("this machine has the package or the account already")
    done = prepare(root="/", packages=["hello"], users=[{"name": "opsledger-try", "system": True}])
    before = [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")]
    try:
        await done.run()
        assert there() == (True, True)
    finally:
        await done.undo()
    assert there() == (False, False)
    assert [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")] == before


@pytest.mark.long
async def test_a_setting_of_this_machine(prepare: Prepare) -> None:
    """The running kernel takes the value and gives the former one back; the file comes and goes."""
    value, file = Path("/proc/sys/vm/stat_interval"), Path("/etc/sysctl.d/60-opsledger-try.conf")
    before = value.read_text()
    wanted = str(int(before) + 1)
    done = prepare(root="/", name="opsledger-try", sysctl={"vm.stat_interval": wanted})
    done.policy = ExecutorPolicy(file_roots=(file.parent,))
    try:
        await done.run()
        assert value.read_text().strip() == wanted
        assert f"vm.stat_interval = {wanted}" in file.read_text()
    except PermanentFault as error:
        assert "cannot be set" in error.message  # noqa: PT017 - in most containers
        pytest.skip(error.message)
    finally:
        await done.undo()
        assert (value.read_text(), file.exists()) == (before, False)
