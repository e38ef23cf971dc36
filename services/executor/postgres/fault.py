"""What a PostgreSQL server or the way to it says, as faults a person can act on.

Responsible for `said`, which turns a driver's error into a `TransientFault` or a `PermanentFault` with what, where and
what to do. Refuses to know what was being done.
"""

from typing import Any, Final

from services.executor.fault import Fault, PermanentFault, TransientFault

_NO_ROOM: Final = (
    "too many clients",
    "connection slots",
    "starting up",
    "shutting down",
    "recovery mode",
    "too many conn",
)
_UNREACHED: Final = (
    "connection refused",
    "timeout expired",
    "timed out",
    "translate host name",
    "failed to resolve host",
    "name or service not known",
    "no route to host",
    "network is unreachable",
    "closed the connection unexpectedly",
    "connection reset",
    "connection timeout",
)
_TRANSIENT_CLASSES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
_ADVICE: Final = {
    "42501": "the connection's user lacks a right: it must be a superuser, or have CREATEROLE and CREATEDB and be a "
    "member of the role",
    "25006": "the server only reads: this is a standby, name the primary in the connection",
    "53100": "the server's disk is full: make room there, then retry",
    "53300": "the server has no room for another session: raise max_connections or end some, then retry",
    "55006": "somebody uses it: retry when they are done",
    "2BP01": "something still depends on it: remove that first, then retry",
}


def said(error: Any, where: str, doing: str) -> Fault:
    """Return the fault for a driver's error while `doing` something at `where`."""
    state = getattr(error, "sqlstate", None)
    diag = getattr(error, "diag", None)
    text = str(getattr(diag, "message_primary", None) or " ".join(str(error).split())).rstrip(".")
    more = getattr(diag, "message_detail", None)
    if more:
        text = f"{text} ({' '.join(str(more).split())})"[:1_000]
    if state is None:  # libpq tells of a login that failed in words alone
        return _no_session((text.rpartition("FATAL:")[2] or text).removeprefix("connection failed: ").strip(), where)
    advice = _ADVICE.get(state, "")
    message = f"{doing} failed at {where}: {text}{f'; {advice}' if advice else ''}."
    detail = {"kind": "POSTGRESQL", "sqlstate": state}
    return (TransientFault if state[:2] in _TRANSIENT_CLASSES else PermanentFault)(message, detail)


def _no_session(text: str, where: str) -> Fault:
    low = text.lower()
    if any(word in low for word in _NO_ROOM):
        return TransientFault(
            f"No session at {where}: the server has no room now: {text}; end some, or raise that limit, then retry.",
            {"kind": "NO_ROOM"},
        )
    if any(word in low for word in _UNREACHED):
        advice = "check the address, the network, and that the server runs"
        return TransientFault(f"No session at {where}: {text}; {advice}.", {"kind": "UNREACHABLE"})
    advice = "check the user, its password, the database, and pg_hba.conf of the server"
    return PermanentFault(f"No session at {where}: the server refused: {text}; {advice}.", {"kind": "REFUSED"})
