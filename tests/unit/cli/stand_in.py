"""A small HTTP server that speaks the API's envelope, so that the CLI is tested over a real connection.

It plays pictures of tasks in order, remembers what it was asked, and misbehaves when told to. Knows no rule of tasks.
"""

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

EPOCH = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TASKS = "/api/v2/tasks/instances"


def at(seconds: float) -> str:
    """A time on the wire, so many seconds after the epoch of these tests."""
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


def step(number: int, key: str, status: str, operation: str = "EXECUTE", **more: Any) -> dict[str, Any]:
    """One subtask as the API shows it."""
    started = {} if status in {"PENDING", "READY"} else {"startTime": at(1)}
    ended = {"finishTime": at(3.5)} if status in {"SUCCESSFUL", "FAILED"} else {}
    base = {"id": 70_000 + number, "seriesId": number, "key": key, "name": key, "runTime": 1}
    return {**base, "status": status, "operation": operation, **started, **ended, **more}


def task(state: str = "SUCCESSFUL", *steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One task, number 7, as the API shows it."""
    ocp = {"INITIALIZING": "RUNNING", "READY": "RUNNING", "CANCELLED": "FAILED"}.get(state, state)
    ended = {"finishTime": at(5)} if state in {"SUCCESSFUL", "FAILED", "CANCELLED"} else {}
    base = {"id": 7, "name": "Inspect db-17", "taskType": "host.inspect", "state": state, "status": ocp}
    times = {"createTime": at(0), "startTime": at(1), **ended}
    return {
        **base,
        "direction": "FORWARD",
        "creator": {"id": 1, "name": "admin"},
        **times,
        "subtasks": [*steps],
        **more,
    }


def preview(word: str, before: str, after: str, *subtasks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What a dry run of a command that would be accepted answers; states as `FAILED` or `RUNNING BACKWARD`."""

    def shape(words: str) -> dict[str, Any]:
        state, _, direction = words.partition(" ")
        return {"state": state, "status": state, "direction": direction or "FORWARD", "version": 5}

    base = {"dryRun": True, "command": word, "accepted": True, "task": 7}
    return {**base, "before": shape(before), "after": shape(after), "subtasks": [*subtasks], "events": [], **more}


def change(number: int, key: str, before: str, after: str) -> dict[str, Any]:
    """What a dry run says of one subtask; states as `FAILED EXECUTE`."""

    def shape(words: str) -> dict[str, str]:
        status, _, operation = words.partition(" ")
        return {"status": status, "operation": operation or "EXECUTE"}

    return {"id": 70_000 + number, "key": key, "name": key, "before": shape(before), "after": shape(after)}


def refusal(state: str, *allowed: str) -> dict[str, Any]:
    """The error of a command that the state forbids."""
    message = f"The operation is not allowed because the task 7 is in {state} state. Allowed now: {', '.join(allowed)}."
    return {
        "code": 4007,
        "message": message,
        "target": {"kind": "illegal_state", "state": state, "allowed": [*allowed]},
    }


class StandIn:
    """The server; use it as a context. What is not set answers 404, as the API would.

    `answers` maps a path, or a method and a path (`POST /x`, `POST /x?dry_run`), to the data, to (status, data or
    error), to a list of these that is played to its last one, or, for a path, to a function of the query.
    """

    def __init__(self) -> None:
        self.pictures: list[Mapping[str, Any]] = []
        self.answers: dict[str, Any] = {}
        self.failures: list[tuple[int, Mapping[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, str, Mapping[str, list[str]], Any, Mapping[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def sent(self, method: str) -> list[tuple[str, Mapping[str, list[str]], Any, Mapping[str, str]]]:
        """Path, query, body and headers of what was asked with that method, dry runs aside."""
        return [tuple(rest) for one, *rest in self.asked if one == method and "dry_run" not in rest[1]]

    def answer(self, method: str, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        """Status and data, or status and error."""
        if self.failures:
            return self.failures.pop(0)
        wanted = f"{method} {path}{'?dry_run' if 'dry_run' in query else ''}"
        if wanted in self.answers:
            found = self.answers[wanted]
            found = found.pop(0) if isinstance(found, list) and len(found) > 1 else found
            found = found[0] if isinstance(found, list) else found
            return found if isinstance(found, tuple) else (200, found)
        if path == f"{TASKS}/7" and self.pictures:
            return 200, self.pictures.pop(0) if len(self.pictures) > 1 else self.pictures[0]
        if (method, path) == ("POST", TASKS) and self.pictures:
            return 201, self.pictures[0]
        found = self.answers.get(path)
        if found is None:
            return 404, {"code": 4001, "message": f"{path} does not exist."}
        return 200, found(query) if callable(found) else found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing on stderr."""

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = json.loads(body) if body else None
                query = parse_qs(parts.query)
                stand_in.asked.append((self.command, parts.path, query, sent, dict(self.headers)))
                status, found = stand_in.answer(self.command, parts.path, query)
                good = status < 400
                envelope = {"successful": good, "timestamp": at(10), "status": status, "traceId": "0" * 16}
                if isinstance(found, bytes):  # as it is: a stream that ends, a download
                    payload = found
                else:
                    payload = json.dumps({**envelope, "data" if good else "error": found}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                for name, value in stand_in.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

        return Handler
