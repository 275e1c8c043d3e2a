"""An app whose jobs write down what they do, and end in every way in which a job can end. Its store is TREADLE_URL."""

import asyncio
import contextlib
import ctypes
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.apps import ledger
from treadle import Job, Snooze, Treadle, current_job
from treadle.hooks import events

app = Treadle()
ledger.write_events(
    app.events,
    events.ClaimLost,
    events.JobCancelled,
    events.JobDiscarded,
    events.JobReleased,
    events.JobRetried,
    events.JobStuck,
    events.LoopStalled,
    events.SettleRefused,
    events.StoreFound,
    events.StoreLost,
    events.WorkerFenced,
    events.WorkerReady,
)


@contextlib.contextmanager
def noted(number: int) -> Iterator[None]:
    """Write when the body begins, and when it has ended well or, as `X`, with what it was ended."""
    ledger.write("S", number, current_job().attempt)
    try:
        yield
    except BaseException as error:
        ledger.write("X", number, type(error).__name__)
        raise
    ledger.write("D", number)


@app.job
async def tick(number: int, seconds: float = 0.0) -> None:
    """Wait on the loop."""
    with noted(number):
        await asyncio.sleep(seconds)


@app.job
def work(number: int, seconds: float = 0.0) -> None:
    """Wait in a thread."""
    with noted(number):
        time.sleep(seconds)


@app.job(executor="process")
def toil(number: int, seconds: float = 0.0) -> None:
    """Wait in a process of its own, and write each 50 ms that it lives."""
    with noted(number):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            ledger.write("L", number)


@app.job
async def hold(number: int, folder: str) -> None:
    """Wait until a file with this number is in the folder."""
    with noted(number):
        while not (Path(folder) / str(number)).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)


@app.job(backoff=lambda _: 0.0)
async def hold_and_fail(number: int, folder: str) -> None:
    """Hold, then fail; the second attempt is good."""
    with noted(number):
        while not (Path(folder) / str(number)).exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        if current_job().attempt == 1:
            raise ValueError("the first attempt fails")


_kept: list[bytearray] = []


@app.job
def grow(number: int, mib: int) -> None:
    """Occupy so much memory for good, as a leak does."""
    with noted(number):
        _kept.append(bytearray(os.urandom(1024)) * (mib * 1024))


@app.job
def leave_at_once(number: int) -> None:
    """End the process without a word."""
    ledger.write("S", number, current_job().attempt)
    os._exit(7)


@app.job
def violate(number: int) -> None:
    """End the process by SIGSEGV."""
    ledger.write("S", number, current_job().attempt)
    ctypes.string_at(0)


@app.job(backoff=lambda _: 0.0)
def ask_to_exit(number: int) -> None:
    """Raise SystemExit in a thread; the second attempt is good."""
    with noted(number):
        if current_job().attempt == 1:
            sys.exit(3)


@app.job(backoff=lambda _: 0.0)
async def fail_once(number: int) -> None:
    """Fail, then be good."""
    with noted(number):
        if current_job().attempt == 1:
            raise ValueError("the first attempt fails")


@app.job
def kill_itself(number: int) -> None:
    """End the process as the kernel does where memory runs out."""
    ledger.write("S", number, current_job().attempt)
    os.kill(os.getpid(), signal.SIGKILL)


@app.job(backoff=lambda _: 0.0)
def run_out_of_memory(number: int) -> None:
    """Ask for more than there is; the second attempt is good."""
    with noted(number):
        if current_job().attempt == 1:
            bytearray(1 << 60)


@app.job
def backtrack(number: int, seconds: float) -> None:
    """Hold the GIL for so long, in one pattern that looks at every way to fail."""
    with noted(number):
        _hold_the_gil(seconds)


@app.job(timeout=0.5)
def backtrack_too_long(number: int, seconds: float) -> None:
    """The same with a time-out."""
    with noted(number):
        _hold_the_gil(seconds)


def _hold_the_gil(seconds: float) -> None:
    text = "a" * 20 + "b"
    began = time.monotonic()
    re.match("(a+)+$", text)
    often = math.ceil(seconds / (time.monotonic() - began))
    # One call all the same: between two, the loop would get its turn.
    re.match("|".join(f"{chr(0x100 + number)}?(a+)+$" for number in range(often)), text)


@app.job(record=True)
async def remember(number: int) -> int:
    """Give a value that is kept."""
    with noted(number):
        return number


