"""What went wrong between us and the API, as one sentence and a next step.

Responsible for: the words of refusals, of missing credentials and of an API in trouble. Refuses to know: requests.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx2

from opsledger.cli.failure import CliError, Exit
from opsledger.cli.rest.view import mapping, objects, text

_ALLOWED = " Allowed now:"
_NO_ROUTE = 1002
_WHO_ARE_WE = "set OPSLEDGER_TOKEN, or OPSLEDGER_USER and OPSLEDGER_PASSWORD, or --data-dir of the running system"


class ApiError(CliError):
    """The API said no, in its own words; `target` says what about, `code` is the API's."""

    def __init__(
        self, status: int, cause: str, *, error: Mapping[str, Any] | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(cause, next_step=next_step)
        self.status = status
        self.error = error or {}

    @property
    def target(self) -> Mapping[str, Any]:
        """What the refusal is about, such as the state and what is allowed now."""
        return mapping(self.error.get("target"))

    @property
    def allowed(self) -> list[str] | None:
        """The commands that are legal now; None when the API does not say."""
        words = self.target.get("allowed")
        return [str(word) for word in words] if isinstance(words, list) else None


class Unreachable(CliError):  # noqa: N818 - a fact, not a mistake
    """Nothing answered, or only a server in trouble did. `maybe`: what was asked may have taken effect all the same."""

    def __init__(
        self, cause: str, *, next_step: str | None = None, maybe: bool = False, code: int = Exit.FAILED
    ) -> None:
        super().__init__(cause, next_step=next_step, code=code)
        self.maybe = maybe


def nothing_answers(url: str) -> Unreachable:
    """No connection at all."""
    return Unreachable(
        f"nothing answers at {url}", next_step="start it with: opsledger up, or give another address with --url"
    )


def broke_off(url: str, error: Exception) -> Unreachable:
    """A connection that ended before the answer: nobody knows what became of the request."""
    return Unreachable(f"{url} broke off: {type(error).__name__} {error}".rstrip(), maybe=True)


def busy(url: str, response: httpx2.Response) -> Unreachable:
    """429, 502, 503, 504: the API, or what it needs, has no time for us now."""
    error = _error(response)
    said = _sentence(error) or f"{url} answered {response.status_code}"
    if response.status_code == httpx2.codes.TOO_MANY_REQUESTS:
        wait = response.headers.get("retry-after", "")
        pause = f"wait {wait} s, then" if wait.isdigit() else "wait a moment, then"
        return Unreachable(said, next_step=f"{pause} ask again; --pace spreads a bulk command")
    # An API names the effect; a proxy before it cannot know.
    return Unreachable(
        said,
        next_step="it lasts until the log and the view can be reached again; try again, see /health/ready",
        maybe=mapping(error.get("target")).get("effect", "unknown") == "unknown",
    )


def refusal(response: httpx2.Response, *, known: bool) -> ApiError:
    """Any other answer that is not good. `known`: whether a credential was shown."""
    error, status = _error(response), response.status_code
    said = _sentence(error) or f"{response.request.url} answered {status}"
    next_step = None
    if status == httpx2.codes.UNAUTHORIZED:
        said = f"{response.request.url.host} refused the credential: it is wrong, expired or revoked" if known else said
        next_step = _WHO_ARE_WE
    elif status == httpx2.codes.FORBIDDEN:
        next_step = "ask whoever runs opsledger for a role that may; what yours may: opsledger whoami"
    elif error.get("code") == _NO_ROUTE:
        next_step = "this API may be older than this command line; compare opsledger --version with its /openapi.json"
    elif isinstance(allowed := mapping(error.get("target")).get("allowed"), list):
        said, _, _ = said.partition(_ALLOWED)
        next_step = "allowed now: " + (", ".join(map(str, allowed)) or "nothing")
    return ApiError(status, said, error=error, next_step=next_step)


def _error(response: httpx2.Response) -> Mapping[str, Any]:
    with suppress(ValueError, AttributeError):
        return mapping(response.json().get("error"))
    return {}


def _sentence(error: Mapping[str, Any]) -> str:
    """The server's own sentence, with the fields it complains about."""
    said = text(error.get("message"))
    faults = [
        f"{text(fault.get('field') or fault.get('object')) or 'body'}: {text(fault.get('message'))}"
        for fault in objects(error.get("subErrors"))
    ]
    return "\n    ".join([said, *(fault for fault in faults if fault != said)])
