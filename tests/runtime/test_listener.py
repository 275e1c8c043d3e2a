"""Probes are answered, and whatever else comes over the wire harms nobody."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import pytest

from tests.runtime.desk import run
from treadle.errors import ConfigError
from treadle.runtime.listener import CONNECTIONS, HEAD_LIMIT, Answer, Listener

Port = int


async def hello() -> Answer:
    return Answer("hällo \udcff\n")


async def ill() -> Answer:
    return Answer("ill\n", HTTPStatus.SERVICE_UNAVAILABLE)


async def broken() -> Answer:
    raise ValueError("broken")


@asynccontextmanager
async def listening(deadline: float = 5.0) -> AsyncIterator[Port]:
    listener = Listener({"/hello": hello, "/ill": ill, "/broken": broken}, deadline=deadline)
    _, port = await listener.open("127.0.0.1", 0)
    try:
        yield port
    finally:
        await listener.close()


async def ask(port: Port, request: bytes) -> bytes:
    """What comes back until the other end closes; nothing where it cuts the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_a_page_is_answered_whole_and_the_connection_closed() -> None:
    async def story() -> None:
        async with listening() as port:
            head, _, body = (await ask(port, get("/hello"))).partition(b"\r\n\r\n")
        assert head.split(b"\r\n") == [
            b"HTTP/1.1 200 OK",
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Length: 9",
            b"Allow: GET, HEAD",
            b"Cache-Control: no-store",
            b"Connection: close",
        ]
        assert body == "hällo ?\n".encode()

    run(story)


def test_a_head_has_no_body() -> None:
    async def story() -> None:
        async with listening() as port:
            answer = await ask(port, get("/hello", "HEAD"))
        assert b"Content-Length: 9\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")

    run(story)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (get("/hello?verbose=1&x"), 200),
        (b"GET /hello HTTP/1.0\r\n\r\n", 200),
        (get("/ill"), 503),
        (get("/broken"), 500),
        (get("/"), 404),
        (get("/hello/../etc/passwd"), 404),
        (get("/hello", "POST"), 405),
        (get("/hello", "DELETE"), 405),
        (b"\r\n\r\n", 400),
        (b"GET /hello\r\n\r\n", 400),
        (b"GET /hello HTTP/2.0\r\n\r\n", 400),
        (b"GET /h\xffllo HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/hello HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"a" * 2 * HEAD_LIMIT + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /hello HTTP/1.1\r\n" + b"A: b\r\n" * 4000 + b"\r\n", 431),
        (b"\x00" * 100_000, 431),
        (b"GET /hello HTTP/1.1\r\n\r\n" + b"\x00" * 20_000, 200),
    ],
)
def test_every_request_gets_the_answer_that_it_earned(request_: bytes, expected: int) -> None:
    async def story() -> None:
        async with listening() as port:
            assert status(await ask(port, request_)) == expected
            assert status(await ask(port, get("/hello"))) == 200

    run(story)


def test_who_hangs_up_at_any_moment_harms_nobody() -> None:
    async def story() -> None:
        async with listening() as port:
            whole = get("/hello")
            for length in range(len(whole) + 1):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(whole[:length])
                writer.transport.abort()
            assert status(await ask(port, whole)) == 200

    run(story)


@pytest.mark.parametrize("said", [b"", b"GET /hello", get("/hello")[:-1]])
def test_who_says_too_little_is_cut_off(said: bytes) -> None:
    async def story() -> None:
        async with listening(deadline=0.2) as port:
            assert await ask(port, said) == b""

    run(story)


def test_of_too_many_connections_the_last_are_cut_and_later_ones_are_served() -> None:
    async def story() -> None:
        async with listening() as port:
            opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
            assert await ask(port, get("/hello")) == b""
            for _, writer in opened:
                writer.close()
            async with asyncio.timeout(10):
                while status(await ask(port, get("/hello"))) != 200:
                    pass

    run(story)


def test_a_port_that_is_taken_is_an_error_that_says_so() -> None:
    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError) as caught:
                await Listener({}).open("127.0.0.1", port)
        expected = "expected an address of this machine whose port is free, got 127.0.0.1"
        assert str(caught.value) == f"{expected}:{port} (Address already in use); listen on another one"

    run(story)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 100])
def test_an_address_of_another_machine_is_an_error(host: str) -> None:
    async def story() -> None:
        with pytest.raises(ConfigError, match="expected an address of this machine"):
            await Listener({}).open(host, 0)

    run(story)


def test_closing_cuts_who_is_connected() -> None:
    async def story() -> None:
        async with listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(port, get("/hello"))
        with suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()

    run(story)


def test_one_that_never_listened_closes() -> None:
    async def story() -> None:
        await Listener({}).close()

    run(story)