@app.job(record=True)
async def nap_once(number: int) -> int:
    """Snooze for nothing the first time."""
    if ledger.first(number):
        raise Snooze(0)
    with noted(number):
        return number


@app.job(timeout=0.3)
async def wait_too_long(number: int) -> None:
    """Wait for ever, and tidy up when that is forbidden."""
    ledger.write("S", number, current_job().attempt)
    try:
        await asyncio.Event().wait()
    finally:
        ledger.write("F", number)


@app.job(timeout=0.3)
async def will_not_be_cancelled(number: int, folder: str) -> None:
    """Take a cancellation for an ordinary error."""
    ledger.write("S", number, current_job().attempt)
    while not (Path(folder) / "enough").exists():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)


@app.job(timeout=0.3)
def will_not_be_interrupted(number: int) -> None:
    """Stay in one call of C."""
    ledger.write("S", number, current_job().attempt)
    time.sleep(60)


@app.job(executor="process", timeout=0.5)
def toil_too_long(number: int) -> None:
    """Work for ever in a process of its own."""
    ledger.write("S", number, current_job().attempt)
    while True:
        time.sleep(0.05)
        ledger.write("L", number)


@app.job(executor="process", backoff=lambda _: 0.0)
def toil_and_leave(number: int) -> None:
    """End the helper process without a word; the second attempt is good."""
    with noted(number):
        if current_job().attempt == 1:
            os._exit(5)


ENDS: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit)
}


@app.job(backoff=lambda _: 0.0)
async def end_with(number: int, kind: str) -> None:
    """Raise what is no ordinary error; the second attempt is good."""
    with noted(number):
        if current_job().attempt == 1:
            raise ENDS[kind]


@app.job(backoff=lambda _: 0.0)
def end_thread_with(number: int, kind: str) -> None:
    """The same in a thread."""
    with noted(number):
        if current_job().attempt == 1:
            raise ENDS[kind]


@app.job
def fork(number: int) -> None:
    """Fork; the child enqueues a job with this app and ends, and this process waits for it."""
    with noted(number):
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(BaseException):
                tick.enqueue(number + 1000)
                code = 0
            os._exit(code)
        _, status = os.waitpid(child, 0)
        if status:
            raise RuntimeError(f"the fork ended with {os.waitstatus_to_exitcode(status)}")


@app.job(backoff=lambda _: 2.0)
async def fail_and_wait(number: int) -> None:
    """Fail; the second attempt, due two seconds later, is good."""
    with noted(number):
        if current_job().attempt == 1:
            raise ValueError("the first attempt fails")


@app.job
async def give_up(number: int) -> None:
    """Fail; the process dies when that is told for the first time."""
    with noted(number):
        raise ValueError("it cannot be done")


@give_up.on_discard
async def tell_of_it(*_: object) -> None:
    ledger.write("T", 0)
    if ledger.first(0):
        os._exit(7)


@app.job
async def chime() -> None:
    """Write down which tick of which entry of the crontab it is for, and its own id."""
    job = current_job()
    if job.tick is not None:
        ledger.write("C", int(job.tick.timestamp()), job.meta["cron_name"], job.id)


@app.job
async def leave_and_tell(number: int) -> None:
    """End the process."""
    with noted(number):
        os._exit(7)


@app.job(rerun=False)
async def leave_once_and_tell(number: int) -> None:
    """End the process, and must not be run again."""
    with noted(number):
        os._exit(7)


@app.job(timeout=0.5, max_attempts=1)
async def overrun_and_tell(number: int) -> None:
    """Hold the interpreter past the time-out."""
    with noted(number):
        re.match(r"(a+)+$", "a" * 40 + "b")


@app.job
async def leave_and_leave(number: int) -> None:
    """End the process, and once more each time that it is told."""
    with noted(number):
        os._exit(7)


@app.job(rerun=False)
async def wait_once_and_tell(number: int) -> None:
    """Wait for ever, and must not be run again."""
    with noted(number):
        await asyncio.Event().wait()


@leave_and_tell.on_discard
@wait_once_and_tell.on_discard
@leave_once_and_tell.on_discard
@overrun_and_tell.on_discard
def tell_why(job: Job, error: BaseException) -> None:
    """End the process when it is told for the first time."""
    ledger.write("T", -1, job.deaths, str(error))
    if ledger.first(-1):
        os._exit(7)


@leave_and_leave.on_discard
def leave_again(*_: object) -> None:
    ledger.write("T", -1)
    os._exit(7)
