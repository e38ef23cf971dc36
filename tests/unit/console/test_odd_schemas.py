"""A schema is whoever wrote it: no schema, and nothing that is typed into its form, may break the page."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.console.create_draft import Draft
from services.api.console.inputs import Input
from services.api.invalid import Fault
from shared.task.plan import TypeCard

NAMES = (
    *("type", "properties", "items", "anyOf", "oneOf", "allOf", "enum", "const", "default", "required", "$ref"),
    *("additionalProperties", "patternProperties", "maxLength", "minLength", "pattern", "format", "description"),
    *("title", "examples", "$defs", "a", "b/~"),
)
WORDS = st.sampled_from(NAMES)
TYPES = ("string", "integer", "object", "array", "null", "boolean")
LEAVES = st.sampled_from([None, True, False, 0, 1, -1.5, 1e300, "", "#", "#/$defs/a", *TYPES])
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25
)
PROPERTY = st.dictionaries(WORDS, JSON, max_size=5)
SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(st.sampled_from(["a", "b/~", "pool", "connection"]), PROPERTY | JSON, max_size=3)},
    optional={"required": JSON, "$defs": st.dictionaries(st.just("a"), PROPERTY, max_size=1), "type": JSON},
)


def every(inputs: Any) -> list[Input]:
    """All controls, those within others too."""
    return [found for one in inputs for found in (one, *every((*one.inside, *one.more, *one.rows)))]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, JSON, st.text(max_size=20))
def test_any_schema_can_be_drawn_filled_in_and_read(schema: dict[str, Any], params: Any, typed: str) -> None:
    """With whatever it says, with any body in it, with anything typed into every field, with faults everywhere."""
    draft = Draft(TypeCard(name="odd", params_schema=schema), {})

    draft.fill({"params": params if isinstance(params, dict) else {}})
    inputs = draft.inputs()
    draft.body()
    names = [one.name for one in every((*inputs["shown"], *inputs["more"]))]
    draft.texts = dict.fromkeys(names, typed) | {name: "2" for name in names if typed == ""}
    body, _ = draft.body()
    draft.blame([Fault(name, "is wrong") for name in [*names, "", "/params/x/0/y"]], body)

    assert {name for name, _, _ in draft.wrong()} >= {name for name in names if name in draft.names()}
    assert draft.inputs()
    draft.switch(as_json=True)
    draft.switch(as_json=False)
