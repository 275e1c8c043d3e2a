"""The test servers fail as they say, or every test that rests on them proves nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.proxy import CutProxy
from tests.resp import frame_end, request
from tests.servers import RedisServer, faketime_env, free_port, stepping_env, until, wait_until


def client_of(url: str, timeout: float = 5.0) -> redis.Redis:
    """A client that sends nothing twice."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout)


# Waiting


def test_waiting_ends_with_the_value_that_came() -> None:
    values = iter([0, 0, 7])
    assert wait_until(lambda: next(values)) == 7


def test_waiting_in_vain_says_what_for() -> None:
    with pytest.raises(AssertionError, match=r"expected within 0\.02 s: the moon"):
        wait_until(lambda: False, 0.02, "the moon")


async def _given_later() -> int:
    values = iter([0, 7])

    async def look() -> int:
        return next(values)

    return await until(look)


def test_waiting_in_a_loop_takes_async_predicates() -> None:
    assert asyncio.run(_given_later()) == 7


# RESP


@given(st.lists(st.lists(st.binary(), min_size=1), min_size=1))
def test_a_pipeline_is_taken_apart_into_its_requests(commands: list[list[bytes]]) -> None:
    frames = [request(*command) for command in commands]
    stream, found = b"".join(frames), list[bytes]()
    while stream:
        end = frame_end(stream)
        assert end is not None
        found, stream = [*found, stream[:end]], stream[end:]
    assert found == frames


@pytest.mark.parametrize(
    "value",
    [
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"*2\r\n*1\r\n:1\r\n$2\r\n\r\n\r\n",
        b"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
        b"~1\r\n:1\r\n",
        b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n",
        b"|1\r\n+ttl\r\n:1\r\n$1\r\nx\r\n",
    ],
)
def test_a_value_ends_where_its_last_byte_is(value: bytes) -> None:
    assert frame_end(value + b":9\r\n") == len(value)
    assert [frame_end(value[:cut]) for cut in range(len(value))] == [None] * len(value)


# Redis


