"""A body that is JSON but does not fit its schema: what is wrong, and where, as JSON pointers.

Values are not repeated: they may be secrets. Knows no HTTP; the doors turn it into their answers (422 for REST).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

MAX_FAULTS = 20


def pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path; the whole body is the empty one."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1")[:200] for part in path)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where."""

    pointer: str
    message: str


class Invalid(Exception):  # noqa: N818  a fact about the body
    """The body does not fit; `faults` has at least one."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{faults[0].pointer or 'body'}: {faults[0].message}")
        self.faults = list(faults[:MAX_FAULTS])

    @classmethod
    def at(cls, path: Iterable[str | int], message: str) -> "Invalid":
        """Return the error for one place."""
        return cls([Fault(pointer(path), message)])

    @classmethod
    def of(cls, error: ValidationError, prefix: Sequence[str | int] = ()) -> "Invalid":
        """Return what a model found wrong."""
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return cls([Fault(pointer([*prefix, *item["loc"]]), _plain(item["msg"])) for item in found[:MAX_FAULTS]])


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
