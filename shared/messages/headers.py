"""Headers of a commit: identity, expected sequence, CloudEvents attributes. Knows the names, not the transport."""

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
INCREMENT = "Nats-Incr"
SEQUENCE = "Nats-Sequence"
TIME = "Nats-Time-Stamp"
TRACE = "traceparent"
REPLY_TO = "reply_to"
IDEMPOTENCY_KEY = "Idempotency-Key"


def of_commit(commit_id: str, task_id: int, expected: int, trace: str | None = None) -> dict[str, str]:
    """Return the headers of a commit; `expected` is the task's last stream sequence, 0 for a new task."""
    found = {
        MESSAGE_ID: commit_id,
        EXPECTED: str(expected),
        "ce-specversion": "1.0",
        "ce-id": commit_id,
        "ce-type": "opsledger.commit",
        "ce-source": "opsledger",
        "ce-subject": str(task_id),
    }
    if trace:
        found[TRACE] = trace
    return found
