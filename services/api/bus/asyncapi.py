"""The AsyncAPI document of the API service, drawn by FastStream from the endpoints as they are declared here.

The broker behind it is never connected: commands are pulled by our own loop (decision 9), and answers, nudges and
status events go out beside FastStream, so this is where all of them are described. What FastStream cannot say (headers
of messages, where answers go) is added afterwards. `make docs` writes the checked-in copy anew.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from faststream.nats import NatsBroker
from faststream.specification import AsyncAPI
from pydantic import BaseModel

from services.api.access import COMMANDS
from services.api.asked import SUBTASK_WORDS
from services.api.bus import log_check, replicas
from services.api.bus.bulk import Wanted
from services.api.bus.message import MAX_KEY
from services.api.bus.order import MAX_BODY
from services.api.bus.replicas import Replica
from services.api.bus.shapes import Answer, BulkAnswer, CommandBody, LogCheckAnswer, NudgeBody, StatusEvent
from services.api.creation import CreateBody
from shared.messages import headers, signing, subjects
from shared.messages.foresee import Outlook, Wish
from shared.messages.object_lists import ListAnswer, ListQuestion

DESCRIPTION: Final = (
    "What programs say to opsledger and hear from it over NATS. Commands lie in the stream COMMANDS until they are "
    "decided; everything else is core NATS, at most once."
)
_DOES: Final = {
    "create": "Create a task.",
    "retry": "Run what failed again, or plan again.",
    "skip": "Count what failed as done.",
    "cancel": "Stop it.",
    "rollback": "Undo what has started, followers before upstreams.",
    "delete": "Take an ended task out of the lists; its history stays.",
}
_HEADERS: Final = {
    "type": "object",
    "required": [signing.AUTHORIZATION, signing.DATE],
    "properties": {
        signing.AUTHORIZATION: {
            "type": "string",
            "pattern": rf"^{signing.SCHEME} [A-Za-z0-9._-]+:[A-Za-z0-9+/]+=$",
            "description": "Access key, colon, base64 of the HMAC-SHA256 (keyed with the secret key) of four lines: "
            "subject, Date, Idempotency-Key (empty when there is none), SHA-256 of the body as hex.",
        },
        signing.DATE: {
            "type": "string",
            "description": "When it was signed, RFC 1123 or ISO 8601 with a zone; within 15 minutes of being stored.",
        },
        headers.IDEMPOTENCY_KEY: {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_KEY,
            "description": "One key, one effect, for ever; derived from the signature when there is none.",
        },
        headers.REPLY_TO: {
            "type": "string",
            "pattern": r"^_INBOX[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$",
            "description": "The producer's inbox, where the answer goes.",
        },
    },
}


@cache
def document() -> dict[str, Any]:
    """Return the document, made once. Its order does not depend on chance."""
    broker = NatsBroker("nats://nats:4222")
    for word in COMMANDS:
        _command(broker, word)
    log_check.subscribe(broker, dict)
    replicas.subscribe(broker, dict)
    _bulk(broker)
    _foresee(broker)
    _object_lists(broker)
    broker.publisher(
        subjects.result(0).replace("0", "{task}"),
        title="results",
        description="Every decision on a command of the bus; task 0 when it is about no task.",
        schema=Answer,
    )
    broker.publisher(
        subjects.nudge("{incarnation}"),
        title="nudge",
        description="To one executor: look at a task now instead of at the next heartbeat; or take no new work.",
        schema=NudgeBody,
    )
    broker.publisher(
        subjects.status_event("{type}"),
        title="events",
        description="Status events, by their type: what the view has taken in.",
        schema=StatusEvent,
    )
    drawn = AsyncAPI(broker, title="opsledger", version="2", schema_version="3.0.0", description=DESCRIPTION)
    found: dict[str, Any] = drawn.to_specification().to_jsonable()
    return _sorted(_completed(found))


def _command(broker: NatsBroker, word: str) -> None:
    scope = "a task or one of its subtasks" if word in SUBTASK_WORDS else "a task"
    text = (
        f"{_DOES[word]} The body has at most {MAX_BODY // 1024} KiB."
        if word == "create"
        else f"{_DOES[word]} For {scope}."
    )
    handler: Callable[..., Any]
    if word == "create":

        async def handler(body: CreateBody) -> None: ...
    else:

        async def handler(body: CommandBody) -> None: ...

    subject = subjects.command(word)
    broker.subscriber(subject, title=subject, description=text)(handler)


def _bulk(broker: NatsBroker) -> None:
    @broker.subscriber(
        subjects.BULK_PERFORM,
        queue="api",
        title=subjects.BULK_PERFORM,
        description="An executor asks one of all APIs to carry a bulk command out on one target.",
    )
    async def perform(body: Wanted) -> None: ...


def _foresee(broker: NatsBroker) -> None:
    @broker.subscriber(
        subjects.foresee("{pool}"),
        queue="executors",
        title="foresee",
        description="An API asks one executor of the pool what plan a task type would make. Nothing is stored.",
    )
    async def foresee(body: Wish) -> None: ...


def _object_lists(broker: NatsBroker) -> None:
    @broker.subscriber(
        subjects.object_lists("{pool}"),
        queue="executors",
        title="lists",
        description="An API asks one executor of the pool what object lists a synchronisation has written, or what "
        "stands in one.",
    )
    async def object_lists(body: ListQuestion) -> None: ...


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    """Add what FastStream does not know: headers, replies, parameters; take away what is not so here."""
    found["servers"] = {"nats": {"host": "nats:4222", "protocol": "nats", "description": "NATS 2.15 with JetStream."}}
    _complete_messages(found["components"]["messages"])
    _add_answers(found["components"], found["channels"])
    for channel in found["channels"].values():
        channel.pop("bindings", None)
        channel["servers"] = [{"$ref": "#/servers/nats"}]
        if channel["address"] in _PARAMETERS:
            channel["parameters"] = _PARAMETERS[channel["address"]]
    for name, operation in found["operations"].items():
        if name.startswith("commands."):
            operation["reply"] = _reply("commands.answer", f"$message.header#/{headers.REPLY_TO}")
        elif f"{name}.answer" in _ANSWERS:
            operation["reply"] = _reply(f"{name}.answer")
    return found


def _complete_messages(messages: dict[str, Any]) -> None:
    for name, message in messages.items():
        message.pop("correlationId", None)
        if name.startswith("commands."):
            message["headers"] = {"$ref": "#/components/schemas/CommandHeaders"}
            message["correlationId"] = {"location": f"$message.header#/{headers.IDEMPOTENCY_KEY}"}


def _add_answers(components: dict[str, Any], channels: dict[str, Any]) -> None:
    answers = {model.__name__: model.model_json_schema() for model in _ANSWERS.values()}
    for answer in answers.values():
        for name, shape in answer.pop("$defs", {}).items():
            components["schemas"].setdefault(name, shape)  # FastStream knows those that are in a payload, too
    components["schemas"] = _moved({**components["schemas"], "CommandHeaders": _HEADERS, **answers})
    for kind, model in _ANSWERS.items():
        components["messages"][kind] = {"title": kind, "payload": {"$ref": f"#/components/schemas/{model.__name__}"}}
        channels[kind] = {
            "address": None,
            "description": "The asker's inbox.",
            "messages": {"Answer": {"$ref": f"#/components/messages/{kind}"}},
        }


_ANSWERS: Final[dict[str, type[BaseModel]]] = {
    "commands.answer": Answer,
    f"{subjects.LOG_CHECK}.answer": LogCheckAnswer,
    f"{subjects.REPLICAS}.answer": Replica,
    f"{subjects.BULK_PERFORM}.answer": BulkAnswer,
    "foresee.answer": Outlook,
    "lists.answer": ListAnswer,
}
_PARAMETERS: Final = {
    "results.{task}": {"task": {"description": "Id of the task, 0 when the decision is about none."}},
    "events.{type}": {"type": {"description": "Type of the event, such as task.finished."}},
    "nudge.{incarnation}": {"incarnation": {"description": "Which executor process."}},
    "foresee.{pool}": {"pool": {"description": "The pool that the task type is offered in."}},
    "lists.{pool}": {"pool": {"description": "The pool of the synchronisation task."}},
}


def _reply(channel: str, location: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/Answer"}],
    }
    return {**found, "address": {"location": location}} if location is not None else found


def _moved(value: Any) -> Any:
    """Return the schemas with references of pydantic's own, in discriminators too, pointing to where they are now."""
    if isinstance(value, dict):
        return {name: _moved(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_moved(child) for child in value]
    return value.replace("#/$defs/", "#/components/schemas/") if isinstance(value, str) else value


def _sorted(found: dict[str, Any]) -> dict[str, Any]:
    """Return the document in one order: FastStream keeps endpoints in sets."""
    for part in (found, found["components"]):
        for name in ("channels", "operations", "messages", "schemas"):
            if name in part:
                part[name] = dict(sorted(part[name].items()))
    return found
