"""`data.mock.check`, and what `data.mock.table` refuses: causes that a person can act on, before a row is written."""

import re
import secrets
from dataclasses import replace
from typing import Any

import pytest

from opsledger.kit import PermanentFault, TransientFault
from services.executor.operations.data_mock import MockCheck, MockTable
from services.executor.task_types.data_mock import data_mock
from tests.support.process import free_port


def task(*tables: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the parameters of the first subtask of a task."""
    return data_mock.plan({"connection": "shop", "tables": list(tables), **more}).subtasks[0].params


async def refused(run_operation: Any, shop: Any, *tables: dict[str, Any]) -> PermanentFault:
    """Return why the look at these tables fails."""
    with pytest.raises(PermanentFault) as caught:
        await run_operation(MockCheck(), task(*tables), connections=shop.connections)
    return caught.value


async def test_the_look_says_what_each_column_will_get(run_operation: Any, shop: Any) -> None:
    """Also for tables whose parents are filled later in the same task."""
    tables = [{"table": name, "total": 100} for name in ("customers", "orders", "items")]

    ran = await run_operation(MockCheck(), task(*tables), connections=shop.connections)

    found = {name.rpartition(".")[2]: about for name, about in ran.output["tables"].items()}
    assert found["customers"]["columns"]["id"] == "default"
    assert found["customers"]["columns"]["email"] == "email"
    assert found["customers"]["columns"]["city"] == "city"
    assert found["orders"]["columns"]["customer_id"].startswith("reference")
    assert found["orders"]["columns"]["status"] == "choice"
    assert found["orders"]["columns"]["id"] == "sequence"
    assert "email: email" in ran.log[0]
    assert [shop.count(name) for name in ("customers", "orders", "items")] == [0, 0, 0]


async def test_children_before_their_parents_are_refused(run_operation: Any, shop: Any) -> None:
    """The message says which table to put first."""
    fault = await refused(run_operation, shop, {"table": "items"}, {"table": "orders"}, {"table": "customers"})

    assert fault.detail["kind"] == "WRONG_ORDER"
    assert "name orders before items (in the order customers, orders, items)" in fault.message


async def test_nothing_to_refer_to_is_refused(run_operation: Any, shop: Any) -> None:
    """An empty parent that the task does not fill, by the look and by the filling itself."""
    fault = await refused(run_operation, shop, {"table": "orders"})
    assert fault.detail["kind"] == "NO_PARENT_ROWS"
    assert "fill" in fault.message

    params = {"connection": "shop", "table": {"table": "orders"}}
    with pytest.raises(PermanentFault, match="there is none"):
        await run_operation(MockTable(), params, connections=shop.connections)


async def test_too_few_different_values_are_refused(run_operation: Any, shop: Any) -> None:
    """Five values for a hundred unique rows: table, column, how many it can give, what to do; nothing written."""
    columns = {"email": {"values": ["a", "b", "c", "d", "e"]}}
    table = {"table": "customers", "total": 100, "truncate": True, "columns": columns}
    await run_operation(
        MockTable(), {"connection": "shop", "table": {"table": "customers", "total": 3}}, connections=shop.connections
    )

    fault = await refused(run_operation, shop, table)
    with pytest.raises(PermanentFault) as caught:
        await run_operation(MockTable(), {"connection": "shop", "table": table}, connections=shop.connections)

    for found in (fault, caught.value):
        assert found.detail["kind"] == "NOT_ENOUGH_VALUES"
        assert (found.detail["distinct"], found.detail["needed"], found.detail["columns"]) == (5, 100, ["email"])
        assert "ask for at most 5 rows" in found.message
    assert shop.count("customers") == 3


async def test_composite_keys_have_their_limit(run_operation: Any, shop: Any) -> None:
    """Three orders with four lines each make twelve items, not thirteen."""
    line = {"line": {"min": 1, "max": 4}}
    tables = [{"table": "customers", "total": 2}, {"table": "orders", "total": 3}]

    await run_operation(
        MockCheck(), task(*tables, {"table": "items", "total": 12, "columns": line}), connections=shop.connections
    )
    fault = await refused(run_operation, shop, *tables, {"table": "items", "total": 13, "columns": line})

    assert fault.detail["distinct"] == 12
    assert set(fault.detail["columns"]) == {"order_id", "line"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"table": "custmers"}, "There is no table"),
        ({"table": "customers", "columns": {"emial": {}}}, "Did you mean 'email'"),
        ({"table": "customers", "columns": {"email": {"generator": "emails"}}}, "Did you mean 'email'"),
        ({"table": "customers", "columns": {"age": {"generator": "email"}}}, "does not fit its type"),
        ({"table": "customers", "columns": {"age": {"min": 200}}}, "outside of what it takes"),
        ({"table": "customers", "columns": {"name": {"null_ratio": 0.1}}}, "it must have a value"),
        ({"table": "customers", "columns": {"name": {"pattern": "#" * 81}}}, "the column keeps 80"),
        ({"table": "customers", "columns": {"created_at": {"min": "soon"}}}, "no date"),
        ({"table": "customers", "columns": {"email": {"distribution": "zipf"}}}, "must be unique"),
    ],
)
async def test_rules_that_do_not_fit_are_named(
    run_operation: Any, sqlite: Any, table: dict[str, Any], said: str
) -> None:
    """Each with the column and what is wrong."""
    sqlite.make_shop()

    fault = await refused(run_operation, sqlite, table)

    assert said in fault.message


async def test_an_unknown_locale_lists_the_known(run_operation: Any, sqlite: Any) -> None:
    """Nobody has to guess."""
    sqlite.make_shop()

    with pytest.raises(PermanentFault, match="there are ar-ae"):
        await run_operation(MockCheck(), task({"table": "customers"}, locale="xx"), connections=sqlite.connections)


async def test_wrong_password_and_no_server(run_operation: Any, postgresql: Any) -> None:
    """A password is for a person to mend; a server that does not answer may come back."""
    connection = postgresql.connection
    wrong = replace(connection, secrets={"password": "not-it"})
    with pytest.raises(PermanentFault, match="password"):
        await run_operation(MockCheck(), task({"table": "t"}), connections={"shop": wrong})

    nowhere = replace(connection, url=f"postgresql://tests@127.0.0.1:{free_port()}/x")
    with pytest.raises(TransientFault, match="cannot be reached"):
        await run_operation(MockCheck(), task({"table": "t"}), connections={"shop": nowhere})


async def test_an_engine_without_transactions_is_refused(run_operation: Any, maria: Any) -> None:
    """MyISAM could keep half of the rows."""
    maria.rows("CREATE TABLE old (n int PRIMARY KEY) ENGINE = MyISAM")

    fault = await refused(run_operation, maria, {"table": "old"})

    assert fault.detail["kind"] == "NO_TRANSACTIONS"
    assert "InnoDB" in fault.message


async def test_without_the_right_to_write(run_operation: Any, postgresql: Any) -> None:
    """A user who may only read: the server's words, and what to do."""
    postgresql.make_shop()
    reader = f"reader_{secrets.token_hex(4)}"
    postgresql.rows(f"CREATE ROLE {reader} LOGIN PASSWORD 'of-the-test'")
    postgresql.rows(f"GRANT SELECT ON customers TO {reader}")
    url = re.sub("//[^@]+@", f"//{reader}@", postgresql.connection.url)
    connection = replace(postgresql.connection, url=url, secrets={"password": "of-the-test"})
    params = {"connection": "shop", "table": {"table": "customers", "total": 5}}

    try:
        with pytest.raises(PermanentFault, match=r"permission denied .* the right that is missing"):
            await run_operation(MockTable(), params, connections={"shop": connection})
    finally:
        postgresql.rows(f"DROP OWNED BY {reader}")
        postgresql.rows(f"DROP ROLE {reader}")


def test_the_plan_follows_the_list_and_after() -> None:
    """Without `after` each table waits for the one before it; with it, for those; all wait for the look."""
    plan = data_mock.plan(
        {
            "connection": "shop",
            "tables": [
                {"table": "a", "truncate": True},
                {"table": "b", "truncate": True},
                {"table": "c", "after": []},
                {"table": "d", "after": ["a", "c"]},
            ],
        }
    )

    assert {node.key: node.upstreams for node in plan.subtasks} == {
        "check": [],
        "a": ["check"],
        "b": ["check", "a"],
        "c": ["check"],
        "d": ["check", "a", "c"],
    }
    assert plan.prohibit_rollback
    assert plan.subtasks[1].params["clearing"] == [{"table": "b", "truncate": True}]
    assert plan.subtasks[3].params["clearing"] == []


@pytest.mark.parametrize(
    "tables",
    [
        [],
        [{"table": "a"}, {"table": "a"}],
        [{"table": "a", "after": ["b"]}],
        [{"table": "a", "after": ["a"]}],
        [{"table": "a", "total": 1_000_001}],
        [{"table": "a", "batch_size": 1001}],
        [{"table": "a", "strategy": "REPLACE"}],
        [{"table": "a", "columns": {"x": {"weights": [1]}}}],
        [{"table": "a", "columns": {"x": {"values": [1], "weights": [0]}}}],
    ],
)
def test_parameters_that_make_no_sense_are_refused(tables: list[dict[str, Any]]) -> None:
    """By the plan, before anything is asked of a database."""
    with pytest.raises(PermanentFault, match=r"parameters of data\.mock do not fit"):
        data_mock.plan({"connection": "shop", "tables": tables})
