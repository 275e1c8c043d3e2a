"""Read and move what jobs leave in Redis.  Payloads are bytes, as they are stored."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from tests.interop.program import PATIENCE
from tests.servers import wait_until

RAN = "interop:ran"
STARTED = "interop:started"

# Arguments that JSON carries exactly, and careless programs do not.
EXACT: Mapping[str, list[Any]] = {
    "integers": [12345678901234567890, -98765432109876543210, 2**53 + 1, 0],
    "floats": [0.1, 1.0, -0.0, 1e100, 5e-324, 123456.789],
    "text": ["zwei €", "\U0001f9f5", 'a\nb\t"c"\\', "\u2028", ""],
    "nested": [{"k": [1.5, None, True, {"": []}], "ü": {}}, [[[]]], False],
    "none": [],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a successful run of a class of workers.rb, or of its twin in sidekiq_peer.py, reported."""

    jid: str
    job_class: str
    args: list[Any]
    program: str = "sidekiq"


@dataclass(frozen=True, slots=True)
class Entry:
    """A job as it lies in Redis; `score` is None in a queue."""

    payload: bytes
    score: float | None

    @property
    def job(self) -> dict[str, Any]:
        fields: dict[str, Any] = json.loads(self.payload)
        return fields


def ran(redis: Redis) -> list[Ran]:
    """All successful runs so far in both programs, oldest first."""
    reports = (json.loads(report) for report in redis.lrange(RAN, 0, -1))
    return [Ran(report["jid"], report["class"], report["args"], report["program"]) for report in reports]


def wait_until_ran(redis: Redis, jids: Iterable[str], *, timeout: float = PATIENCE) -> list[Ran]:
    """Wait until each of `jids` ran at least once; their runs, oldest first, repeats included."""
    expected = set(jids)
    wait_until(lambda: expected <= {run.jid for run in ran(redis)}, timeout, f"jobs {sorted(expected)} ran")
    return [run for run in ran(redis) if run.jid in expected]


def attempts(redis: Redis, jid: str) -> int:
    """How often either program began to run the job, failed attempts included."""
    return [text(started) for started in redis.lrange(STARTED, 0, -1)].count(jid)


def wait_until_started(redis: Redis, jid: str, *, times: int = 1, timeout: float = PATIENCE) -> None:
    wait_until(lambda: attempts(redis, jid) >= times, timeout, f"attempt {times} of job {jid} began")


def release(redis: Redis, jid: str) -> None:
    """Let a `Held` job end."""
    redis.rpush(f"interop:release:{jid}", "1")


def entries(redis: Redis, key: str) -> list[Entry]:
    """The jobs of a queue (`queue:<name>`, newest first) or of `schedule`, `retry`, `dead`; any namespace before it."""
    if "queue:" in key:
        return [Entry(_bytes(payload), None) for payload in redis.lrange(key, 0, -1)]
    # redis-py types the answer with and without scores as one union.
    members = cast("list[tuple[bytes | str, float]]", redis.zrange(key, 0, -1, withscores=True))
    return [Entry(_bytes(member), score) for member, score in members]


def find(redis: Redis, key: str, jid: str) -> Entry | None:
    """The job with this jid under `key`; payloads that are not JSON objects are passed over."""
    for entry in entries(redis, key):
        if jid.encode() in entry.payload and entry.job.get("jid") == jid:
            return entry
    return None


def wait_for(redis: Redis, key: str, jid: str, *, timeout: float = PATIENCE) -> Entry:
    """Wait until the job lies under `key`."""
    found = wait_until(lambda: find(redis, key, jid), timeout, f"job {jid} lies under {key}")
    assert found is not None
    return found


def make_due(redis: Redis, key: str, jid: str) -> Entry:
    """Turn the clock forward for one job of `schedule` or `retry`: its score becomes now.

    The payload stays as it is.  The entry as it lay there before is the result.
    """
    entry = wait_for(redis, key, jid)
    seconds, microseconds = redis.time()
    redis.zadd(key, {entry.payload: seconds + microseconds / 1e6}, xx=True)
    return entry


def text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
