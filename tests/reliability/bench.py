"""A store, jobs in it, nodes that run them as processes of their own, and the checks that hold after every fault."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from tests.reliability.book import Book, Happened
from tests.servers import wait_until
from treadle import Treadle
from treadle.core.arguments import Shape
from treadle.core.job import JobView, NewJob
from treadle.core.jsontext import dump
from treadle.runtime.plan import Plan
from treadle.stores.job_query import JobQuery

ROOT = Path(__file__).parent.parent.parent
APP = "tests.apps.faulty_jobs:app"
LIMIT = 30.0
# Seconds of a lease that no test waits out.
UNHURRIED = 5.0

WAYS = ("behind pgbouncer", "of oban-py", "in a schema")

# For what does not depend on the store: on the others in the long run alone.
on_one_store = pytest.mark.parametrize(
    "url",
    ["sqlite", *(pytest.param(store, marks=pytest.mark.chaos) for store in ("redis", "postgresql"))],
    indirect=True,
)
# For what depends most on the store; all else is on PostgreSQL in the long run alone.
on_every_store = pytest.mark.parametrize("url", ["sqlite", "redis", "postgresql"], indirect=True)

# The same, and on PostgreSQL whoever made the table, and by which way the store is reached.
by_every_way = pytest.mark.parametrize(
    "url",
    ["sqlite", "redis", "postgresql", *(pytest.param(f"postgresql {way}", marks=pytest.mark.chaos) for way in WAYS)],
    indirect=True,
)


class Running:
    """A node and its processes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, book: Book) -> None:
        self._log = log
        self._book = book
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT, env=environment
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def children(self) -> list[int]:
        """The worker processes that live."""
        try:
            return [child.pid for child in psutil.Process(self.process.pid).children()]
        except psutil.NoSuchProcess:
            return []

    @property
    def ready(self) -> list[int]:
        """The worker processes that live and claim."""
        claiming = {event.pid for event in self._book.events("WorkerReady")}
        return [pid for pid in self.children if pid in claiming]

    def works(self, processes: int = 1) -> "Running":
        """Wait until so many of its processes claim."""
        wait_until(lambda: len(self.ready) >= processes or not self.alive, LIMIT, "the node's processes claim")
        assert self.alive, self.log
        return self

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def tree(self, number: signal.Signals) -> None:
        """Send a signal to every process of it, the parent first."""
        for pid in [self.process.pid, *(child.pid for child in self._descendants())]:
            os.kill(pid, number)

    def ends(self, timeout: float = LIMIT) -> int:
        """Wait for its exit code."""
        return self.process.wait(timeout)

    def stops(self) -> int:
        """Drain it."""
        self.send(signal.SIGTERM)
        return self.ends()

    def close(self) -> None:
        """End whatever is left of it."""
        left = [*self._descendants()]
        if self.alive:
            self.process.kill()
        self.process.wait()
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

    def _descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


