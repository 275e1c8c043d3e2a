"""What something costs: wall time, and the CPU of this process and of the server that a store's URL names.

The server's is that of all its processes, so it should serve nobody else; it must run on this machine.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import psutil
import psycopg
import redis


class Cost(msgspec.Struct):
    """Seconds."""

    wall: float = 0.0
    client: float = 0.0
    server: float = 0.0

    def shown(self, jobs: int) -> str:
        """A line, by job."""
        return (
            f"{jobs / self.wall:>9,.0f} jobs/s, CPU {self.client / jobs * 1e6:6.1f} us + server "
            f"{self.server / jobs * 1e6:6.1f} us a job"
        )


class Server:
    """The processes behind a URL; a file has none."""

    def __init__(self, url: str) -> None:
        self._first = _first_process(url)
        # Those that ended, as they were seen last.
        self._seen: dict[int, float] = {}

    def cpu(self) -> float:
        """Seconds that they have used so far."""
        for process in _tree(self._first):
            try:
                self._seen[process.pid] = sum(process.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        return sum(self._seen.values())


@contextmanager
def measured(server: Server) -> Iterator[Cost]:
    """The cost of the block, known at its end."""
    cost = Cost()
    before = time.perf_counter(), time.process_time(), server.cpu()
    yield cost
    after = time.perf_counter(), time.process_time(), server.cpu()
    cost.wall, cost.client, cost.server = (now - then for now, then in zip(after, before, strict=True))


def _first_process(url: str) -> "psutil.Process | None":
    kinds: dict[str, Callable[[str], int]] = {"redis": _redis_pid, "postgresql": _postmaster}
    find = kinds.get(url.partition(":")[0])
    return psutil.Process(find(url)) if find else None


def _redis_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def _postmaster(url: str) -> int:
    with psycopg.connect(url) as connection:
        return psutil.Process(connection.info.backend_pid).ppid()


def _tree(first: "psutil.Process | None") -> "list[psutil.Process]":
    return [] if first is None else [first, *first.children(recursive=True)]
