"""The author's guide, `docs/writing-operations.md`, as its code blocks."""

import re
from dataclasses import dataclass
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "writing-operations.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the word behind that (a file's path, or `server`), and what is in it."""

    language: str
    word: str
    body: str


BLOCKS = [
    Block(language, word.strip(), body)
    for language, word, body in re.findall(r"^```(\w*)([^\n]*)\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
]


def blocks(language: str, word: str = "") -> list[str]:
    """Return what stands in the blocks of a language that have this word behind it."""
    return [block.body for block in BLOCKS if (block.language, block.word) == (language, word)]
