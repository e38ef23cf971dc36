"""What a JSON schema says, with its references followed: within the schema alone and only so deep.

Schemas come from whoever wrote a task type, so nothing of them is believed: what is not understood says nothing. Knows
no field of a form.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]
STEPS: Final = 4
"""So many references that lead to one another are followed."""
CHOICES: Final = 2
"""So many choices within each other are looked into."""
SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})


def scalar_types(schema: Schema, root: Schema, choices: int = CHOICES) -> frozenset[str]:
    """Return the scalar types that a schema takes, none when it takes anything else too."""
    variants = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(variants, list) and variants:
        found: frozenset[str] = frozenset()
        for one in variants if choices else []:
            types = scalar_types(plain(one, root), root, choices - 1)
            if not types:
                return frozenset()
            found |= types
        return found
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    scalars = [one for one in kinds if isinstance(one, str) and one in SCALARS]
    return frozenset(scalars) if len(scalars) == len(kinds) else frozenset()


def without_null(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    """Return the schema without null, and whether it took null."""
    for word in ("anyOf", "oneOf"):
        variants = schema.get(word)
        if not isinstance(variants, list):
            continue
        found = [plain(one, root) for one in variants]
        kept = [one for one in found if one.get("type") != "null"]
        if len(kept) == len(found):
            continue
        rest = {key: value for key, value in schema.items() if key not in {word, "default", "title", "description"}}
        return ({**rest, **kept[0]}, True) if len(kept) == 1 else ({**schema, word: kept}, True)
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        kept_kinds = [one for one in kinds if one != "null"]
        return {**schema, "type": kept_kinds[0] if len(kept_kinds) == 1 else kept_kinds}, True
    return schema, False


def plain(found: Any, root: Schema) -> Schema:
    """Return a schema with its reference followed; what is none of this schema's own says nothing."""
    schema = mapping(found)
    for _ in range(STEPS):
        reference = schema.get("$ref")
        if reference is None and isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1:
            schema = {**mapping(schema["allOf"][0]), **{key: schema[key] for key in schema if key != "allOf"}}
            continue
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        target: Any = root
        for part in reference[2:].split("/"):
            target = mapping(target).get(part.replace("~1", "/").replace("~0", "~"))
        schema = {**mapping(target), **{key: value for key, value in schema.items() if key != "$ref"}}
    return {}


def mixed(schema: Schema) -> bool:
    """Whether an object's schema says more than its properties do."""
    return any(word in schema for word in ("anyOf", "oneOf", "allOf", "not", "if"))


def mapping(found: Any) -> Schema:
    """Return a mapping as it is, and nothing of what is none."""
    return found if isinstance(found, Mapping) else {}
