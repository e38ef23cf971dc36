"""Places in the file system an operation may write to, and what stood there before (S12, B22).

Responsible for `Place`, one file name in a folder that was reached without following a symbolic link, and for
`Former`, the record an undo needs. Refuses to know who writes what.
"""

import errno
import json
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from services.executor.fault import PermanentFault, TransientFault

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_FORMER = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """A regular file's content, permission bits and owner (user and group id)."""

    content: bytes
    mode: int
    owner: tuple[int, int]


class Place:
    """One file name in an open folder."""

    def __init__(self, folder: int, name: str, shown: str) -> None:
        self._folder = folder
        self._name = name
        self.shown = shown

    @classmethod
    @contextmanager
    def open(cls, path: str, home: Path, roots: Sequence[Path], *, make_folders: bool) -> Iterator["Place"]:
        """Walk to `path`. Raises `PermanentFault` when it is outside of `home` and `roots`, or a link is on the way."""
        root, parts = _below(path, home, roots)
        shown = str(root.joinpath(*parts))
        folder = -1
        try:
            folder = os.open(os.path.realpath(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for part in parts[:-1]:
                inner = _enter(folder, part, make=make_folders)
                os.close(folder)
                folder = inner
            yield cls(folder, parts[-1], shown)
        except OSError as error:
            raise _fault(error, shown) from None
        finally:
            if folder >= 0:
                os.close(folder)

    def read(self) -> File | None:
        """Return the file, or None if there is none. Raises `PermanentFault` when it is not a regular file."""
        try:
            fd = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as stream:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                raise PermanentFault(f"{self.shown} is not a regular file.")
            if about.st_size > MAX_FORMER:
                raise PermanentFault(
                    f"{self.shown} is larger than {MAX_FORMER} bytes; it would not fit into the undo record."
                )
            return File(stream.read(), stat.S_IMODE(about.st_mode), (about.st_uid, about.st_gid))

    def replace(self, content: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
        """Put the file there, whole or not at all, and safe from a power cut once this returns."""
        temporary = f".{self._name[:100]}.{secrets.token_hex(6)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=self._folder)
        try:
            with os.fdopen(fd, "wb") as stream:
                stream.write(content)
                stream.flush()
                if owner is not None and os.geteuid() == 0:
                    os.fchown(fd, *owner)
                os.fchmod(fd, mode)
                os.fsync(fd)
            os.rename(temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._folder)
            raise
        os.fsync(self._folder)

    def remove(self) -> None:
        """Remove the file if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(self._name, dir_fd=self._folder)
        os.fsync(self._folder)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood at a place before (`file`, None for nothing) and the SHA-256 of all that was written there."""

    file: File | None
    written: tuple[str, ...]


class Former:
    """The record of one token's former content; `undone` afterwards, until the next write."""

    def __init__(self, folder: Path, token: str) -> None:
        self._folder = folder
        self._token = token

    @property
    def undone(self) -> bool:
        """Whether this token's work was taken back already."""
        return (self._folder / f"{self._token}.undone").exists()

    def load(self) -> Seen | None:
        """Return the record, or None when nothing was put aside."""
        try:
            about = json.loads((self._folder / f"{self._token}.json").read_bytes())
        except FileNotFoundError:
            return None
        if not about["existed"]:
            return Seen(None, tuple(about["written"]))
        content = (self._folder / f"{self._token}.content").read_bytes()
        user, group = about["owner"]
        return Seen(File(content, about["mode"], (user, group)), tuple(about["written"]))

    def save(self, seen: Seen) -> None:
        """Put the former content aside; complete before the record that names it exists."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about: dict[str, object] = {"existed": seen.file is not None, "written": seen.written}
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if seen.file is not None:
                about |= {"mode": seen.file.mode, "owner": seen.file.owner}
                Place(fd, f"{self._token}.content", str(self._folder)).replace(seen.file.content, 0o600)
            Place(fd, f"{self._token}.json", str(self._folder)).replace(json.dumps(about).encode(), 0o600)
            Place(fd, f"{self._token}.undone", str(self._folder)).remove()
        finally:
            os.close(fd)

    def forget(self) -> None:
        """Say that the work was taken back."""
        with suppress(FileNotFoundError):
            (self._folder / f"{self._token}.json").replace(self._folder / f"{self._token}.undone")
        (self._folder / f"{self._token}.content").unlink(missing_ok=True)


def _below(path: str, home: Path, roots: Sequence[Path]) -> tuple[Path, list[str]]:
    if not path.startswith("/"):
        return home, [part for part in path.split("/") if part not in {"", "."}]
    for root in (home, *roots):
        if Path(path).is_relative_to(root):
            return root, list(Path(path).relative_to(root).parts)
    allowed = ", ".join(str(root) for root in roots) or "none"
    raise PermanentFault(f"{path} lies outside of the folders this executor may write to ({allowed}).")


def _enter(folder: int, part: str, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        if not make:
            raise
        with suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=folder)
        return os.open(part, _FOLDER, dir_fd=folder)


def _fault(error: OSError, shown: str) -> PermanentFault | TransientFault:
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return PermanentFault(f"{shown}: a symbolic link or a file is on the way; links are not followed.")
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}:
        return TransientFault(f"{shown}: {error.strerror}.")
    return PermanentFault(f"{shown}: {error.strerror}.")
