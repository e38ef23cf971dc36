"""Lint of a parameters' model: what callers and the API will see of it, and what must never stand in it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from opsledger.workbench.findings import Finding

_CONFIDENTIAL = re.compile(r"passw|passphrase|secret|token|api_?key|private_?key|access_?key|credential", re.IGNORECASE)


def check_params(subject: str, model: type[BaseModel]) -> Iterator[Finding]:
    """Give what is wrong with a model; nothing more once it has no schema."""
    try:
        schema = model.model_json_schema()
    except Exception as error:  # noqa: BLE001 - whatever a third party's model raises is what the author must know
        yield Finding(
            *("error", subject, "schema", f"{model.__name__} has no JSON schema: {error}"),
            "use types that JSON knows; the API checks parameters against the schema before anything is recorded",
        )
        return
    yield from _valid(subject, model, schema)
    if model.model_config.get("extra") != "forbid":
        yield Finding(
            *("warning", subject, "loose-params", f"{model.__name__} accepts fields it does not know"),
            "derive it from opsledger.kit.Params, so that a misspelt parameter is refused",
        )
    for name, field in model.model_fields.items():
        yield from _field(subject, name, schema.get("properties", {}).get(field.alias or name, {}))
    silent = [name for name, field in model.model_fields.items() if not field.description]
    if silent:
        yield Finding(
            *("hint", subject, "no-description", f"nothing says what {', '.join(silent)} mean"),
            'say it where the field stands: `Field(description="…")`',
        )


def _valid(subject: str, model: type[BaseModel], schema: dict[str, Any]) -> Iterator[Finding]:
    with suppress(ImportError):
        from jsonschema_rs import meta  # noqa: PLC0415 - comes with the api extra; lint does without it

        try:
            meta.validate(schema)
        except ValueError as error:
            yield Finding(
                *("error", subject, "schema", f"the schema of {model.__name__} is not a JSON schema: {error}"),
                "look at json_schema_extra and at hand-made schemas",
            )


def _field(subject: str, name: str, about: Mapping[str, Any]) -> Iterator[Finding]:
    secret = _is_secret(about)
    if secret and about.get("default") is not None:
        yield Finding(
            *("warning", subject, "secret-default", f"the secret '{name}' has a default"),
            "leave it out: who runs the task says where the secret is",
        )
    elif not secret and _CONFIDENTIAL.search(name) and _is_text(about):
        grave = bool(about.get("default"))
        yield Finding(
            "error" if grave else "warning",
            *(subject, "plain-secret", f"'{name}' looks like a secret and is {'a default value' if grave else 'text'}"),
            f"write `{name}: Secret` and `await ctx.secret(params.{name})`; parameters stay in the log for ever",
        )


def _choices(about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [about, *about.get("anyOf", [])]


def _is_secret(about: Mapping[str, Any]) -> bool:
    return any(one.get("format") == "secret" for one in _choices(about))


def _is_text(about: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "string" and "enum" not in one for one in _choices(about))


def example_of(model: type[BaseModel]) -> dict[str, Any] | None:
    """Return parameters to try a model with: its first example, else examples and defaults of its fields."""
    schema = model.model_json_schema()
    for example in schema.get("examples", []):
        return dict(example)
    found: dict[str, Any] = {}
    for name, about in schema.get("properties", {}).items():
        if about.get("examples"):
            found[name] = about["examples"][0]
        elif name in schema.get("required", []):
            return None
    return found
