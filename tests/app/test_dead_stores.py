"""Enqueueing to a store that is not there fails within 2 s, with one line that names the store and what to do."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.postgres_proxy import PostgresProxy
from tests.proxy import CutProxy
from tests.servers import free_port
from treadle import JobFunction, Treadle
from treadle.app.handle import Handle
from treadle.errors import ConfigError, StoreError, StoreUnavailable, TreadleError
from treadle.supervise.clock import SystemClock

LIMIT = 2.0
REMEDY = re.escape("is it running, and is the URL right?")

Job = JobFunction[[], None, Handle]


@contextmanager
def job_on(url: str) -> Iterator[Job]:
    app = Treadle(url)

    @app.job
    def work() -> None: ...

    yield work
    app.close()


def failure(enqueue: Callable[[], object]) -> TreadleError:
    """The error, which came in time in one of two tries: a machine that is busy is not what is measured."""
    clock = SystemClock()
    for _ in range(2):
        begun = clock.steady()
        with pytest.raises(TreadleError) as caught:
            enqueue()
        if clock.steady() - begun < LIMIT:
            assert "\n" not in str(caught.value)
            return caught.value
    raise AssertionError(f"expected an error within {LIMIT} s, got {caught.value} later")


def both_ways(url: str) -> list[TreadleError]:
    """How a blocking and an async enqueue fail there."""
    with job_on(url) as job:
        return [failure(job.enqueue), failure(lambda: asyncio.run(job.aenqueue()))]


def test_a_server_that_refuses_is_named_without_its_password() -> None:
    port = free_port()
    for error in both_ways(f"redis://:canary@127.0.0.1:{port}/0"):
        assert isinstance(error, StoreUnavailable)
        assert re.fullmatch(
            rf"cannot reach Redis at redis://:\*\*\*@127\.0\.0\.1:{port}/0 \(.+\): {REMEDY}", str(error)
        )


def test_a_host_that_is_not_there_is_named() -> None:
    for error in both_ways("redis://no-such-host.invalid"):
        assert isinstance(error, StoreUnavailable)
        assert re.fullmatch(rf"cannot reach Redis at redis://no-such-host\.invalid \(.+\): {REMEDY}", str(error))


def test_a_server_that_never_answers_is_given_up(redis_proxy: CutProxy) -> None:
    redis_proxy.black_hole()
    for error in both_ways(redis_proxy.url):
        assert isinstance(error, StoreUnavailable)
        assert re.fullmatch(rf"cannot reach Redis at {re.escape(redis_proxy.url)} \(.+\): {REMEDY}", str(error))


def test_a_server_that_answers_no_more_is_given_up(redis_proxy: CutProxy) -> None:
    async def twice(job: Job) -> None:
        await job.aenqueue()
        redis_proxy.black_hole()
        await job.aenqueue()

    with job_on(redis_proxy.url) as job:
        job.enqueue()
        redis_proxy.black_hole()
        blocking = failure(job.enqueue)
        redis_proxy.forward()
        with pytest.raises(StoreUnavailable) as caught:
            asyncio.run(asyncio.wait_for(twice(job), 2 * LIMIT))
    for error in (blocking, caught.value):
        assert re.search(rf"Redis at {re.escape(redis_proxy.url)}\b", str(error))


def test_a_postgresql_that_refuses_is_named_without_its_password() -> None:
    port = free_port()
    for error in both_ways(f"postgresql://shop:canary@127.0.0.1:{port}/shop"):
        assert isinstance(error, StoreUnavailable)
        where = rf"postgresql://shop:\*\*\*@127\.0\.0\.1:{port}/shop"
        assert re.fullmatch(rf"cannot reach PostgreSQL at {where} \(.+\): {REMEDY}", str(error))


def test_a_database_that_is_not_there_is_named(postgres_url: str) -> None:
    for error in both_ways(f"{postgres_url}-not-there"):
        assert not isinstance(error, StoreUnavailable)
        assert re.fullmatch(
            r"PostgreSQL at .+ refuses the connection \(.+ does not exist\): is the URL right\?", str(error)
        )


def test_a_postgresql_that_never_answers_is_given_up(postgres_proxy: PostgresProxy) -> None:
    postgres_proxy.black_hole()
    for error in both_ways(postgres_proxy.url):
        assert isinstance(error, StoreUnavailable)
        assert re.fullmatch(rf"cannot reach PostgreSQL at .+ \(it stayed silent for 1 s\): {REMEDY}", str(error))


def test_a_postgresql_that_answers_no_more_is_given_up(postgres_proxy: PostgresProxy) -> None:
    async def twice(job: Job) -> None:
        await job.aenqueue()
        postgres_proxy.black_hole()
        await job.aenqueue()

    with job_on(postgres_proxy.url) as job:
        job.enqueue()
        postgres_proxy.black_hole()
        blocking = failure(job.enqueue)
        postgres_proxy.forward()
        with pytest.raises(StoreUnavailable) as caught:
            asyncio.run(asyncio.wait_for(twice(job), 2 * LIMIT))
    for error in (blocking, caught.value):
        assert "PostgreSQL at postgresql://treadle@127.0.0.1:" in str(error)


def test_what_is_no_postgresql_is_named() -> None:
    with web_server() as port:
        for error in both_ways(f"postgresql://shop@127.0.0.1:{port}/shop"):
            assert f"PostgreSQL at postgresql://shop@127.0.0.1:{port}/shop" in str(error)
            assert str(error).endswith("is the URL right?")


def test_what_is_no_redis_is_named() -> None:
    with web_server() as port:
        for error in both_ways(f"redis://127.0.0.1:{port}/0"):
            assert re.fullmatch(
                rf"expected a Redis at redis://127\.0\.0\.1:{port}/0, got an answer of something else \(.+\): "
                rf"is the URL right\?",
                str(error),
            )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for error in both_ways(f"sqlite:///{tmp_path}/no/such/jobs.db"):
        assert isinstance(error, ConfigError)
        assert str(error) == (
            f"expected the folder of the store {tmp_path}/no/such/jobs.db to exist, got none: "
            f"make {tmp_path}/no/such first"
        )


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc, closed to root as well")
def test_a_folder_that_takes_no_files_is_named() -> None:
    for error in both_ways("sqlite:////proc/self/jobs.db"):
        assert isinstance(error, StoreError)
        assert str(error).startswith("/proc/self/jobs.db: unable to open database file (SQLITE_CANTOPEN): ")
        assert "must be there and writable" in str(error)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("not a database, but long enough to be taken for one at a first look" * 20)
    for error in both_ways(f"sqlite:///{tmp_path}/jobs.db"):
        assert isinstance(error, StoreError)
        assert str(error) == (
            f"{tmp_path}/jobs.db: file is not a database (SQLITE_NOTADB): expected an SQLite database: "
            f"name another file, or restore it from a copy"
        )


@contextmanager
def web_server() -> Iterator[int]:
    """A server that answers everybody as one of HTTP does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer_all, args=(server,), daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            # Closing alone would leave its thread in accept().
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _answer_all(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
