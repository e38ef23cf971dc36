"""The three forms an answer can take: a table for people, JSON, or one JSON value a line.

Responsible for: JSON on stdout that a program can read. Refuses to know: what the answer is about.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from cyclopts import Parameter

Form = Literal["table", "json", "jsonl"]
Output = Annotated[Form, Parameter(name=["--output", "-o"])]


def write_json(value: Any) -> None:
    """One indented JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_lines(values: Iterable[Any]) -> None:
    """One compact JSON value a line."""
    for value in values:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def write_text(line: str) -> None:
    """One plain line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write_answers(values: Sequence[Any], form: Form) -> None:
    """Answers to one command: json is the answer itself, or a list when there are several; jsonl one a line."""
    if form == "jsonl":
        write_lines(values)
    elif form == "json":
        write_json(values[0] if len(values) == 1 else list(values))


def wrote(values: Sequence[Any], form: Form) -> bool:
    """A list for programs: json is one list, jsonl one value a line. Whether it was written: a table is not."""
    if form == "json":
        write_json(list(values))
    elif form == "jsonl":
        write_lines(values)
    return form != "table"
