"""Every event has its line, at its level, and the lines of a program without logging go to stderr."""

import inspect
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from treadle.core.job import Job
from treadle.core.outcomes import Failure
from treadle.hooks import events as happened
from treadle.hooks.events import Event, Events
from treadle.hooks.logs import LINES, log_events

JOB = Job("7", "welcome", "mail", b"[42]", 2, 5)
FAILURE = Failure("ValueError", "no such user", "Traceback …\nValueError: no such user\n")

# Written by the enqueueing program's own lines, if it wants any: one for each job would double them.
SILENT = {happened.JobInserted, happened.JobConflicted}

EXAMPLES: list[tuple[Event, str, str]] = [
    (happened.JobStarted(job=JOB), "DEBUG", "welcome 7 starts, attempt 2/5"),
    (happened.JobCompleted(job=JOB, seconds=0.12345), "INFO", "welcome 7 completed in 0.123 s"),
    (
        happened.JobRetried(job=JOB, failure=FAILURE, after=19.4, seconds=1.0),
        "WARNING",
        "welcome 7 failed, attempt 2/5, again in 19 s\nTraceback …\nValueError: no such user",
    ),
    (
        happened.JobDiscarded(job=JOB, failure=Failure("ValueError", "no such user"), seconds=1.0),
        "ERROR",
        "welcome 7 failed for good, attempt 2/5\nValueError: no such user",
    ),
    (happened.JobSnoozed(job=JOB, after=60.0, seconds=1.0), "INFO", "welcome 7 snoozed for 60 s"),
    (happened.JobCancelled(job=JOB, reason="spam", seconds=1.0), "INFO", "welcome 7 was cancelled: spam"),
    (happened.JobReleased(job=JOB, reason="it stops"), "INFO", "welcome 7 went back to its queue: it stops"),
    (
        happened.JobUnknown(job=JOB, after=30.0),
        "WARNING",
        "welcome 7 is not registered in this app; put back for 30 s",
    ),
    (
        happened.JobStuck(job=JOB, stuck=3),
        "ERROR",
        "welcome 7 did not stop at its time-out; 3 such in this process",
    ),
    (
        happened.ClaimLost(job=JOB, state="cancelled"),
        "WARNING",
        "welcome 7 was cancelled, deleted or taken while it was held here; it is now cancelled",
    ),
    (
        happened.ClaimLost(job=JOB, state=None),
        "WARNING",
        "welcome 7 was cancelled, deleted or taken while it was held here; it is now elsewhere",
    ),
    (
        happened.SettleRefused(job=JOB, error="wrong type"),
        "ERROR",
        "the store refuses the outcome of welcome 7, which is kept: wrong type",
    ),
    (
        happened.LoopStalled(seconds=6.0, stack="File …"),
        "WARNING",
        "the event loop stood still for 6.0 s, held by\nFile …",
    ),
    (
        happened.WorkerReady(owner="h:1:a", queues=("mail", "default"), concurrency=10),
        "INFO",
        "h:1:a works on mail, default with 10 slots",
    ),
    (happened.WorkerStopped(owner="h:1:a"), "INFO", "h:1:a ended"),
    (
        happened.WorkerFenced(owner="h:1:a"),
        "ERROR",
        "h:1:a was declared dead while it lived; its jobs were given to others, and it stops them",
    ),
    (
        happened.ChildDied(owner="h:1:a", pid=1, code=-9, released=4, suspects=2),
        "ERROR",
        "worker process 1 died with signal 9: 2 running jobs set aside to run alone, 4 others given back",
    ),
    (
        happened.ChildDied(owner="h:1:a", pid=1, code=3, released=0, suspects=0),
        "ERROR",
        "worker process 1 died with exit code 3: 0 running jobs set aside to run alone, 0 others given back",
    ),
    (happened.ChildKilled(owner="h:1:a", pid=1, reason="stuck"), "ERROR", "killed worker process 1: stuck"),
    (
        happened.ChildRecycled(owner="h:1:a", pid=1, reason="it ran 100 jobs"),
        "INFO",
        "replacing worker process 1: it ran 100 jobs",
    ),
    (happened.NodeListening(host="127.0.0.1", port=9000), "INFO", "listening on 127.0.0.1 port 9000"),
    (happened.QueueControlled(action="pause", queue="*"), "INFO", "told to pause every queue"),
    (happened.QueueControlled(action="scale", queue="mail", limit=5), "INFO", "told to scale queue mail, limit 5"),
    (happened.NodeFailed(error="no store"), "CRITICAL", "this node cannot work: no store"),
    (happened.StoreWarning(text="no persistence"), "WARNING", "no persistence"),
    (happened.StoreLost(error="no route"), "ERROR", "the store does not answer, trying again: no route"),
    (happened.StoreFound(seconds=2.5), "WARNING", "the store answers again after 2.5 s"),
    (
        happened.StoreReset(owners=("h:1:a", "h:2:b")),
        "WARNING",
        "store reset: its data was lost or replaced; h:1:a, h:2:b enrolled again",
    ),
    (happened.Staged(count=3), "DEBUG", "3 jobs became due"),
    (
        happened.CronFired(entry="nightly", name="report", tick=datetime(2026, 11, 28, 3, tzinfo=UTC), id="7"),
        "INFO",
        "cron entry nightly: report 7 inserted for 2026-11-28 03:00:00 UTC",
    ),
    (
        happened.CronMissed(entry="nightly", count=3),
        "WARNING",
        "cron entry nightly: 3 ticks were missed, as no worker was there",
    ),
    (
        happened.OwnersRescued(owners=("h:1:a", "h:2:b"), claims=5),
        "WARNING",
        "rescued 5 jobs of dead processes: h:1:a, h:2:b",
    ),
    (happened.OwnersRescued(owners=(), claims=5), "WARNING", "rescued 5 jobs of dead processes: continued"),
    (happened.JobsPruned(count=9), "DEBUG", "9 old finished jobs deleted"),
    (happened.ServiceFailed(service="pruner", error="no"), "ERROR", "pruner failed, trying again: no"),
]


