"""OCP Express's error codes for ours, which are OCP's (specification §2.4). Statuses are the same in both.

Express has no word for a subtask that cannot be skipped, a reused key or a stale version: they are its illegal state.
"""

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "/api/v1/"
"""Where this API's addresses begin."""
CODES: Final[Mapping[int, int]] = {
    1000: 10010,
    1001: 10001,
    1002: 10002,
    1003: 10001,
    1004: 10001,
    1005: 10001,
    1006: 10010,
    1011: 10001,
    3000: 30000,
    3004: 30004,
    3017: 30014,
    3100: 30014,
    4001: 20000,
    4003: 20001,
    4004: 20002,
    4007: 20003,
    4009: 20004,
    4010: 20003,
    4011: 20003,
    4012: 20003,
}


def code_for(path: str, code: int) -> int:
    """Return the code as the API of this address calls it; one it has no word for stays as it is."""
    return CODES.get(code, code) if path.startswith(PREFIX) else code
