"""What text a person gives may look like. Knows nothing of where it is stored or shown."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

# Bidirectional overrides and isolates: they make a text read differently from what it is (B10).
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def readable(text: str) -> str:
    """Return `text` unchanged, or say which character makes it unreadable: controls, surrogates and bidi marks."""
    if text.isascii() and text.isprintable():
        return text
    for place, character in enumerate(text):
        if character in _BIDI or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            raise ValueError(f"character U+{ord(character):04X} at position {place} is not allowed here")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(readable)]
Note = Annotated[str, StringConstraints(max_length=2000)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(readable)]
Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
"""A machine-made name: of an operation, a task type, a pool. Safe inside a bucket key; a pool also inside a subject."""

PoolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
