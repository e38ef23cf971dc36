"""The clock: its source, who keeps it in step, and whether the kernel believes that it is."""

import ctypes
import os
from pathlib import Path

from services.executor.task_types.probes.read import Probed, command, pids, text

_SOURCE = "/sys/devices/system/clocksource/clocksource0"
_KEEPERS = {"chronyd", "ntpd", "ntpsec", "openntpd", "systemd-timesyn", "ptp4l", "phc2sys"}
_UNSYNCHRONISED = 0x40
_NANO = 0x2000


class _Timex(ctypes.Structure):
    """The beginning of `struct timex` of adjtimex(2); the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _kernel() -> dict[str, object]:
    timex = _Timex()
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (AttributeError, OSError):
        return {"synchronised": None}
    if state < 0:
        return {"synchronised": None}
    return {
        "synchronised": not timex.status & _UNSYNCHRONISED,
        "offset_ms": round(timex.offset / (1e6 if timex.status & _NANO else 1e3), 3),
        "max_error_ms": round(timex.maxerror / 1e3, 1),
        "estimated_error_ms": round(timex.esterror / 1e3, 1),
        "frequency_ppm": round(timex.freq / 65_536, 3),
    }


def probe() -> Probed:
    """Return the facts and their summary."""
    kernel = _kernel()
    zone = text("/etc/timezone") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2] or "UTC"
    drift = text("/var/lib/chrony/chrony.drift") or text("/var/lib/ntp/ntp.drift")
    keepers = sorted({name for name in map(command, pids()) if name in _KEEPERS})
    facts: dict[str, object] = {
        **kernel,
        "source": text(f"{_SOURCE}/current_clocksource"),
        "sources": (text(f"{_SOURCE}/available_clocksource") or "").split(),
        "keepers": keepers,
        "timesyncd_has_synchronised": Path("/run/systemd/timesync/synchronized").exists(),
        "drift_ppm": float(drift.split()[0]) if drift else None,
        "time_zone": zone,
    }
    said = {"True": "synchronised", "False": "not synchronised"}.get(str(kernel["synchronised"]), "unknown")
    return facts, [
        f"kernel clock: {said}, largest possible error {kernel.get('max_error_ms', '?')} ms",
        f"kept by: {', '.join(keepers) or 'nobody seen'}",
        f"clock source {facts['source'] or 'unknown'}, time zone {zone}",
    ]
