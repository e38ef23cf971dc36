"""Finds failed tasks, shows what failed and why, retries them, and waits for their end.

Written from the published documents of OCP's task API alone, so it runs against an OCP server as well as against
opsledger. Exit code 0 when every task ended well, 1 otherwise.

    OCP_USER=admin OCP_PASSWORD=... python examples/ocp_retry.py http://127.0.0.1:8080 --name "Nightly check"
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import requests

SEPARATOR = re.compile(r"#{12}\{(\S*)\}\{(\S*)\}#{12}")
Json = dict[str, Any]


class Ocp:
    """The six calls that this needs."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._tasks = f"{url.rstrip('/')}/api/v2/tasks/instances"
        self._session = requests.Session()
        self._session.auth = (user, password)

    def failed(self, name: str) -> Iterator[int]:
        """Yield the ids of all failed tasks with this in their name."""
        number, pages = 1, 1
        while number <= pages:
            query = {"name": name, "status": "FAILED", "page": number, "size": 50, "sort": "id,asc"}
            found = self._ask("GET", "", params=query)
            yield from (task["id"] for task in found["contents"])
            number, pages = number + 1, found["page"]["totalPages"]

    def details(self, task: int) -> Json:
        """Return one task with its subtasks."""
        return self._ask("GET", f"/{task}")

    def log(self, task: int, subtask: int) -> str:
        """Return what a subtask has printed."""
        return str(self._ask("GET", f"/{task}/subtasks/{subtask}/log")["log"])

    def retry(self, task: int) -> Json:
        """Run all failed subtasks of a task again."""
        return self._ask("POST", f"/{task}/retry")

    def _ask(self, method: str, path: str, **more: Any) -> Json:
        answer = self._session.request(method, self._tasks + path, timeout=30, **more).json()
        if not answer["successful"]:
            raise SystemExit(f"{answer['error']['code']}: {answer['error']['message']} (trace {answer['traceId']})")
        found: Json = answer.get("data", {})
        return found


def in_order(subtasks: list[Json]) -> list[Json]:
    """Return the subtasks, each behind its upstreams: the edges say the order, ids and series numbers do not."""
    waiting = {subtask["id"]: subtask for subtask in subtasks}
    done: list[Json] = []
    while waiting:
        free = [one for one in waiting.values() if not waiting.keys() & set(one["upstreams"])]
        done += free
        for one in free:
            del waiting[one["id"]]
    return done


def last_run(log: str) -> tuple[str, str]:
    """Return the operation and the text of the newest run in a log."""
    parts = SEPARATOR.split(log)
    return (parts[-3], parts[-1].strip("\n")) if len(parts) >= 4 else ("", log)


def show(ocp: Ocp, task: Json) -> None:
    """Print what failed in a task."""
    print(f"{task['id']} {task['name']}: {task['status']} since {task.get('finishTime', '?')}")
    for subtask in in_order(task["subtasks"]):
        if subtask["status"] == "FAILED":
            operation, text = last_run(ocp.log(task["id"], subtask["id"]))
            print(f"  {subtask['name']} failed in run {subtask['runTime']} ({operation}):")
            print("".join(f"    {line}\n" for line in text.splitlines()[-5:]), end="")


def main() -> int:
    """Retry what failed."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("url", help="where the server is")
    words.add_argument("--name", default="", help="only tasks with this in their name")
    words.add_argument("--wait", type=float, default=600, help="how many seconds to wait for each task")
    asked = words.parse_args()
    ocp = Ocp(asked.url, os.environ["OCP_USER"], os.environ["OCP_PASSWORD"])
    unwell = 0
    for number in list(ocp.failed(asked.name)):
        show(ocp, ocp.details(number))
        task, deadline = ocp.retry(number), time.monotonic() + asked.wait
        while task["status"] == "RUNNING" and time.monotonic() < deadline:
            time.sleep(0.5)
            task = ocp.details(number)
        print(f"{number} {task['name']}: {task['status']} after a retry")
        unwell += task["status"] != "SUCCESSFUL"
    return 1 if unwell else 0


if __name__ == "__main__":
    sys.exit(main())
