"""The catalogue in memory: which card speaks, what its schema refuses, and that a bad card or schema does no harm."""

from services.api.catalog import MASK, Schema
from shared.store.kv import Entry
from shared.task.plan import OperationCard, TypeCard
from tests.unit.api.fakes import GREETING, Desk


async def test_the_default_pools_card_speaks_for_a_name() -> None:
    """Where several pools offer an operation; without the default pool it is the first by name."""
    catalog = (await Desk.furnished()).catalog
    for pool, version in (("b", 2), ("default", 1), ("a", 3)):
        card = OperationCard(name="copy", pool=pool, version=version)
        await catalog.seen(Entry(f"operation/copy/{pool}", card.model_dump_json().encode(), 1))

    assert catalog.operations["copy"].version == 1
    assert catalog.pools == {"default", "a", "b"}
    found = catalog.operation("copy", "b")
    assert found is not None
    assert found.version == 2
    await catalog.seen(Entry("operation/copy/default", None, 2))
    assert catalog.operations["copy"].version == 3


async def test_a_new_version_of_a_card_brings_its_schema() -> None:
    """The compiled schema of the old card is dropped."""
    desk = await Desk.furnished()
    card = desk.catalog.types["greeting"]
    assert desk.catalog.schema(card).errors({})
    await desk.offer(TypeCard(name="greeting", version=4))
    assert not desk.catalog.schema(desk.catalog.types["greeting"]).errors({})


async def test_a_card_that_cannot_be_read_is_not_on_offer() -> None:
    """The others stay."""
    catalog = (await Desk.furnished()).catalog
    await catalog.seen(Entry("operation/noop/default", b'{"name": 7}', 2))
    await catalog.seen(Entry("strange", b"x", 3))
    assert "noop" not in catalog.operations
    assert "greet" in catalog.operations


def test_faults_have_their_path_and_hide_the_value() -> None:
    """Each fault names the place; the value is masked."""
    found = Schema("x", GREETING).errors({"name": 5, "more": 1})
    assert {tuple(path) for path, _ in found} == {("name",), ()}
    assert any(MASK in message for _, message in found)


def test_a_schema_that_is_none_refuses_nothing() -> None:
    """A broken card must not stop everybody; references out of a schema are not followed."""
    for schema in ({"type": "nonsense"}, {"$ref": "http://127.0.0.1:9/x"}, {"pattern": "("}):
        assert Schema("x", schema).errors({"anything": 1}) == []


def test_patterns_cannot_take_for_ever() -> None:
    """A pattern that drives a back-tracking engine mad is answered at once."""
    schema = Schema("x", {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}})
    assert schema.errors({"a": "a" * 50_000 + "!"})


def test_faults_are_few_however_many_there_are() -> None:
    """A thousand faults give twenty messages."""
    schema = Schema("x", {"additionalProperties": {"type": "string"}})
    assert len(schema.errors({f"k{n}": n for n in range(1000)})) == 20
