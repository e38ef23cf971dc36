"""What authors of operations and task types import. Everything here is the contract; everything else may change.

```python
from opsledger.kit import Context, Operation, Params


class GreetParams(Params):
    name: str


class Greet(Operation[GreetParams]):
    name = "acme.greet"

    async def execute(self, ctx: Context, params: GreetParams) -> str:
        return f"Hello, {params.name}."
```
"""

from services.executor.operations.contract import (
    Cancelled,
    Connection,
    Context,
    ExecutorPolicy,
    Exit,
    Fault,
    NoParams,
    Operation,
    Params,
    PermanentFault,
    Secret,
    TransientFault,
)
from services.executor.task_types.contract import TaskType, task_type
from shared.task.plan import Plan, RetryPolicy, SubtaskPlan, UndoPlan

__all__ = [
    "Cancelled",
    "Connection",
    "Context",
    "ExecutorPolicy",
    "Exit",
    "Fault",
    "NoParams",
    "Operation",
    "Params",
    "PermanentFault",
    "Plan",
    "RetryPolicy",
    "Secret",
    "SubtaskPlan",
    "TaskType",
    "TransientFault",
    "UndoPlan",
    "task_type",
]
