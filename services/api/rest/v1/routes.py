"""The addresses of OCP Express's task API (specification §3)."""

from typing import Any, Final

from fastapi import FastAPI

from services.api.rest import diagnosis, openapi, schemas
from services.api.rest.v1 import commands, shapes, tasks

INSTANCES: Final = "/api/v1/tasks/instances"
_REFUSALS: Final = (400, 404, 409, 412, 413, 415, 422, 503)


def add(app: FastAPI, route: Any, raw: Any) -> None:
    """Add every route of v1; `route` adds one that answers in the envelope, `raw` one that does not."""
    one, two = f"{INSTANCES}/{{task_id}}", f"{INSTANCES}/{{task_id}}/subtasks/{{subtask_id}}"
    on_task, on_subtask = [openapi.TASK], [openapi.TASK, openapi.SUBTASK]
    shown = [openapi.TASK, openapi.MIN_SEQ]
    route(app, "GET", INSTANCES, tasks.v1_tasks, shapes.V1Page, 400, 503, 504, parameters=openapi.V1_LIST)
    route(app, "GET", one, tasks.v1_task, shapes.V1Task, 400, 404, 503, 504, parameters=shown)
    route(app, "GET", f"{two}/log", tasks.v1_log, schemas.LogShape, 404, 503, parameters=on_subtask)
    more: dict[str, Any] = {"body": openapi.reason(), "answer": schemas.Quiet}
    for word in commands.ON_TASK:
        task = shapes.V1Task if word == "retry" else None
        endpoint = commands.on_task(word)
        route(app, "POST", f"{one}/{word}", endpoint, task, *_REFUSALS, parameters=on_task, **more)
    for word in commands.ON_SUBTASK:
        subtask = shapes.V1Subtask if word == "retry" else None
        endpoint = commands.on_subtask(word)
        route(app, "POST", f"{two}/{word}", endpoint, subtask, *_REFUSALS, parameters=on_subtask, **more)
    raw(
        app, "POST", f"{one}/downloadDiagnosis", diagnosis.v1_diagnosis, "application/zip", 404, 503,
        parameters=on_task, description="A zip of task_info.txt and each run's log.",
    )  # fmt: skip
