r"""The object lists in the destination: their names, their lines, and how they are written: once, whole.

Tab-separated, UTF-8, no header, one object a line, the columns of the specification's table (§7, "Object lists"). In
names and causes a backslash is written `\\`, tab, newline and carriage return `\t`, `\n`, `\r`, other control
characters and line separators `\u....`. Refuses to know what was decided and why.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from services.executor.fault import PermanentFault, TransientFault
from services.executor.sync.leftovers import remove_list
from services.executor.sync.store import Store
from services.executor.sync.trouble import explained
from shared.messages.object_lists import Which, folder_of
from shared.runtime.failpoint import hit

TRIES: Final = 3
PUT_SECONDS: Final = 60.0
_SPECIAL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
_SHORT: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}


def plain(text: str) -> str:
    """Return a name or a cause as it stands in a list: on one line, in one column."""
    return _SPECIAL.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), text)


def encoded(name: str) -> str:
    """Return a name URL-encoded (RFC 3986), slashes kept."""
    return quote(name, safe="/", errors="surrogatepass")


def object_line(at: str, name: str, size: int) -> str:
    """Return a line of the synced or of the ignored: time (UTC), name, bytes."""
    return f"{at}\t{plain(name)}\t{size}"


def failure_line(cause: str, at: str, name: str, code: str) -> str:
    """Return a line of the failed: cause, time (UTC), URL-encoded name, name, error code."""
    return f"{plain(cause)}\t{at}\t{encoded(name)}\t{plain(name)}\t{plain(code)}"


def path_of(task: int, which: Which, stem: str) -> str:
    """Return where a list lies below the destination's root."""
    ending = "failed_list.txt" if which == "not_begun" else "txt"
    return f"{folder_of(task, which)}/{stem}.{ending}"


async def write(store: Store, task: int, stem: str, lists: Iterable[tuple[Which, list[str]]]) -> dict[Which, str]:
    """Write each list that has lines; return where they are. Raises a fault when one cannot be written."""
    written: dict[Which, str] = {}
    for which, lines in lists:
        if lines:
            path = written[which] = path_of(task, which, stem)
            await _put(store, path, "".join(f"{line}\n" for line in lines).encode())
            hit(f"sync.listed.{which}")
    return written


async def _put(store: Store, path: str, content: bytes) -> None:
    import obstore  # noqa: PLC0415 - an optional extra

    for left in reversed(range(TRIES)):
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await obstore.put_async(store.objects, path, content, use_multipart=False)
        except Exception as error:  # noqa: BLE001 - whatever a store raises is told
            trouble = explained(error, store.where)
            if not trouble.transient or left == 0:
                message = f"The list {path} cannot be written: {trouble.cause}. Then retry; nothing copied is lost."
                passing = trouble.transient or trouble.code == "DiskFull"
                fault = TransientFault if passing else PermanentFault
                raise fault(message, {"kind": "LISTS_NOT_WRITTEN", "code": trouble.code}) from None
            await asyncio.sleep(0.2 * (TRIES - left))
        else:
            await asyncio.to_thread(remove_list, store, path)
            return