def every_event() -> set[type[Event]]:
    return {kind for kind in vars(happened).values() if inspect.isclass(kind) and issubclass(kind, Event)} - {Event}


@pytest.fixture
def treadle_logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "treadle"):
        yield caplog


def test_every_event_has_a_line_or_is_silent_on_purpose() -> None:
    assert {*LINES, *SILENT} == every_event()
    assert not SILENT & LINES.keys()


def test_every_line_is_shown_here() -> None:
    assert {type(event) for event, _, _ in EXAMPLES} == set(LINES)


@pytest.mark.parametrize(("event", "level", "text"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_event_writes_its_line(event: Event, level: str, text: str, treadle_logs: pytest.LogCaptureFixture) -> None:
    bus = Events()
    log_events(bus)
    bus.emit(event)
    assert [(record.levelname, record.getMessage()) for record in treadle_logs.records] == [(level, text)]


def test_an_event_whose_level_is_off_is_never_made(caplog: pytest.LogCaptureFixture) -> None:
    bus = Events()
    with caplog.at_level(logging.WARNING, "treadle"):
        log_events(bus)
    assert bus.wanted(happened.JobRetried)
    assert not bus.wanted(happened.JobCompleted)


PROGRAM = """
import logging, sys
{before}
from treadle.hooks.logs import setup_logging
setup_logging({form!r})
try:
    raise ValueError("b\\u00e4d\\n")
except ValueError:
    logging.getLogger("treadle.jobs").exception("two\\nlines %s", 5)
"""


def stderr_of(form: str, before: str = "") -> str:
    program = PROGRAM.format(form=form, before=before)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stderr


def test_json_lines_hold_one_object_each() -> None:
    (line,) = stderr_of("json").splitlines()
    entry = json.loads(line)
    assert entry["message"] == "two\nlines 5"
    assert entry["level"] == "ERROR"
    assert entry["logger"] == "treadle.jobs"
    assert entry["traceback"].endswith("ValueError: bäd\n")
    assert set(entry) == {"at", "level", "logger", "process", "job", "message", "traceback"}
    assert entry["job"] is None
    assert isinstance(entry["at"], float)
    assert isinstance(entry["process"], int)


def test_console_lines_name_process_level_and_logger() -> None:
    lines = stderr_of("console").splitlines()
    assert lines[0].endswith("ERROR   treadle.jobs: two")
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_root_that_the_program_has_set_up_is_left_alone() -> None:
    assert stderr_of("json", 'logging.basicConfig(format="mine %(message)s")').startswith("mine two\nlines 5\n")


def test_a_line_that_utf_8_cannot_carry_is_written_all_the_same() -> None:
    program = PROGRAM.format(form="json", before="").replace("b\\u00e4d", "\\ud800")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    with io.StringIO(done.stderr) as lines:
        assert json.loads(lines.readline())["message"] == "two\nlines 5"
