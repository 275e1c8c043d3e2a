"""The classes of workers.rb as treadle's jobs, which tell the tests of their runs through the same keys of Redis.

Each function does what the class of its name does there; what runs is said with the program that ran it.
"""

import json
import os
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from redis import Redis

from treadle import Cancel, Snooze, Treadle, current_job

REPORT_TTL = 600  # seconds

app = Treadle()


@cache
def reports() -> tuple[Redis, str]:
    """A connection to the store, and what stands before each of its keys."""
    parts = urlsplit(os.environ["TREADLE_URL"])
    namespace = parse_qs(parts.query).get("namespace", [""])[0]
    return Redis.from_url(urlunsplit(parts._replace(query=""))), f"{namespace}:" if namespace else ""


def started() -> str:
    """Report the begin of an attempt; the job's id."""
    redis, prefix = reports()
    jid = current_job().id
    redis.rpush(f"{prefix}interop:started", jid)
    return jid


def ran(name: str, args: list[Any]) -> None:
    """Report a successful run."""
    redis, prefix = reports()
    report = {"jid": current_job().id, "class": name, "args": args, "program": "treadle"}
    redis.rpush(f"{prefix}interop:ran", json.dumps(report))


@app.job(name="Echo")
def echo(*args: Any) -> None:
    """Come to an end."""
    started()
    ran("Echo", list(args))


@app.job(name="Billing.Invoice")
def invoice(*args: Any) -> None:
    """Answer to the Ruby spelling of its name, too."""
    started()
    ran("Billing.Invoice", list(args))


@app.job(name="send_report", aliases=["Reports::Daily::Sender"])
def send_report(*args: Any) -> None:
    """Answer to a name that no spelling leads to."""
    started()
    ran("send_report", list(args))


@app.job(name="Elsewhere", queue="elsewhere")
def elsewhere(*args: Any) -> None:
    """Come to an end on another queue."""
    started()
    ran("Elsewhere", list(args))


@app.job(name="Held")
def held(wait: float = 60) -> None:
    """End when the test pushes to interop:release:<jid>, or after `wait` seconds."""
    jid = started()
    redis, prefix = reports()
    redis.blpop([f"{prefix}interop:release:{jid}"], timeout=wait)
    ran("Held", [wait])


@app.job(name="FailsTimes", max_attempts=11)
def fails_times(failures: int, *rest: Any) -> None:
    """Fail in the first `failures` attempts, then come to an end."""
    jid = started()
    redis, prefix = reports()
    key = f"{prefix}interop:attempts:{jid}"
    attempt = redis.incr(key)
    redis.expire(key, REPORT_TTL)
    if attempt <= failures:
        raise ValueError(f"attempt {attempt} of {failures} fails")
    ran("FailsTimes", [failures, *rest])


@app.job(name="AlwaysFails", max_attempts=4)
def always_fails(*args: Any) -> None:
    """Fail."""
    started()
    raise ValueError(f"boom {json.dumps(args, ensure_ascii=False)}")


@app.job(name="RetryZero", max_attempts=1)
def retry_zero(*args: Any) -> None:
    """Fail; a job that treadle enqueues has no second attempt."""
    always_fails(*args)


@app.job(name="Snoozes")
def snoozes(seconds: float) -> None:
    """Ask once for a later time, then come to an end."""
    jid = started()
    redis, prefix = reports()
    if redis.incr(f"{prefix}interop:attempts:{jid}") == 1:
        raise Snooze(seconds)
    ran("Snoozes", [seconds])


@app.job(name="Cancels")
def cancels() -> None:
    """End on purpose."""
    started()
    raise Cancel("no longer wanted")
