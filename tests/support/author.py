"""An author's machine as a test's own: a virtual environment that has opsledger, with a package of the author's in it.

Nothing is fetched: the environment sees this one's packages, and pip builds with what is installed here.
"""

import contextlib
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.process import setpriv
from tests.support.up import environment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "acme-operations"
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value, not the name
    "PIP_NO_CACHE_DIR": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


class Author:
    """A virtual environment below `folder`, and a copy of a package that is installed in it."""

    def __init__(self, folder: Path, package: Path = EXAMPLE) -> None:
        self.folder = folder
        self.package = folder / package.name
        self.bin = folder / "venv" / "bin"
        shutil.copytree(package, self.package, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", ".*"))
        self._run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
        self._see_ours()
        self._give_program()

    def install(self) -> None:
        """Install the package as a user would, with pip, from its folder."""
        ran = self.sh("pip install --quiet .")
        assert ran.returncode == 0, ran.stdout + ran.stderr

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.bin / "python"

    def env(self, **extra: str) -> dict[str, str]:
        """What an activated environment gives a shell, without anybody's opsledger settings."""
        ours = Path(sys.executable).parent  # uv-build, which pip starts
        given = environment(VIRTUAL_ENV=str(self.bin.parent), **OFFLINE, **extra)
        return {**given, "PATH": os.pathsep.join([str(self.bin), str(ours), given.get("PATH", "")])}

    def sh(self, script: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a script of bash in the package's folder; the first command that fails ends it."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.package,
            env=self.env(OPSLEDGER_DATA_DIR=str(self.folder / "data"), **extra),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    @contextlib.contextmanager
    def background(self, *words: str, log: Path, **extra: str) -> Iterator[subprocess.Popen[bytes]]:
        """Keep a program of the environment running, killed at the end of the block; it writes to `log`."""
        with log.open("wb") as sink:
            started = subprocess.Popen(
                [*setpriv("--pdeathsig", "KILL"), str(self.bin / words[0]), *words[1:]],
                cwd=self.folder,
                env=self.env(OPSLEDGER_DATA_DIR=str(self.folder / "data"), **extra),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                process_group=0,
            )
        try:
            yield started
        finally:
            started.kill()
            started.wait()

    def _see_ours(self) -> None:
        """Let the environment see this one's packages, editable ones included."""
        [packages] = (self.bin.parent / "lib").glob("python*/site-packages")
        lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
        (packages / "ours.pth").write_text(lines, encoding="utf-8")

    def _give_program(self) -> None:
        """Put the programs there that pip would, had it installed them."""
        names = {"opsledger": "opsledger.cli.app.main", "pytest": "pytest.main", "pip": "pip._internal.cli.main.main"}
        for name, function in names.items():
            module = function.rpartition(".")[0]
            program = self.bin / name
            program.write_text(f"#!{self.python}\nimport sys, {module}\nsys.exit({function}())\n", encoding="utf-8")
            program.chmod(0o755)

    def _run(self, *argv: str) -> None:
        ran = subprocess.run(
            argv, cwd=self.folder, env=self.env(), capture_output=True, text=True, timeout=100, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
