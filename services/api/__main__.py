"""`python -m services.api serve | init | rebuild | verify | audit-verify | token`. The only reader of settings.

Exit codes: 0 fine, 2 wrong use, 3 the log has forgotten what the view has seen, 1 anything else.
"""

import argparse
import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import uvicorn
import uvloop
from pydantic import ValidationError

from services.api import provision, tokens
from services.api.access import LOGIN, MAX_LOGIN, Role
from services.api.app import Running, build
from services.api.bus.asyncapi import document
from services.api.identity.secret_keys import SecretKeys, access_key
from services.api.projection.audit_verify import verify_chains
from services.api.projection.checkpoint import LogRegression
from services.api.projection.engine import engine_for
from services.api.projection.rebuild import rebuild
from services.api.projection.verify import verify
from services.api.rest.wire import BoundedProtocol
from services.api.server import Server
from services.api.settings import Settings
from shared.log.jetstream import JetStreamStorage
from shared.messages import subjects
from shared.runtime import logging
from shared.runtime.clock import now
from shared.runtime.garbage import collect_seldom
from shared.runtime.nats import connect
from shared.store import vault
from shared.store.kv import Bucket

EXIT_FAILED, EXIT_USAGE, EXIT_REGRESSION = 1, 2, 3
STOP_SECONDS = 2
PLAIN = frozenset({"BadKey", "CannotStart", "NoVault", "ProvisionFailed", "TimeoutError", "TrigramsMissing"})
"""Errors whose message says what to do, so that a trace would only hide it."""


