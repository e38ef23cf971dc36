"""`data.mock.table` on SQLite, PostgreSQL and MariaDB: believable rows, keys, conflicts, repetition."""

from typing import Any

import pytest

from opsledger.kit import PermanentFault
from services.executor.operations.data_mock import MockTable, derived_seed


def table(name: str, total: int = 300, **more: Any) -> dict[str, Any]:
    """Return parameters that fill a table of the shop."""
    seed = {"seed": more.pop("seed")} if "seed" in more else {}
    return {"connection": "shop", "table": {"table": name, "total": total, **more}, **seed}


async def fill(run_operation: Any, shop: Any, *names: str, total: int = 300) -> None:
    """Fill tables one after the other."""
    for name in names:
        await run_operation(MockTable(), table(name, total), connections=shop.connections)


async def test_rows_are_believable(run_operation: Any, shop: Any) -> None:
    """Defaults follow from names, types and checks; serial columns are the database's."""
    ran = await run_operation(MockTable(), table("customers", 500, seed=7), connections=shop.connections)

    rows = shop.rows("SELECT id, email, name, city, age, created_at FROM customers ORDER BY id")
    assert len(rows) == 500
    assert [row[0] for row in rows] == list(range(1, 501))
    assert len({row[1] for row in rows}) == 500
    assert all("@example." in row[1] and len(row[1]) <= 60 for row in rows)
    assert all(" " in row[2] for row in rows)
    assert all(18 <= row[4] <= 99 for row in rows)
    assert all(2020 <= int(str(row[5])[:4]) <= 2025 for row in rows)
    assert {key: ran.output[key] for key in ("kind", "written", "conflicting", "ignored", "cleared", "seed")} == {
        "kind": "mock",
        "written": 500,
        "conflicting": 0,
        "ignored": 0,
        "cleared": 0,
        "seed": 7,
    }
    assert ran.output["rows_per_second"] > 0
    assert ran.output["columns"]["email"] == "email"
    assert ran.progress[-1][0] == 1.0


async def test_foreign_keys_lead_to_rows_that_are_there(run_operation: Any, shop: Any) -> None:
    """Children of rows that an earlier subtask made, over two steps, with a composite key that never repeats."""
    await fill(run_operation, shop, "customers", "orders", "items")

    lost = "SELECT count(*) FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE c.id IS NULL"
    assert shop.rows(lost) == [(0,)]
    assert shop.rows("SELECT count(*) FROM (SELECT DISTINCT order_id, line FROM items) k") == [(300,)]
    assert shop.rows("SELECT count(DISTINCT customer_id) FROM orders")[0][0] > 100
    assert {row[0] for row in shop.rows("SELECT DISTINCT status FROM orders")} == {"new", "paid", "sent"}
    assert shop.rows("SELECT min(id), max(id) FROM orders") == [(1, 300)]


async def test_same_seed_same_rows(run_operation: Any, shop: Any) -> None:
    """Whatever the batch size; another seed gives others; without one it follows from the task."""
    seen = []
    for attempt, (seed, batch) in enumerate(((5, 200), (5, 7), (6, 200)), start=1):
        params = table("customers", 250, seed=seed, batch_size=batch, truncate=True)
        await run_operation(MockTable(), params, connections=shop.connections, generation=attempt)
        seen.append(shop.rows("SELECT email, name, city, age, created_at FROM customers ORDER BY email"))

    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    ran = await run_operation(MockTable(), table("customers", 5), connections=shop.connections)
    assert ran.output["seed"] == derived_seed(1)


async def test_a_conflict_terminates_and_keeps_nothing(run_operation: Any, shop: Any) -> None:
    """The same addresses again: the whole table's work is taken back, and the message says what to do."""
    await run_operation(MockTable(), table("customers", 100, seed=1), connections=shop.connections)

    with pytest.raises(PermanentFault, match="conflicts with one that is there already") as caught:
        await run_operation(MockTable(), table("customers", 150, seed=1), connections=shop.connections)

    assert caught.value.detail["kind"] == "CONFLICT"
    assert "IGNORE or OVERWRITE" in caught.value.message
    assert shop.count("customers") == 100


