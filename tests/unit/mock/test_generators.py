"""Generators, spaces, draws and recipes as such: uniqueness, lengths, ranges, shares and repetition (Hypothesis)."""

from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.executor.fault import PermanentFault
from services.executor.mock import draw, spaces
from services.executor.mock.checks import narrowed
from services.executor.mock.copytext import text
from services.executor.mock.generators import GENERATORS
from services.executor.mock.kinds import kind_of
from services.executor.mock.params import TableRule
from services.executor.mock.recipe import Maker
from services.executor.mock.schema import Column, ForeignKey, Limits, Table

TEXTS = sorted(name for name in GENERATORS if name not in {"choice", "pattern"})


class Facts:
    """A database that has so many rows in every other table."""

    def __init__(self, parents: int = 0) -> None:
        self._parents = parents

    def parents(self, table: Table, key: ForeignKey, most: int, *, unused: bool) -> list[tuple[Any, ...]]:
        """Return numbers."""
        return [(number,) * len(key.columns) for number in range(min(most, self._parents))]

    def largest(self, table: Table, column: str) -> int:
        """Return that there is none."""
        return 0


def column(name: str, spelled: str, **more: Any) -> Column:
    """Return a column of a type as a database spells it."""
    kind, limits = kind_of(spelled)
    return Column(name, kind, spelled, limits=limits, **more)


def made(table: Table, total: int, seed: int = 1, batch: int = 100, **columns: Any) -> dict[str, list[Any]]:
    """Return the columns of a table's rows."""
    rule = TableRule.model_validate({"table": table.name, "total": total, "columns": columns})
    recipe = Maker(table, rule, seed, "en", Facts(50)).recipe()
    found: dict[str, list[Any]] = {name: [] for name in recipe.columns}
    for begin in range(0, total, batch):
        count = min(batch, total - begin)
        values = [column for stream in recipe.streams for column in stream.next(count)]
        for name, some in zip(recipe.columns, values, strict=True):
            found[name] += some
    return found


