"""What the user typed after `task create`, turned into the body of the request.

Responsible for: parameters, plans, objects and labels, with errors that name the flag. Refuses to know: HTTP.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opsledger.cli.failure import UsageError
from opsledger.cli.rest.view import mapping, objects

_ANY_STRING = ("string", None)


def read_json(given: str, flag: str) -> dict[str, Any]:
    """A JSON object given inline, as @file, or as - for stdin; UsageError says what is wrong and where."""
    if given == "-":
        source, body = "stdin", sys.stdin.read()
    elif given.startswith("@"):
        source, body = given[1:], read_file(Path(given[1:]), flag)
    else:
        source, body = "the text given", given
    return parse_object(body, flag, source)


def parse_object(body: str, flag: str, source: str) -> dict[str, Any]:
    """A JSON object from text."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise UsageError(f"{flag}: {source} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{flag}: {source} is not a JSON object")
    return found


def read_file(path: Path, flag: str) -> str:
    """A text file named on the command line."""
    try:
        return path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{flag}: cannot read {path}: {error}") from None


def pairs(given: Sequence[str], flag: str) -> dict[str, str]:
    """`k=v` words as a mapping."""
    found = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UsageError(f"{flag} {word}: not of the form key=value")
        found[key] = value
    return found


def parameters(given: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """`k=v` words as typed values: a string where the type's schema takes one, else JSON; `k:=json` is always JSON."""
    known = mapping(schema.get("properties"))
    found: dict[str, Any] = {}
    for key, value in pairs(given, "--param").items():
        if key.endswith(":"):
            found[key[:-1]] = _json(value, f"--param {key}={value}")
        elif key in known and not _takes_string(mapping(known[key]), schema):
            found[key] = _json(value, f"--param {key}={value}")
        else:
            found[key] = value
    return found


def _takes_string(field: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    reference = field.get("$ref")
    if isinstance(reference, str):
        return _takes_string(mapping(mapping(schema.get("$defs")).get(reference.rpartition("/")[2])), schema)
    choices = objects(field.get("anyOf")) or objects(field.get("oneOf"))
    if choices:
        return any(_takes_string(choice, schema) for choice in choices)
    kinds = field.get("type")
    return "string" in kinds if isinstance(kinds, list) else kinds in _ANY_STRING


def _json(value: str, where: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise UsageError(f"{where}: this parameter is not a string, and {value} is not JSON") from None


def subject(given: str) -> dict[str, str]:
    """`kind/id/name` as the object a task is about; the name may hold slashes and may be left out."""
    kind, _, rest = given.partition("/")
    identity, _, name = rest.partition("/")
    if not kind or not identity:
        raise UsageError(f"--object {given}: not of the form kind/id/name")
    return {"kind": kind, "id": identity, "name": name or identity}
