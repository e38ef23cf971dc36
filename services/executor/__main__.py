"""`python -m services.executor` runs one executor; `… cards` prints what it offers. The only reader of settings."""

import json
import sys

import uvloop
from pydantic import ValidationError

from services.executor.app import run
from services.executor.catalog import discover
from services.executor.confidential import CannotStart
from services.executor.connection import LogRegression
from services.executor.liveness import cards
from services.executor.settings import Settings
from shared.runtime import logging
from shared.runtime.garbage import collect_seldom

EXIT_REGRESSION = 3


def main(argv: list[str]) -> int:
    """Return the exit code: 0 stopped on request, 2 wrong use, 3 the log is not the one we knew, 1 anything else."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            print(f"OPSLEDGER_{str(problem['loc'][0]).upper()}: {problem['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    if argv == ["cards"]:
        offers = [{"kind": kind, "card": card} for pool in settings.pools for kind, card in cards(discover(), pool)]
        print(json.dumps(offers))  # noqa: T201  its output is its purpose
        return 0
    if argv:
        print("usage: python -m services.executor [cards]", file=sys.stderr)  # noqa: T201
        return 2
    logging.configure(settings.log_level, service="executor")
    collect_seldom()
    return _run(settings)


def _run(settings: Settings) -> int:
    try:
        return uvloop.run(run(settings))
    except LogRegression as regression:
        logging.get(__name__).error("LOG_REGRESSION", why=str(regression))
        return EXIT_REGRESSION
    except CannotStart as problem:
        logging.get(__name__).error("cannot start", why=str(problem))
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
