"""Subjects, streams and buckets by name. User text never enters a subject (T30): ids and checked pool names only."""

TASKS = "TASKS"
WORK = "WORK"
COMMANDS = "COMMANDS"
LOGS = "LOGS"
IDS = "IDS"

CATALOG = "catalog"
EXECUTORS = "executors"
IDEMPOTENCY = "idempotency"
ACCESS = "access"
CONNECTIONS = "connections"
SECRETS = "secrets"
VALUES = "values"
REPLAYS = "replays"
RESULTS = "results"
SET_ASIDE = "set-aside"

NEXT_TASK_ID = "ids.task"
LOG_CHECK = "log.check"
"""Asked by executors at start and after a reconnect: is the log the one the APIs have seen?"""
REPLICAS = "replicas.look"
"""Asked by APIs of all APIs: how are you?"""
BULK_PERFORM = "bulk.perform"
"""Asked by the executor of a bulk command: carry the command out on one of its targets."""
SET_ASIDE_COMMANDS = "set-aside.commands"
"""Messages of `commands.*` that nobody could carry out, with the reason."""


def task(task_id: int) -> str:
    """Return the one subject of a task in the log."""
    return f"tasks.{task_id}"


def task_of(subject: str) -> int | None:
    """Return the task id in a log subject, or None when it is not one of ours."""
    head, _, tail = subject.partition(".")
    return int(tail) if head == "tasks" and tail.isascii() and tail.isdigit() else None


def work(pool: str, task_id: int, subtask: int, generation: int, attempt: int) -> str:
    """Return the subject of a work item; subtask 0 asks for the task's plan."""
    return f"work.{pool}.{task_id}.{subtask}.{generation}-{attempt}"


def work_pool(pool: str) -> str:
    """Return the filter of all items of a pool."""
    return f"work.{pool}.>"


def logs(task_id: int, subtask: int) -> str:
    """Return the subject of what a subtask prints."""
    return f"logs.{task_id}.{subtask}"


def nudge(incarnation: str) -> str:
    """Return the subject that tells one executor to look at its claims now, or to take no new work."""
    return f"nudge.{incarnation}"


def foresee(pool: str) -> str:
    """Return the subject on which one executor of a pool is asked what plan a task type would make."""
    return f"foresee.{pool}"


def object_lists(pool: str) -> str:
    """Return the subject on which one executor of a pool is asked what object lists a synchronisation has written."""
    return f"lists.{pool}"


def command(word: str) -> str:
    """Return the subject on which producers send a command; `*` for all of them."""
    return f"commands.{word}"


def result(task_id: int) -> str:
    """Return the subject on which every decision about a task's commands is told (core NATS); 0: about no task."""
    return f"results.{task_id}"


def status_event(kind: str) -> str:
    """Return the subject of published status events of a type (core NATS, at most once)."""
    return f"events.{kind}"


def card(kind: str, name: str, pool: str) -> str:
    """Return the key of a card in KV `catalog`; `kind` is `operation` or `type`."""
    return f"{kind}/{name}/{pool}"
