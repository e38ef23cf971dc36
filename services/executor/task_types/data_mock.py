"""`data.mock`: tables filled with made-up rows: one look at all of them, then a subtask per table.

A plan is made without looking at the database, so the order is that of the list (or of `after`); the look compares it
with the foreign keys and says what to change before a row is written.
"""

from typing import Annotated

from pydantic import Field, model_validator

from services.executor.mock.params import Asked, TableRule, Word, plain
from services.executor.operations.data_mock import MAX_TABLES
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan
from shared.task.text import PoolName

MAX_KEY = 90


class TaskTable(TableRule):
    """A table of a task. `after` names the tables to wait for; without it, that is the one before it in the list."""

    after: list[Word] | None = Field(default=None, description="Tables to fill before this one; [] waits for none.")


class DataMockParams(Asked):
    """Which tables, where. `pool` says which executors, for databases that not all of them reach."""

    tables: Annotated[list[TaskTable], Field(min_length=1, max_length=MAX_TABLES)]
    pool: PoolName | None = Field(default=None, description="A pool whose executors reach the database.")

    @model_validator(mode="after")
    def _names(self) -> "DataMockParams":
        labels = [table.label for table in self.tables]
        if twice := next((label for label in labels if labels.count(label) > 1), None):
            raise ValueError(f"table {twice} stands twice")
        for table in self.tables:
            for name in table.after or ():
                if name not in labels or name == table.label:
                    raise ValueError(f"after of {table.label} names '{name}', which is no other table of this task")
        return self


@task_type("data.mock")
def data_mock(params: DataMockParams) -> Plan:
    """Fills database tables with believable, repeatable made-up rows; foreign keys, keys and types are respected."""
    shared = params.model_dump(include={"connection", "seed", "locale"}, exclude_none=True)
    tables = [(table, plain(TableRule.model_validate(_without_after(table)))) for table in params.tables]
    before = {table.label: _before(params.tables, place) for place, table in enumerate(params.tables)}
    check = SubtaskPlan(
        key="check",
        name="Look at the tables",
        operation="data.mock.check",
        params={**shared, "tables": [rule for _, rule in tables], "before": before},
        pool=params.pool,
        retry=RetryPolicy(times=2, delay_seconds=2),
    )
    keys = {table.label: _key(params.tables, place) for place, table in enumerate(params.tables)}
    fills = [
        SubtaskPlan(
            key=keys[table.label],
            name=f"Fill {table.label}",
            operation="data.mock.table",
            params={**shared, "table": rule, "clearing": _clearing(tables, place - 1)},
            upstreams=["check", *(keys[name] for name in before[table.label])],
            pool=params.pool,
            retry=RetryPolicy(times=2, delay_seconds=5),
        )
        for place, (table, rule) in enumerate(tables, start=1)
    ]
    return Plan(subtasks=[check, *fills], prohibit_rollback=True)


def _without_after(table: TaskTable) -> dict[str, object]:
    return table.model_dump(by_alias=True, exclude={"after"}, exclude_unset=True)


def _before(tables: list[TaskTable], place: int) -> list[str]:
    after = tables[place].after
    if after is not None:
        return list(dict.fromkeys(after))
    return [tables[place - 1].label] if place else []


def _key(tables: list[TaskTable], place: int) -> str:
    """Return the table's name, where it fits into a key."""
    label = tables[place].label
    return label if len(label) <= MAX_KEY and label.isprintable() and label != "check" else f"table {place + 1}"


def _clearing(tables: list[tuple[TaskTable, dict[str, object]]], own: int) -> list[dict[str, object]]:
    """Return the other tables that the task empties, when this one is emptied."""
    if not tables[own][0].truncate:
        return []
    return [
        {key: value for key, value in rule.items() if key in {"table", "schema", "truncate"}}
        for place, (table, rule) in enumerate(tables)
        if place != own and table.truncate
    ]