class Bench:
    """One store of this test's own, and what happens in it."""

    def __init__(self, url: str, folder: Path, stack: ExitStack) -> None:
        self.url = url
        self.folder = folder
        self.book = Book(folder / "ledger")
        self.app = Treadle(url)
        self._stack = stack
        self._nodes = 0
        stack.callback(self.close)

    @property
    def is_redis(self) -> bool:
        return self.url.startswith("redis")

    def close(self) -> None:
        self.app.close()

    def move(self, url: str) -> None:
        """Work on another store from now on."""
        self.app.close()
        self.url = url
        self.app = Treadle(url)

    # Jobs

    def new(
        self,
        name: str,
        /,
        *,
        queue: str = "default",
        delay: float | None = None,
        max_attempts: int = 20,
        rerun: bool = True,
        **values: Any,
    ) -> NewJob:
        """A job of the app with these arguments, in the order of its signature."""
        args = dump(list(values.values()) if self.app.store.shape is Shape.LIST else values, name)
        return NewJob(name=name, queue=queue, args=args, max_attempts=max_attempts, delay=delay, rerun=rerun)

    def enqueue(self, *jobs: NewJob) -> list[str]:
        """Put them into the store; their ids."""
        return [one.id for one in self.app.insert(jobs)]

    def fill(self, name: str, numbers: range, **values: Any) -> list[str]:
        """A job for every number."""
        return self.enqueue(*(self.new(name, number=number, **values) for number in numbers))

    def release(self, *numbers: int) -> None:
        """Let jobs that hold come to their end."""
        for number in numbers:
            (self.folder / str(number)).touch()

    # Nodes

    def start(
        self, plan: Plan | None = None, *, app: str = APP, prefix: Sequence[str] = (), **environment: str
    ) -> Running:
        """Start a node.

        Its lease is short only where a test waits for its end: on a busy machine no process is sure to beat within one
        second, and an owner that did not is rightly fenced.
        """
        given = msgspec.json.encode(plan or Plan(lease=UNHURRIED)).decode()
        return self.run("tests.apps.faulty_node", app, given, prefix=prefix, **environment)

    def start_embedded(self, *, lease: float) -> Running:
        """Start a program with a worker inside."""
        return self.run("tests.apps.faulty_embedded", str(lease))

    def run(self, *arguments: str, prefix: Sequence[str] = (), **environment: str) -> Running:
        """Start a module with a store and a ledger to work on, and have it ended with the test whatever happens."""
        self._nodes += 1
        env = os.environ | {"TREADLE_URL": self.url, "LEDGER": str(self.book.path)} | environment
        log = self.folder / f"node-{self._nodes}.log"
        node = Running((*prefix, sys.executable, "-m", *arguments), env, log, self.book)
        self._stack.callback(node.close)
        return node

    # The store

    def states(self) -> dict[str, int]:
        """How many jobs stand in each state."""
        found: dict[str, int] = {}
        for states in self.app.blocking("counts", self.app.store.counts()).values():
            for state, number in states.items():
                found[state.value] = found.get(state.value, 0) + number
        return {state: number for state, number in found.items() if number}

    def find(self, *ids: str) -> list[JobView]:
        return list(self.app.blocking("find", self.app.store.find(JobQuery(ids=ids, limit=10_000))))

    def done(self, number: int) -> None:
        """Wait until the bodies of so many different jobs have come to an end."""
        wait_until(lambda: self.book.ended >= number, LIMIT * 2, f"{number} jobs end")

    def appear(self, name: str, number: int = 1, timeout: float = LIMIT) -> list[Happened]:
        """Wait until events of this name have been written; all of them."""
        wait_until(lambda: len(self.book.events(name)) >= number, timeout, f"{number} {name}")
        return self.book.events(name)

    # What holds after every fault

    def accounted(self, number: int, *, faults: int = 0, discarded: int = 0) -> None:
        """Nothing lost, every completion recorded once, at most `faults` repeats, nothing held."""
        runs, ends = self.book.runs, self.book.ends
        assert set(ends) == set(range(number)), f"lost: {sorted(set(range(number)) - set(ends))[:10]}"
        repeats = sum(runs[job] for job in range(number)) - number
        assert repeats <= faults, f"{repeats} repeats, expected at most {faults}"
        wait_until(lambda: self.completed == number, 5.0, f"{number} completions are recorded, {self.states()}")
        left = {state: count for state, count in self.states().items() if state != "completed"}
        assert left == ({"discarded": discarded} if discarded else {})

    @property
    def completed(self) -> int:
        """How many completions the store has recorded."""
        if self.is_redis:
            return self.processed - self.failed
        return self.states().get("completed", 0)

    @property
    def processed(self) -> int:
        return int(self._redis("GET", "stat:processed") or 0)

    @property
    def failed(self) -> int:
        return int(self._redis("GET", "stat:failed") or 0)

    def _redis(self, *parts: str) -> Any:  # noqa: ANN401 - any reply
        import redis  # noqa: PLC0415

        with redis.Redis.from_url(self.url) as client:
            return client.execute_command(*parts)
