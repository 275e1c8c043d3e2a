"""What endangers jobs in an SQLite file: the disk it lies on, its settings, its write-ahead log."""

import os
import shutil
from pathlib import Path
from sqlite3 import Connection

from treadle.stores.views import Finding

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}
)
LEAST_FREE = 100 * 2**20
LARGEST_WAL = 256 * 2**20

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")


def boot_id() -> str:
    """What names this boot of this machine; "" where the system has no name for it (then only the clock tells)."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def diagnose(connection: Connection, path: Path, *, in_memory: bool, quick: bool) -> list[Finding]:
    """Look at everything; one finding for each thing, good or bad. `quick` does not read the whole file."""
    findings = [] if quick else [_structure(connection, path)]
    if not in_memory:
        findings += [_file_system(path), _free_space(path), _log_size(path)]
    if not boot_id():
        findings.append(
            Finding("warning", f"expected {_BOOT_ID} to name this boot, got none: a reboot is seen by its clock")
        )
    return findings


def _structure(connection: Connection, path: Path) -> Finding:
    check = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if check == "ok":
        return Finding("ok", f"{path}: its structure is sound")
    return Finding("error", f"{path}: expected a sound file, got {check}: restore it from a copy")


def _file_system(path: Path) -> Finding:
    kind = file_system(_mounts(), path.parent.stat().st_dev)
    if kind in NETWORK_FILE_SYSTEMS:
        return Finding(
            "warning",
            f"{path}: expected a local disk, got a network file system ({kind}): SQLite's locks and shared "
            f"memory do not work between machines; use redis:// or postgresql:// there",
        )
    return Finding("ok", f"{path}: lies on a local disk ({kind or 'kind unknown'})")


def file_system(mounts: str, device: int) -> str:
    """The kind of file system of a device number, from the text of /proc/self/mountinfo; "" where it is not there."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts.splitlines():
        head, _, tail = line.partition(" - ")
        if head.split()[2:3] == [wanted]:
            return tail.split()[0]
    return ""


def _mounts() -> str:
    try:
        return _MOUNTS.read_text("utf-8")
    except OSError:
        return ""


def _free_space(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    if free < LEAST_FREE:
        return Finding(
            "warning", f"{path}: expected at least 100 MiB free, got {free // 2**20} MiB: a full disk stops all"
        )
    return Finding("ok", f"{path}: {free // 2**20} MiB free")


def _log_size(path: Path) -> Finding:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LARGEST_WAL:
        return Finding("warning", f"{log}: expected less than 256 MiB, got {size // 2**20}: somebody keeps a read open")
    return Finding("ok", f"{log}: {size // 2**10} KiB")
