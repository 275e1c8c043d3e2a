"""A job of many megabytes, put there by somebody who knows no limit, takes three times its size at the most.

Whatever becomes of it, and whoever gives it back. Each step is measured in a process of its own, on a real store.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MIB = 1 << 20
# What a worker's own parts take when they first run.
OWN = 10 * MIB
DEADLINE = 100.0
STEPS = ("release", "discard", "set aside", "discard alone", "bury", "leave", "stage", "fails", "snoozes", "discards")
# MiB. What servers hold passes through a socket, for which a call has seconds.
LARGEST = {"redis": 64, "postgresql": 64, "sqlite": 300}
# What each store has a way of its own for; the others only in the long run.
QUICK = {("redis", "stage"), ("redis", "fails"), ("postgresql", "fails"), ("sqlite", "bury")}
CASES = [
    pytest.param(url, step, size, id=f"{url}-{step}-{size}", marks=() if quick else pytest.mark.chaos)
    for url in LARGEST
    for step in STEPS
    for size, quick in ((32, (url, step) in QUICK), (LARGEST[url], False))
]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts in KiB, as Linux does")


def measured(url: str, step: str, size: int, *more: str) -> str:
    command = [sys.executable, "-m", "tests.apps.large_jobs", url, step, str(size), *more]
    # glibc keeps freed memory to itself where blocks are smaller than what it once got back: not what is asked here.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


@pytest.mark.parametrize(("url", "step", "size"), CASES, indirect=["url"])
def test_a_large_job_takes_three_times_its_size_at_the_most(url: str, step: str, size: int) -> None:
    measured(url, step, size * MIB, "prepare")
    assert int(measured(url, step, size * MIB)) <= 3 * size * MIB + OWN
