"""A payload of many megabytes, pushed by somebody who knows no limit, passes through one worker process."""

import subprocess
import sys

import pytest

from tests.stores.redis_desk import foreign, peer

MIB = 1 << 20
SIZE = 32 * MIB
DEADLINE = 60.0

# Every step of a worker that sees the payload: claim, body, audit, report, failure.
PROGRAM = """
import asyncio, resource, sys
import msgspec
from treadle.core.outcomes import Failure, Retried
from treadle.stores.claim import Demand, Settlement
from treadle.stores.views import OwnerReport
from treadle.stores.redis import RedisStore
from treadle.supervise.clock import SystemClock

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def main():
    store = RedisStore(sys.argv[1], clock=SystemClock())
    await store.enroll("host:1:a", 60)
    assert not await store.claim("host:1:a", [Demand(("empty",), 1)])
    base = peak()
    [claim] = await store.claim("host:1:a", [Demand(("mail",), 1)])
    value = msgspec.json.decode(claim.job.args)
    assert await store.held("host:1:a") == [claim]
    report = OwnerReport(owner="host:1:a", queues=("mail",), concurrency=1, running=[claim], quiet=False, started=1.5,
        rss=1, completed=0, failed=0)
    await store.report(report)
    [settled] = await store.settle("host:1:a", [Settlement(claim, Retried(60, Failure("ValueError", "no")))])
    assert settled.answer == "applied"
    assert len(value[0]) == int(sys.argv[2])
    print(peak() - base)
    await store.aclose()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in KiB, as Linux does")
def test_a_large_job_takes_three_times_its_size_at_the_most(redis_url: str) -> None:
    with peer(redis_url) as client:
        client.lpush("queue:mail", foreign(1, args=["x" * SIZE]))
        command = [sys.executable, "-c", PROGRAM, redis_url, str(SIZE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0, done.stderr[-3_000:]
        assert int(done.stdout) <= 3 * SIZE + 4 * MIB
        [kept] = client.zrange("retry", 0, -1)
        assert b"x" * SIZE in kept
        assert b'"retry_count":0' in kept
