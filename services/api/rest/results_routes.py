"""The addresses of results."""

from typing import Any

from fastapi import FastAPI

from services.api.rest import openapi, results
from services.api.rest.results_send import BYTES, ZIP
from services.api.rest.results_shapes import ResultsShape, RowsShape
from services.api.rest.tasks import INSTANCES

_REFUSALS = (400, 404, 503)


def add(app: FastAPI, route: Any, raw: Any) -> None:
    """Add every route; `route` adds one that answers in the envelope, `raw` one that does not."""
    one, two = f"{INSTANCES}/{{task_id}}", f"{INSTANCES}/{{task_id}}/subtasks/{{subtask_id}}"
    whole = "A zip of {n}.csv and csv_execute_result.json; see docs/results.md."
    asked = [*openapi.RESULTS, openapi.DIALECT]
    route(app, "GET", f"{one}/results", results.results, ResultsShape, *_REFUSALS, parameters=asked)
    raw(
        app, "GET", f"{one}/results/download", results.results_download, ZIP, *_REFUSALS,
        parameters=openapi.RESULTS, description=whole,
    )  # fmt: skip
    route(
        app, "GET", f"{two}/results/{{index}}", results.result_set, RowsShape, *_REFUSALS,
        parameters=openapi.RESULT_SET,
    )  # fmt: skip
    raw(
        app, "GET", f"{two}/files/{{name}}", results.result_file, BYTES, *_REFUSALS, parameters=openapi.RESULT_FILE,
    )  # fmt: skip