def test_a_restarted_server_keeps_its_data_and_port(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    server.call("SET", "k", "v")
    url = server.url
    server.restart()
    assert (server.call("GET", "k"), server.url) == (b"$1\r\nv\r\n", url)


def test_a_server_restarts_empty(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(appendonly="yes")
    server.call("SET", "k", "v")
    server.restart(empty=True)
    assert server.call("DBSIZE") == b":0\r\n"


def test_a_killed_server_has_lost_what_was_not_on_disk(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    server.call("SET", "k", "v")
    server.kill()
    assert not server.alive
    with pytest.raises(ConnectionRefusedError):
        server.call("PING")
    server.restart()
    assert server.call("GET", "k") == b"$-1\r\n"


def test_a_killed_server_keeps_its_append_only_file(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(appendonly="yes", appendfsync="always")
    server.call("SET", "k", "v")
    server.kill()
    server.restart()
    assert server.call("GET", "k") == b"$1\r\nv\r\n"


def test_a_server_takes_options(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis(maxmemory="3mb", maxmemory_policy="noeviction")
    assert b"3145728" in server.call("CONFIG", "GET", "maxmemory")


def test_a_frozen_server_is_stopped(start_redis: Callable[..., RedisServer]) -> None:
    server = start_redis()
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_cannot_start_shows_what_it_wrote() -> None:
    server = RedisServer(maxmemory="much")
    with pytest.raises(ChildProcessError, match="maxmemory"):
        server.start()
    server.close()
    assert not server.folder.exists()


def test_each_database_is_empty_and_unlike_the_last(redis_server: RedisServer, redis_url: str) -> None:
    with client_of(redis_url) as client:
        client.set("k", "v")
    number = redis_server.fresh_database()
    assert redis_server.url_of(number) != redis_url
    assert redis_server.call("DBSIZE", database=number) == b":0\r\n"


# The proxy


def test_a_cut_loses_the_reply_of_an_increment_that_was_applied(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client, client_of(redis_url) as witness:
        client.set("n", 0)
        redis_proxy.cut_reply(matching=b"INCR")
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
        assert witness.get("n") == b"1"
        assert redis_proxy.cuts == 1
        assert client.incr("n") == 2


def test_a_cut_counts_the_requests_that_match(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client, client_of(redis_url) as witness:
        redis_proxy.cut_reply(3, matching=b"INCR")
        assert [client.incr("n"), client.incr("n")] == [1, 2]
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
        assert witness.get("n") == b"3"


def test_a_cut_inside_a_pipeline_spares_what_is_behind_it(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client, client_of(redis_url) as witness:
        pipeline = client.pipeline(transaction=False)
        for key in ("a", "b", "c"):
            pipeline.incr(key)
        redis_proxy.cut_reply(2, matching=b"INCR")
        with pytest.raises(redis.ConnectionError):
            pipeline.execute()
        assert witness.mget("a", "b", "c") == [b"1", b"1", None]


def test_a_cut_request_never_reaches_the_server(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client, client_of(redis_url) as witness:
        redis_proxy.cut_request(matching=b"INCR")
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
        assert witness.get("n") is None


def test_open_connections_are_cut_and_new_ones_served(redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client:
        client.ping()
        assert redis_proxy.connections == 1
        redis_proxy.cut_now()
        wait_until(lambda: redis_proxy.connections == 0)
        assert client.ping()
        assert (redis_proxy.connections, redis_proxy.cuts) == (1, 1)


def test_a_stall_delays_and_loses_nothing(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url) as client, client_of(redis_url) as witness:
        client.ping()
        redis_proxy.stall()
        answers: list[object] = []
        caller = threading.Thread(target=lambda: answers.append(client.incr("n")))
        caller.start()
        wait_until(lambda: redis_proxy.held)
        assert (answers, witness.get("n")) == ([], None)
        redis_proxy.forward()
        caller.join()
        assert answers == [1]


def test_a_black_hole_swallows_without_a_word(redis_url: str, redis_proxy: CutProxy) -> None:
    with client_of(redis_proxy.url, timeout=0.1) as client, client_of(redis_url) as witness:
        client.ping()
        redis_proxy.black_hole()
        with pytest.raises(redis.TimeoutError):
            client.incr("n")
        redis_proxy.forward()
        # The old connection stays half-open on the server's side; a new one is served.
        assert redis_proxy.connections == 1
        assert (client.incr("n"), witness.get("n")) == (1, b"1")


def test_a_proxy_without_a_server_closes_what_connects() -> None:
    with CutProxy(("127.0.0.1", free_port())) as proxy, client_of(proxy.url) as client:
        with pytest.raises(redis.ConnectionError):
            client.ping()
        assert proxy.connections == 0


# A wrong clock

CLOCKS = """
import threading, time
threading.Event().wait(0.05)
print(time.time(), time.monotonic(), time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))
"""


def _clocks(env: dict[str, str] | None) -> list[float]:
    command = [sys.executable, "-c", CLOCKS]
    shown = subprocess.run(command, env=env, capture_output=True, check=True, text=True, timeout=30).stdout
    return [float(figure) for figure in shown.split()]


@pytest.mark.parametrize(("offset", "seconds"), [("-2h", -7200), ("+1h", 3600)])
def test_a_process_with_a_wrong_clock_is_wrong_in_the_wall_clock_alone(offset: str, seconds: int) -> None:
    wall, *steady = _clocks(None)
    wrong_wall, *wrong_steady = _clocks(faketime_env(offset))
    assert wrong_wall - wall == pytest.approx(seconds, abs=10)
    assert wrong_steady == pytest.approx(steady, abs=10)


def test_a_process_sees_its_wall_clock_step(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    file.write_text("+0")
    code = "import time; print(time.time(), flush=True); input(); print(time.time())"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=stepping_env(file),
    ) as process:
        assert process.stdout is not None
        first = float(process.stdout.readline())
        file.write_text("-60")
        second = float(process.communicate("\n", timeout=10)[0])
    assert -60 <= second - first < -50
