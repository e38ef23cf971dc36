"""What a zip that is sent while it is made is written to. Knows neither what is in it nor where it goes."""

from typing import Final

CHUNK: Final = 64 * 1024
"""How much (bytes) is worth sending."""


class Sink:
    """Keeps only what was not sent yet. It cannot seek, so the zip is written onwards."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes, /) -> int:
        """Take more of it."""
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits elsewhere."""

    def close(self) -> None:
        """Nothing is to be given back."""

    @property
    def full(self) -> bool:
        """Whether there is enough to be worth sending."""
        return len(self._waiting) >= CHUNK

    def taken(self) -> bytes:
        """Return what is to be sent next."""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken
