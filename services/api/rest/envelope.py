"""OCP's envelope around every answer (specification §2.2, §2.4). Absent values are left out, never null.

Written as bytes: the envelope's own fields are plain ASCII, so only the data goes through a serializer.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from services.api.rest import exchange
from services.api.rest.huawei import errors as huawei
from services.api.rest.languages import CHINESE, translated
from services.api.rest.v1.codes import code_for
from shared.runtime.clock import now

MEDIA: Final = "application/json"
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def ok(request: Request, data: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a good answer; `data` of None is left out."""
    body = b"" if data is None else b'"data":' + to_json(data, inf_nan_mode="null") + b","
    return _answer(request.scope, b"{" + body + b'"successful":true,', status, headers)


def failed(
    scope: Any,
    status: int,
    code: int,
    message: str,
    *,
    target: Mapping[str, Any] | None = None,
    sub_errors: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a refusal; `code` is OCP's number, `target` says what it is about and what is allowed now.

    The address decides whose number is sent, and in whose error body; the caller's `Accept-Language` in which language
    the message is.
    """
    if huawei.speaks(scope.get("path", "")):
        ours = {**_HEADERS, "X-Request-Id": exchange.of(scope).trace_id}
        said = to_json(huawei.body(status, code, message))
        return Response(said, huawei.status_for(status), {**ours, **(headers or {})}, MEDIA)
    shown = translated(scope, code, target or {}, exchange.of(scope).trace_id)
    error: dict[str, Any] = {"code": code_for(scope.get("path", ""), code), "message": shown or message}
    if shown is not None:
        error["debugMessage"] = message
        headers = {"Content-Language": CHINESE, **(headers or {})}
    if target:
        error["target"] = target
    if sub_errors:
        error["subErrors"] = sub_errors
    body = b'{"successful":false,"error":' + to_json(error, inf_nan_mode="null", serialize_unknown=True) + b","
    return _answer(scope, body, status, headers)


def _answer(scope: Any, body: bytes, status: int, headers: Mapping[str, str] | None) -> Response:
    about = exchange.of(scope)
    tail = (
        f'"timestamp":"{now().isoformat(timespec="milliseconds")}","duration":{about.milliseconds},'
        f'"status":{status},"traceId":"{about.trace_id}","server":"{about.server}"}}'
    )
    return Response(body + tail.encode(), status, {**_HEADERS, **(headers or {})}, MEDIA)
