"""What authors of operations and task types import. Everything here is the contract; everything else may change.

```python
from opsledger.kit import Context, Params, operation


class GreetParams(Params):
    name: str


@operation("acme.greet")
async def greet(ctx: Context, params: GreetParams) -> str:
    return f"Hello, {params.name}."
```
"""

from opsledger.kit_operation import FunctionOperation, operation
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
from shared.task.refusals import Refusal

__all__ = [
    "Cancelled",
    "Connection",
    "Context",
    "ExecutorPolicy",
    "Exit",
    "Fault",
    "FunctionOperation",
    "NoParams",
    "Operation",
    "Params",
    "PermanentFault",
    "Plan",
    "Refusal",
    "RetryPolicy",
    "Secret",
    "SubtaskPlan",
    "TaskType",
    "TransientFault",
    "UndoPlan",
    "operation",
    "task_type",
]
