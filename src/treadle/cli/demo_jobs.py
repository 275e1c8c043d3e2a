"""The app of `treadle demo`: what its worker processes import."""

import hashlib
import os
import zlib
from pathlib import Path

from treadle.app.treadle import Treadle
from treadle.hooks.current import current_job

ONE_FAILS_IN = 100
PAUSE = 1.0

app = Treadle()


@app.job(name="treadle.demo", queue="treadle-demo", max_attempts=5, backoff=lambda _: PAUSE, record=True)
def measure(path: str, ledger: str) -> dict[str, str | int]:
    """The digest and the number of lines of a file; the first attempt fails for one file in a hundred."""
    fails = current_job().attempt == 1 and zlib.crc32(path.encode()) % ONE_FAILS_IN == 0
    write_line(ledger, f"{os.getpid()} {'fails' if fails else 'runs'} {path}")
    if fails:
        raise OSError(f"{path} was made to fail once")
    return measured(path)


def measured(path: str) -> dict[str, str | int]:
    """What the job finds out about a file."""
    data = Path(path).read_bytes()
    return {"sha256": hashlib.sha256(data).hexdigest(), "lines": data.count(b"\n")}


def write_line(ledger: str, line: str) -> None:
    """Append a line in one write, which no other process can come between, nor a SIGKILL undo."""
    fd = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{line}\n".encode())
    finally:
        os.close(fd)
