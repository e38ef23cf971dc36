"""Forms of a few plain fields: what was typed, what is wrong with it, and where. Knows neither users nor tokens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from services.api.invalid import Invalid


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind` is an input's type, or `select` with `options`; `error` says what is wrong with it."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    hint: str = ""
    error: str = ""
    required: bool = True
    options: tuple[str, ...] = ()
    fill: str = "off"
    """What a browser may fill in (`autocomplete`)."""


def typed(fields: Iterable[Field], given: Mapping[str, str]) -> list[Field]:
    """Return the fields with what was typed; passwords are never sent back."""
    return [
        field if field.kind == "password" else replace(field, value=given.get(field.name, field.value))
        for field in fields
    ]


def blamed(fields: Iterable[Field], error: ValidationError | Invalid) -> tuple[list[Field], str]:
    """Return the fields with what is wrong beside each, and what is wrong with none of them."""
    found = error if isinstance(error, Invalid) else Invalid.of(error)
    by_field: dict[str, str] = {}
    for fault in found.faults:
        by_field.setdefault(fault.pointer.split("/")[1] if fault.pointer else "", _said(fault.message))
    shown = [replace(field, error=by_field.pop(field.name, "")) for field in fields]
    return shown, " ".join(f"{name}: {text}" if name else text for name, text in by_field.items())


def words(text: str) -> list[str] | None:
    """Return the words between commas, None for none."""
    return [word.strip() for word in text.split(",") if word.strip()] or None


def _said(message: str) -> str:
    """Return a message as a sentence about what was typed."""
    text = message.replace("String should", "It should").replace("Field required", "This is needed")
    if "match pattern" in text:
        text = "Letters, digits and . _ - only, a letter or digit first"
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def first(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return a form's fields, each once: the first that was sent."""
    return dict(reversed(fields))
