"""Huawei's error body, `{error_msg, error_code}`, and its statuses: a body that does not fit is 400 there, not 422.

What its gateway says has the gateway's codes; the rest is `OMS.` with our number, which `docs/huawei-oms.md` lists.
"""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "/v2/"
"""Where this API's addresses begin."""
_GATEWAY: Final[Mapping[int, str]] = {1002: "APIGW.0101", 3000: "APIGW.0301", 3017: "APIGW.0302", 3100: "APIGW.0302"}
_THROTTLED: Final = "APIGW.0308"
_STATUSES: Final[Mapping[int, int]] = {409: 400, 412: 400, 422: 400, 504: 503}


def speaks(path: str) -> bool:
    """Whether whoever asks at this address expects Huawei's words."""
    return path.startswith(PREFIX)


def status_for(status: int) -> int:
    """Return the status as Huawei's documents have it."""
    return _STATUSES.get(status, status)


def body(status: int, code: int, message: str) -> dict[str, str]:
    """Return the error body; `code` is our number."""
    shown = _THROTTLED if status == 429 else _GATEWAY.get(code, f"OMS.{code:04d}")
    return {"error_msg": message, "error_code": shown}