def main(argv: list[str]) -> int:
    """Return the exit code."""
    asked = _parser().parse_args(argv)
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = f"OPSLEDGER_{str(problem['loc'][0]).upper()}" if problem["loc"] else "settings"
            print(f"{name}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE
    logging.configure(settings.log_level, service=f"api {asked.job}" if asked.job != "serve" else "api")
    log = logging.get(__name__)
    try:
        code: int = uvloop.run(_JOBS[asked.job](settings, asked))
    except LogRegression as regression:
        log.error("LOG_REGRESSION", why=str(regression))  # noqa: TRY400  the message says it all
        return EXIT_REGRESSION
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        trace = None if type(error).__name__ in PLAIN else error
        log.error("failed", job=asked.job, why=f"{type(error).__name__}: {error}", exc_info=trace)  # noqa: TRY400
        return EXIT_FAILED
    return code


async def _serve(settings: Settings, _: argparse.Namespace) -> int:
    def stop() -> None:
        server.should_exit = True

    running = Running(settings, stop)
    config = uvicorn.Config(
        build(running),
        host=settings.host,
        port=settings.port,
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=75,
        backlog=1024,
    )
    server = Server(config, running.stopping)
    collect_seldom()
    with contextlib.suppress(SystemExit):  # the library's own exit code for a failed start is our 3
        await server.serve()
    if running.problem is not None:
        raise running.problem
    return 0 if server.started else EXIT_FAILED


async def _init(settings: Settings, _: argparse.Namespace) -> int:
    async with asyncio.timeout(settings.connect_seconds):
        client = await connect(settings.nats_url, name="opsledger init")
    try:
        await provision.run(settings, client)
    finally:
        await client.close()
    return 0


async def _rebuild(settings: Settings, _: argparse.Namespace) -> int:
    async with _log_and_view(settings) as (storage, engine):
        done = await rebuild(storage, engine)
    print(json.dumps({"seq": done.seq, "commits": done.commits, "seconds": round(done.seconds, 3)}))  # noqa: T201
    return 0


async def _verify(settings: Settings, _: argparse.Namespace) -> int:
    async with _log_and_view(settings) as (storage, engine):
        found = await verify(storage, engine)
    for difference in found.differences:
        print(f"task {difference.task_id}: {difference.what}", file=sys.stderr)  # noqa: T201
    print(json.dumps({"seq": found.seq, "tasks": found.tasks, "differences": len(found.differences)}))  # noqa: T201
    return 0 if found.same else EXIT_FAILED


async def _audit_verify(settings: Settings, _: argparse.Namespace) -> int:
    async with _log_and_view(settings) as (storage, engine):
        found = await verify_chains(storage, engine)
    for task_id, broken in found.broken:
        print(f"sequence {broken.seq}, task {task_id}: {broken.why}", file=sys.stderr)  # noqa: T201
    first = found.broken[0][1].seq if found.broken else None
    print(json.dumps({"tasks": found.tasks, "commits": found.commits, "broken": found.links, "first": first}))  # noqa: T201
    return EXIT_FAILED if found.links else 0


@contextlib.asynccontextmanager
async def _log_and_view(settings: Settings) -> AsyncIterator[tuple[JetStreamStorage, Any]]:
    async with asyncio.timeout(settings.connect_seconds):
        client = await connect(settings.nats_url, name="opsledger projection")
    engine = engine_for(settings.database_url)
    storage = JetStreamStorage(client)
    try:
        await storage.open()
        yield storage, engine
    finally:
        await engine.dispose()
        await client.close()


async def _token(settings: Settings, asked: argparse.Namespace) -> int:
    async with asyncio.timeout(settings.connect_seconds):
        client = await connect(settings.nats_url, name="opsledger token")
    try:
        sealed = vault.find(settings.secrets_key, settings.secrets_key_file, settings.data_dir)
        secret_keys = SecretKeys(Bucket(client, subjects.SECRETS), sealed)
        until = now() + timedelta(days=asked.days) if asked.days is not None else None
        wanted = tokens.Wanted(asked.name, Role(asked.role), until, frozenset(asked.team) or None, asked.key_pair)
        made = await tokens.Tokens(Bucket(client, subjects.ACCESS), secret_keys).issue(wanted, by="command line")
    finally:
        await client.close()
    pair = {"access_key": access_key(made.record.id), "secret_key": made.secret_key}
    print(json.dumps({"token": made.token, **pair}) if asked.key_pair else made.token)  # noqa: T201  its purpose
    return 0


async def _asyncapi(_: Settings, __: argparse.Namespace) -> int:
    print(json.dumps(document(), indent=2))  # noqa: T201  its output is its purpose
    return 0


_JOBS: dict[str, Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int]]] = {
    "serve": _serve,
    "init": _init,
    "asyncapi": _asyncapi,
    "rebuild": _rebuild,
    "verify": _verify,
    "audit-verify": _audit_verify,
    "token": _token,
}


def _login(text: str) -> str:
    if len(text) > MAX_LOGIN or not re.fullmatch(LOGIN, text):
        raise argparse.ArgumentTypeError("letters, digits and ._- only, at most 64, a letter or digit first")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.api", description=__doc__)
    jobs = parser.add_subparsers(dest="job", required=True, metavar="job")
    jobs.add_parser("serve", help="REST, projector and rescuer")
    jobs.add_parser("init", help="create streams, buckets, tables, the built-in catalogue and the first user")
    jobs.add_parser("asyncapi", help="print the AsyncAPI document of what goes over NATS")
    jobs.add_parser("rebuild", help="build the view anew from the log")
    jobs.add_parser("verify", help="compare the view with the log")
    jobs.add_parser("audit-verify", help="follow every task's hash chain and name the first broken link")
    token = jobs.add_parser("token", help="make a token and print it once")
    token.add_argument("name", type=_login, help="whom the token stands for")
    token.add_argument("--role", choices=[role.value for role in Role], default=Role.TASK_VIEWER.value)
    token.add_argument("--team", action="append", default=[], help="sees this team's tasks alone; may be repeated")
    token.add_argument("--key-pair", action="store_true", help="with a pair of keys to sign with; prints JSON")
    token.add_argument("--days", type=float, default=None, help="how long it is valid; for ever by default")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
