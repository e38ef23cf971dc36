"""`sql.script`: a SQL script as a task of one subtask; a statement is a line of its log, not a subtask."""

from services.executor.operations.sql_script import SqlExecuteParams
from services.executor.task_types.contract import task_type
from shared.task.plan import Plan, SubtaskPlan


@task_type("sql.script")
def sql_script(params: SqlExecuteParams) -> Plan:
    """Runs a SQL script on a named connection (SQLite, PostgreSQL, MySQL, MariaDB) and keeps its result sets."""
    execute = SubtaskPlan(
        key="execute",
        name="Execute the script",
        operation="sql.execute",
        params=params.model_dump(mode="json", exclude_defaults=True),
    )
    return Plan(subtasks=[execute])
