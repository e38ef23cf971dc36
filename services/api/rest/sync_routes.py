"""The addresses of synchronisation tasks: what they did, their object lists, and requests to them."""

from typing import Any

from fastapi import FastAPI

from services.api.rest import openapi, schemas, sync, sync_lists
from services.api.rest import shapes_sync as shapes


def add(app: FastAPI, route: Any, raw: Any) -> None:
    """Add every route; `route` adds one that answers in the envelope, `raw` one that does not."""
    one = f"{sync.PATH}/{{task_id}}"
    route(app, "GET", sync.PATH, sync.sync_tasks, shapes.SyncTasks, 400, 503, 504, parameters=shapes.LIST)
    route(app, "GET", one, sync.sync_task, shapes.SyncTask, 400, 404, 503, 504, parameters=shapes.ONE)
    route(
        app, "GET", f"{one}/statistics", sync.sync_statistics, shapes.SyncStatistics, 400, 404, 503, 504,
        parameters=shapes.STATISTICS,
    )  # fmt: skip
    route(
        app, "POST", f"{one}/requests", sync.sync_request, schemas.TaskDetails, 400, 404, 409, 413, 415, 422, 503,
        status=201, parameters=[openapi.TASK, openapi.KEY, openapi.DRY_RUN], body=openapi.strict(shapes.RequestBody),
        also={200: {"model": schemas.Answer[schemas.Preview], "description": "A dry run's answer."}},
    )  # fmt: skip
    lists = f"{one}/lists/{{which}}"
    route(app, "GET", lists, sync_lists.sync_lists, shapes.ObjectListsShape, 400, 404, 503, parameters=shapes.LISTS)
    raw(
        app, "GET", f"{lists}/{{name}}", sync_lists.sync_list, sync_lists.TEXT, 404, 503,
        parameters=shapes.LIST_FILE, description="A list as it lies in the destination, see docs/tasks/object.sync.md.",
    )  # fmt: skip