async def test_conflicts_are_ignored(run_operation: Any, shop: Any) -> None:
    """What is there stays, what is new comes, and both are counted."""
    await run_operation(MockTable(), table("customers", 100, seed=1), connections=shop.connections)
    shop.rows("UPDATE customers SET city = 'Atlantis'")

    again = table("customers", 150, seed=1, strategy="IGNORE")
    ran = await run_operation(MockTable(), again, connections=shop.connections)

    counts = {key: ran.output[key] for key in ("written", "conflicting", "ignored")}
    assert counts == {"written": 50, "conflicting": 100, "ignored": 100}
    assert shop.count("customers") == 150
    assert shop.rows("SELECT count(*) FROM customers WHERE city = 'Atlantis'") == [(100,)]


async def test_conflicts_are_overwritten(run_operation: Any, shop: Any) -> None:
    """What is there is changed in its place, so that whoever refers to it still does."""
    await run_operation(MockTable(), table("customers", 100, seed=1), connections=shop.connections)
    shop.rows("UPDATE customers SET city = 'Atlantis'")
    before = shop.rows("SELECT id, email FROM customers ORDER BY id")

    again = table("customers", 150, seed=1, strategy="OVERWRITE")
    ran = await run_operation(MockTable(), again, connections=shop.connections)

    counts = {key: ran.output[key] for key in ("written", "conflicting", "ignored")}
    assert counts == {"written": 150, "conflicting": 100, "ignored": 0}
    assert shop.rows("SELECT count(*) FROM customers WHERE city = 'Atlantis'") == [(0,)]
    assert shop.rows("SELECT id, email FROM customers ORDER BY id")[:100] == before


async def test_truncate_belongs_to_the_transaction(run_operation: Any, shop: Any) -> None:
    """Cleared and counted on success; still there when the rows cannot be written."""
    await run_operation(MockTable(), table("customers", 40), connections=shop.connections)
    impossible = {"city": {"generator": "pattern", "pattern": "x" * 40}, "age": {"values": [7]}}

    with pytest.raises(PermanentFault, match="refused what was made for customers"):
        await run_operation(
            MockTable(), table("customers", 10, truncate=True, columns=impossible), connections=shop.connections
        )
    assert shop.count("customers") == 40

    ran = await run_operation(MockTable(), table("customers", 10, truncate=True), connections=shop.connections)
    assert (ran.output["cleared"], shop.count("customers")) == (40, 10)


async def test_clearing_a_parent_clears_the_children_that_the_task_empties(run_operation: Any, shop: Any) -> None:
    """Rows in use cannot be deleted: listed children go first, in the same transaction; others make it fail."""
    await fill(run_operation, shop, "customers", "orders", "items", total=30)
    params = table("customers", 20, truncate=True)

    with pytest.raises(PermanentFault, match="refused"):
        await run_operation(MockTable(), params, connections=shop.connections)
    assert shop.count("orders") == 30

    params["clearing"] = [{"table": "orders", "truncate": True}, {"table": "items", "truncate": True}]
    ran = await run_operation(MockTable(), params, connections=shop.connections)
    assert sorted(ran.output["cleared_others"].values()) == [30, 30]
    assert (shop.count("customers"), shop.count("orders"), shop.count("items")) == (20, 0, 0)


async def test_rules_of_columns(run_operation: Any, shop: Any) -> None:
    """Values with weights, patterns, ranges, NULLs and distributions are as asked."""
    columns = {
        "email": {"pattern": "user-####@example.org"},
        "name": {"values": ["Ann\tTab", "Bob\\Slash", "Zoë\nLine", "O'Hara"]},
        "city": {"null_ratio": 0.5},
        "age": {"min": 20, "max": 60, "distribution": "normal"},
        "created_at": {"min": "2024-03-01", "max": "2024-03-31"},
    }
    await run_operation(MockTable(), table("customers", 1000, seed=3, columns=columns), connections=shop.connections)

    rows = shop.rows("SELECT email, name, city, age, created_at FROM customers")
    assert {row[1] for row in rows} == {"Ann\tTab", "Bob\\Slash", "Zoë\nLine", "O'Hara"}
    assert all(row[0].startswith("user-") and len(row[0]) == 21 for row in rows)
    assert 400 < sum(row[2] is None for row in rows) < 600
    assert {str(row[4])[:7] for row in rows} == {"2024-03"}
    ages = [row[3] for row in rows]
    assert (min(ages) >= 20, max(ages) <= 60) == (True, True)
    assert sum(33 <= age <= 47 for age in ages) > 600
