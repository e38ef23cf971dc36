"""File systems with their fill level in bytes and inodes, and the block devices below them."""

import os
import re
import threading
from pathlib import Path
from typing import Any

from services.executor.task_types.probes.read import Probed, chosen, number, pressure, size, text

_REAL = {
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "zfs",
    "f2fs",
    "jfs",
    "reiserfs",
    "vfat",
    "ntfs3",
    "overlay",
    "bcachefs",
}
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs", "lustre", "gpfs"}
PATIENCE = 3.0
LIMIT = 40


def _unescape(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _fill(path: str) -> os.statvfs_result | None:
    """Ask a file system how full it is; a dead network mount does not hold us up."""
    answers: list[os.statvfs_result] = []

    def ask() -> None:
        try:
            answers.append(os.statvfs(path))
        except OSError:
            return

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    asker.join(PATIENCE)
    return answers[0] if answers else None


def _file_system(device: str, mount: str, kind: str, options: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"device": device, "mount": mount, "type": kind, "options": options.split(",")}
    fill = _fill(mount)
    if fill is None:
        return facts | {"answers": False}
    total, free = fill.f_blocks * fill.f_frsize, fill.f_bavail * fill.f_frsize
    used = (fill.f_blocks - fill.f_bfree) * fill.f_frsize
    return facts | {
        "answers": True,
        "bytes": total,
        "free": free,
        "reserved": max(0, total - used - free),
        "used_percent": round(100 * used / (used + free), 1) if used + free else 0.0,
        "inodes": fill.f_files,
        "inodes_used_percent": round(100 * (1 - fill.f_ffree / fill.f_files), 1) if fill.f_files else 0.0,
        "read_only": bool(fill.f_flag & os.ST_RDONLY),
    }


def _devices() -> list[dict[str, Any]]:
    found = []
    for device in sorted(Path("/sys/block").glob("*")):
        sectors = number(device / "size")
        if device.name.startswith(("loop", "ram", "zram", "sr", "fd")) or not sectors:
            continue
        found.append(
            {
                "name": device.name,
                "bytes": sectors * 512,
                "model": text(device / "device/model"),
                "rotational": number(device / "queue/rotational") == 1,
                "scheduler": chosen(device / "queue/scheduler"),
                "read_ahead_kib": number(device / "queue/read_ahead_kb"),
                "write_cache": text(device / "queue/write_cache"),
            }
        )
    return found[:LIMIT]


def probe() -> Probed:
    """Return the facts and their summary."""
    mounts: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for line in (text("/proc/self/mounts") or "").splitlines():
        device, mount, kind, options = (_unescape(word) for word in line.split()[:4])
        inner = kind == "overlay" and mount != "/"  # a container's; its space is counted with the disk below it
        if kind not in _REAL | _NETWORK or inner or device in seen or len(mounts) >= LIMIT:
            continue
        seen.add(device)
        mounts[mount] = _file_system(device, mount, kind, options)
    systems = sorted(mounts.values(), key=lambda item: -item.get("used_percent", 100.0))
    facts: dict[str, object] = {"filesystems": systems, "devices": _devices(), "io_pressure": pressure("io")}
    lines = [
        f"{item['mount']} ({item['type']}): {item['used_percent']} % of {size(item['bytes'])} used, "
        f"{size(item['free'])} free, inodes {item['inodes_used_percent']} %"
        if item["answers"]
        else f"{item['mount']} ({item['type']}): does not answer within {PATIENCE:g} s"
        for item in systems
    ]
    return facts, lines or ["no file system with storage of its own is visible here"]