@given(st.integers(1, 5_000), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_distinct_visits_every_number_once(size: int, seed: int) -> None:
    """A walk as long as the space comes by everything, whatever the batches."""
    walk = draw.Distinct(Random(seed), size)

    seen = [*walk.next(size // 3), *walk.next(size - size // 3)]

    assert sorted(seen) == list(range(size))


@pytest.mark.parametrize("name", TEXTS)
@given(length=st.integers(1, 80), seed=st.integers(0, 1000), unique=st.booleans())
@settings(max_examples=8, deadline=None)
def test_texts_keep_to_the_length_and_to_uniqueness(name: str, length: int, seed: int, unique: bool) -> None:
    """Every generator on every short column: fits, or is refused with a cause; unique ones never repeat."""
    keys = (("x",),) if unique else ()
    table = Table(None, "t", (column("x", f"varchar({length})", nullable=False),), keys)

    try:
        found = made(table, 200, seed, x={"generator": name})["x"]
    except PermanentFault as fault:
        assert fault.detail["kind"] in {"NOT_ENOUGH_VALUES", "GENERATOR_UNFIT"}  # noqa: PT017 - both are right
    else:
        assert max(len(str(value)) for value in found) <= length
        assert not unique or len(set(found)) == 200


@given(st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_share_of_nulls(ratio: float, seed: int) -> None:
    """Within what chance allows for 2,000 rows; none and all are exact."""
    table = Table(None, "t", (column("x", "int"),))

    nulls = made(table, 2000, seed, x={"null_ratio": ratio})["x"].count(None)

    assert abs(nulls - 2000 * ratio) <= 6 * (2000 * ratio * (1 - ratio)) ** 0.5


@given(low=st.integers(-10_000, 10_000), span=st.integers(0, 5_000), scale=st.integers(0, 4), seed=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_decimals_keep_range_and_scale(low: int, span: int, scale: int, seed: int) -> None:
    """Exact to the last digit."""
    table = Table(None, "t", (column("x", f"numeric(12,{scale})"),))

    found = made(table, 100, seed, x={"min": low, "max": low + span})["x"]

    for value in found:
        number = Decimal(str(value))
        assert low <= number <= low + span
        assert -int(number.as_tuple().exponent) == scale


@given(st.integers(1, 300), st.integers(0, 2**53), st.sampled_from(["uniform", "normal", "zipf"]))
@settings(max_examples=12, deadline=None)
def test_batches_do_not_change_rows(batch: int, seed: int, distribution: str) -> None:
    """The same seed gives the same rows however they are cut."""
    columns = tuple(column(name, "varchar(60)") for name in ("email", "name", "city", "note"))
    table = Table(None, "people", (*columns, column("age", "int"), column("born", "date")), (("email",),))
    rules = {"age": {"distribution": distribution}, "city": {"null_ratio": 0.3}}

    assert made(table, 300, seed, batch, **rules) == made(table, 300, seed, 300, **rules)


@given(st.integers(0, 2**53))
@settings(max_examples=30, deadline=None)
def test_composite_keys_never_repeat(seed: int) -> None:
    """All 50 x 4 combinations of a reference and a small range, each once; one more is refused."""
    key = ForeignKey(("a",), None, "parent", ("id",))
    table = Table(None, "t", (column("a", "int", nullable=False), column("b", "int")), (("a", "b"),), (key,))

    found = made(table, 200, seed, b={"min": 1, "max": 4})
    assert len(set(zip(found["a"], found["b"], strict=True))) == 200

    with pytest.raises(PermanentFault, match="only 200 different values for 201 rows"):
        made(table, 201, seed, b={"min": 1, "max": 4})


def test_two_columns_of_one_foreign_key_belong_together() -> None:
    """A composite reference names one row, not the halves of two."""
    key = ForeignKey(("a", "b"), None, "parent", ("x", "y"))
    table = Table(None, "t", (column("a", "int"), column("b", "int")), (), (key,))

    found = made(table, 500)

    assert found["a"] == found["b"]
    assert len(set(found["a"])) == 50


def test_weights_and_zipf_shape_the_values() -> None:
    """Nine of ten by weight; in a Zipf distribution the first value beats the tenth by far."""
    table = Table(None, "t", (column("x", "varchar(9)"), column("y", "int")))
    rules: dict[str, Any] = {
        "x": {"values": ["often", "seldom", "never"], "weights": [9, 1, 0]},
        "y": {"min": 1, "max": 1000, "distribution": "zipf"},
    }

    found = made(table, 5000, **rules)

    assert 4300 < found["x"].count("often") < 4700
    assert "never" not in found["x"]
    assert found["y"].count(1) > 5 * found["y"].count(10)


@given(st.integers(0, (1 << 122) - 1))
def test_uuids_are_version_4(number: int) -> None:
    """And different for different numbers."""
    one, other = spaces.Uuids().take([number, number ^ 1])

    assert UUID(one).version == 4
    assert UUID(one).variant == "specified in RFC 4122"
    assert one != other


@given(st.text(max_size=40))
def test_copy_text_is_one_field(value: str) -> None:
    """What is written is one field of one line, and reads back as it was, but for NUL."""
    escaped = text(value)

    assert not set(escaped) & set("\t\n\r")
    back = (
        escaped.replace("\\\\", "\0").replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r")
        .replace("\\b", "\b").replace("\\f", "\f").replace("\\v", "\v").replace("\0", "\\")
    )  # fmt: skip
    assert back == value.replace("\0", "")


@pytest.mark.parametrize(
    ("printed", "limits"),
    [
        (
            "CHECK (((x)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))",
            ("a", "it's"),
        ),
        ("CHECK ((x = ANY (ARRAY[1, 2, 3])))", (1, 2, 3)),
        ("x IN ('a', 'b')", ("a", "b")),
        ("(`x` in (_utf8mb4\\'a\\',_utf8mb4\\'b\\'))", ("a", "b")),
        ("CHECK (((x >= 18) AND (x <= 99)))", (18, 99)),
        ("CHECK ((x > (0)::numeric))", (1, None)),
        ("`x` between 1 and 5", (1, 5)),
        ("CHECK (((x > 0) OR (x < '-5'::integer)))", (None, None)),
        ("CHECK ((length(x) > 3))", (None, None)),
        ("CHECK ((x ~ '^[a-z]+$'::text))", (None, None)),
    ],
)
def test_checks_are_read_where_that_is_easy(printed: str, limits: tuple[Any, ...]) -> None:
    """Lists and ranges as three databases print them; the rest is left alone."""
    found = narrowed(Limits(), "x", printed)

    assert limits in {found.values, (found.low, found.high)}


@pytest.mark.parametrize(
    ("name", "spelled", "generator"),
    [
        ("email", "varchar(80)", "email"),
        ("contactEmail", "text", "email"),
        ("phone_number", "varchar(30)", "phone"),
        ("first_name", "text", "first_name"),
        ("city", "varchar(40)", "city"),
        ("zip", "char(9)", "postal_code"),
        ("created_at", "timestamp with time zone", "datetime"),
        ("birth_date", "date", "date"),
        ("price", "numeric(8,2)", "decimal"),
        ("active", "boolean", "boolean"),
        ("external_id", "uuid", "uuid"),
        ("payload", "jsonb", "json"),
        ("client_ip", "inet", "ip"),
        ("description", "text", "text"),
    ],
)
def test_defaults_follow_from_name_and_type(name: str, spelled: str, generator: str) -> None:
    """What nobody has to write down."""
    table = Table(None, "t", (column(name, spelled),))

    recipe = Maker(table, TableRule(table="t"), 1, "en", Facts()).recipe()

    assert recipe.generators == {name: generator}
