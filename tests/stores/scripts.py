"""Programs of our own in processes of their own, written where they are needed."""

import sqlite3
import subprocess
import sys

DEADLINE = 60.0

PROLOGUE = """
import asyncio, os, sys, threading
from treadle.core.job import NewJob
from treadle.core.outcomes import COMPLETED
from treadle.errors import StoreError, StoreFull, StoreUnavailable, Unconfirmed
from treadle.stores.claim import Demand, Settlement
from treadle.stores.sqlite import SqliteStore
from treadle.supervise.clock import SystemClock

path, *rest = sys.argv[1:]
JOB = NewJob(name="work", queue="default", args=b'{"text": "' + b"x" * 200 + b'"}', max_attempts=20)
DEMANDS = [Demand(("default",), 5)]

def make(path, sync="normal"):
    return SqliteStore(path, clock=SystemClock(), sync=sync)
"""


def script(body: str) -> list[str]:
    return [sys.executable, "-c", PROLOGUE + body]


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stdout


def rows(path: str, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
