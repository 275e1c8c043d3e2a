"""The book in which jobs write what they do, one line each, also when their process is about to be killed."""

import os
from collections.abc import Callable

import msgspec

from treadle.core.job import Job
from treadle.hooks.events import Event, Events
from treadle.supervise.clock import SystemClock

_fd = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_clock = SystemClock()


def write(kind: str, what: object, *rest: object) -> None:
    """Add `KIND WHAT PID SECONDS REST`; one write to a file opened for appending is not torn by others."""
    words = (kind, what, os.getpid(), f"{_clock.steady():.4f}", *rest)
    os.write(_fd, (" ".join(map(str, words)) + "\n").encode())


def first(number: int) -> bool:
    """Whether this is the first call for this number; writes a line `N` if it is."""
    try:
        os.close(os.open(f"{os.environ['LEDGER']}-{number}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    write("N", number)
    return True


def write_events(events: Events, *kinds: type[Event]) -> None:
    """Add a line `E` for every event of these kinds: its name, the id of its job or `-`, and its other values."""
    for kind in kinds:
        events.listen(kind, _writer(kind))


def _writer(kind: type[Event]) -> Callable[[Event], None]:
    def line(event: Event) -> None:
        values = {name: getattr(event, name) for name in event.__struct_fields__ if name != "job"}
        job = getattr(event, "job", None)
        write("E", kind.__name__, job.id if isinstance(job, Job) else "-", msgspec.json.encode(values).decode())

    return line
