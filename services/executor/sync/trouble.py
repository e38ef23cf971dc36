"""What stores say when they refuse, in words a person can act on.

Responsible for telling apart what may go away, what concerns one object and what concerns the whole store. Never
repeats what a store wrote: its answers quote keys and requests.
"""

import os
import re
from dataclasses import dataclass
from errno import EACCES, EDQUOT, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOSPC, ENOTDIR, EPERM, EROFS, ETIMEDOUT
from typing import Final

from services.executor.fault import Fault, PermanentFault, TransientFault

_CODE: Final = re.compile(r"<Code>([A-Za-z0-9_.-]{1,80})</Code>")
_STATUS: Final = re.compile(r"status code: (\d{3})")
_ERRNO: Final = re.compile(r"\(os error (\d{1,4})\)")
_KEYS: Final = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed", "InvalidToken"})
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_BUSY: Final = frozenset({"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "ServerBusy"})
_ERRNOS: Final = {
    ENOSPC: ("DiskFull", "the disk is full: free space there, then retry"),
    EDQUOT: ("DiskFull", "the quota is used up: free space there, then retry"),
    EACCES: ("AccessDenied", "no permission: let the executor's user read and write there"),
    EPERM: ("AccessDenied", "no permission: let the executor's user read and write there"),
    EROFS: ("AccessDenied", "the file system is read-only: mount it for writing, or take another folder"),
    ENAMETOOLONG: ("KeyTooLong", "the name is too long for this file system"),
    ENOTDIR: ("NameTaken", "a part of the name is a file there, so no folder of that name can be made"),
    EISDIR: ("NameTaken", "a folder of that name is there, so no file of that name can be made"),
    ELOOP: ("NameTaken", "symbolic links lead round in a circle"),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something did not work. `code` for programs, `cause` for people.

    `transient`: may go away by itself. `whole`: no object of that store will do better. `final`: it will never work.
    """

    code: str
    cause: str
    transient: bool = False
    whole: bool = False
    final: bool = False

    def fault(self) -> Fault:
        """Return it as a fault of a whole attempt."""
        kind = TransientFault if self.transient else PermanentFault
        return kind(f"{self.cause[:1].upper()}{self.cause[1:]}.", {"kind": "STORE", "code": self.code})


class Troubled(Exception):  # noqa: N818  what the world did
    """Carries a trouble to whoever records it."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.cause)
        self.trouble = trouble


def explained(error: BaseException, where: str) -> Trouble:
    """Return what an error of a store means; `where` names the store, such as `source 'photos' (s3://photos)`."""
    if isinstance(error, Troubled):
        return error.trouble
    if isinstance(error, TimeoutError):
        return Trouble("Timeout", f"{where}: took too long and was given up", transient=True)
    text = str(error)
    code = found[1] if (found := _CODE.search(text)) else ""
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    known = _by_code(code, status, where)
    if known is not None:
        return known
    if found := _ERRNO.search(text):
        number = int(found[1])
        if number in _ERRNOS:
            short, cause = _ERRNOS[number]
            return Trouble(short, f"{where}: {cause}")
        if not isinstance(error, FileNotFoundError):
            cause = f"{where}: {os.strerror(number)}"
            return Trouble(f"Errno{number}", cause, transient=number in {EIO, ETIMEDOUT})
    return _by_kind(error, text, code, status, where)


def _by_code(code: str, status: int, where: str) -> Trouble | None:
    if code in _NO_BUCKET:
        return Trouble(code, f"{where}: there is no such bucket: make it, or correct the connection's URL", whole=True)
    if code in _KEYS or status == 401:
        cause = f"{where}: the access keys are refused: correct the connection's secrets"
        return Trouble(code or "Unauthenticated", cause, whole=True)
    if status == 403:
        cause = f"{where}: no permission, or wrong keys: let these keys list, read and write there, or take others"
        return Trouble(code or "AccessDenied", cause)
    if code in _BUSY or status == 429 or status >= 500:
        return Trouble(code or f"Http{status}", f"{where}: the store is busy or broken, try later", transient=True)
    return None


def _by_kind(error: BaseException, text: str, code: str, status: int, where: str) -> Trouble:  # noqa: PLR0911
    if isinstance(error, PermissionError):
        return Trouble(code or "AccessDenied", f"{where}: no permission: let the connection's user in")
    if isinstance(error, FileNotFoundError):
        return Trouble(code or "NoSuchKey", f"{where}: there is no object of this name")
    if "kind: Connect" in text or "error sending request" in text:
        cause = f"{where}: cannot be reached: look at the endpoint, the network and whether the store runs"
        return Trouble("Unreachable", cause, transient=True, whole=True)
    if "TimedOut" in text or "kind: Timeout" in text or "kind: Body" in text or "kind: Decode" in text:
        return Trouble("Timeout", f"{where}: the connection broke or took too long", transient=True)
    if isinstance(error, NotImplementedError):
        return Trouble("NotSupported", f"{where}: this store cannot do that")
    if isinstance(error, ValueError) or "invalid path" in text or "InvalidPath" in text:
        return Trouble("InvalidKey", f"{where}: the name cannot be addressed in this store", final=True)
    what = f"status {status}" if status else type(error).__name__
    return Trouble(code or "Unknown", f"{where}: refused with {code or what}")
