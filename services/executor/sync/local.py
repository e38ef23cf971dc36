"""Small objects between stores that cost no network: one after the other in a thread, without a loop's overhead.

What does not work here is told and done again by `copying`, which knows patience.
"""

import threading
from collections.abc import Sequence
from typing import Final

from services.executor.sync.store import MIB, Store
from services.executor.sync.survey import seen

SMALL: Final = MIB
"""Objects up to this many bytes go this way."""
AT_ONCE: Final = 25
"""How many objects a thread takes before it asks whether to go on."""


def fits(source: Store, destination: Store) -> bool:
    """Whether both ends cost no network."""
    return source.local and destination.local


def copy(
    source: Store, destination: Store, names: Sequence[tuple[str, str]], stop: threading.Event, *, metadata: bool
) -> list[int | None]:
    """Copy each (name, new name) and read it back; return the bytes of each, None where it did not work at once."""
    carried = metadata and destination.has_attributes
    return [None if stop.is_set() else _one(source, destination, name, to, carried=carried) for name, to in names]


def _one(source: Store, destination: Store, name: str, to: str, *, carried: bool) -> int | None:
    import obstore  # noqa: PLC0415 - an optional extra

    try:
        got = obstore.get(source.objects, name)
        size = seen(got.meta).size
        if size > SMALL:
            return None
        attributes = dict(got.attributes) if carried else None
        data = got.bytes()
        obstore.put(destination.objects, to, data, attributes=attributes, use_multipart=False)
        back = obstore.get(destination.objects, to).bytes()
    except Exception:  # noqa: BLE001 - tried once more where it is told what is wrong
        return None
    return size if len(data) == size and data == back else None
