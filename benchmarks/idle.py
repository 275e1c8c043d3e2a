"""Idle on five queues, as a node (parent and one child) and embedded: what it costs, and how soon a pushed job starts.

`python benchmarks/idle.py sqlite:////tmp/idle.db`, `redis://127.0.0.1:6379/0` or `postgresql://…`; the store should be
empty and the server serve nobody else. Commands are what MONITOR shows of clients; what scripts call is no round trip
and not counted. On PostgreSQL they are transactions. CPU is that of the whole tree of processes, and of the server. The
other program pushes with plain LPUSH, on SQLite with an INSERT of its own connection, on PostgreSQL as Oban does.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import redis
from cost import Server

HERE = Path(__file__).parent
QUEUES = tuple(f"queue{number}" for number in range(5))
KINDS = {
    "node": [sys.executable, "-m", "treadle.cli", "work", "idle_app:app", *[f"-q{queue}=2" for queue in QUEUES]],
    "embedded": [sys.executable, "idle_app.py"],
}
SETTLE = 5.0
IDLE = 20.0
PUSHES = 300

Push = Callable[[str, float], None]


class Redis:
    """Pushes with LPUSH; counts the commands of clients."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self.commands = 0
        threading.Thread(target=self._monitor, daemon=True).start()

    def _monitor(self) -> None:
        with self._client.monitor() as monitor:
            for command in monitor.listen():
                self.commands += command["client_type"] != "lua"

    def push(self, queue: str, now: float) -> None:
        job = {"class": "stamp", "args": [now], "jid": f"{now:.6f}", "retry": True, "queue": queue}
        self._client.lpush(f"queue:{queue}", json.dumps(job))


class Sqlite:
    """Inserts rows as another program would; there are no commands to count."""

    commands = 0

    def __init__(self, url: str) -> None:
        self._path = url.removeprefix("sqlite:///")

    def push(self, queue: str, now: float) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=5)
        connection.execute(
            "INSERT INTO oban_jobs (queue, worker, args) VALUES (?, 'stamp', json_object('sent', ?))", (queue, now)
        )
        connection.close()


class Postgres:
    """Inserts and tells, as Oban does; counts the transactions of the database."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    @property
    def commands(self) -> int:
        # What others did is told a second later.
        time.sleep(2.0)
        [[number]] = self._connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchall()
        return int(number)

    def push(self, queue: str, now: float) -> None:
        self._connection.execute(
            "WITH put AS (INSERT INTO oban_jobs (queue, worker, args) VALUES (%s, 'stamp', jsonb_build_object('sent', "
            "%s::float8)) RETURNING queue) "
            "SELECT pg_notify('public.oban_insert', json_build_object('queue', queue)::text) FROM put",
            (queue, now),
        )


STORES = {"redis": Redis, "sqlite": Sqlite, "postgresql": Postgres}
SPOKEN = {"redis": "commands", "postgresql": "transactions"}


@contextmanager
def running(kind: str, url: str) -> "Iterator[subprocess.Popen[str]]":
    """A worker of this kind."""
    environment = {**os.environ, "IDLE_URL": url}
    with subprocess.Popen(
        KINDS[kind], cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def busy(pid: int) -> float:
    """Seconds of CPU that a process and its descendants have used."""
    tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in tree)


def started_after(process: "subprocess.Popen[str]") -> float:
    """Seconds from push to body, of the next job that begins."""
    for line in process.stdout or ():
        if line.startswith("late "):
            return float(line.split()[1])
    raise RuntimeError("the worker ended")


def measure(kind: str, url: str) -> None:
    """Idle for a while, then push one job after the other."""
    with running(kind, url) as process:
        time.sleep(SETTLE)
        kind_of_store = url.partition(":")[0]
        store, server = STORES[kind_of_store](url), Server(url)
        store.push(QUEUES[0], time.perf_counter())
        started_after(process)
        time.sleep(SETTLE)
        before = store.commands, busy(process.pid), server.cpu(), time.perf_counter()
        time.sleep(IDLE)
        after = store.commands, busy(process.pid), server.cpu(), time.perf_counter()
        commands, cpu, served, wall = (now - then for now, then in zip(after, before, strict=True))
        late = []
        for number in range(PUSHES):
            store.push(QUEUES[number % len(QUEUES)], time.perf_counter())
            late.append(started_after(process))
            time.sleep(0.02)
    late.sort()
    spoken = f"{commands / wall:.1f} {SPOKEN[kind_of_store]}/s, " if kind_of_store in SPOKEN else ""
    used = f"{cpu / wall:.2%} of a core, the server {served / wall:.2%}"
    print(f"{kind_of_store}, {kind}, idle on {len(QUEUES)} queues: {spoken}{used}")
    print(f"  push to body: p50 {statistics.median(late) * 1e3:.2f} ms, p99 {late[int(PUSHES * 0.99)] * 1e3:.2f} ms")


def main() -> None:
    """Measure the store that the argument names."""
    for kind in KINDS:
        measure(kind, sys.argv[1])


if __name__ == "__main__":
    main()
