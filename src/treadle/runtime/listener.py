"""The few pages that a node shows over HTTP: enough of HTTP/1.1 for probes and scrapers, and no more.

Life: 1. `open` listens. 2. Each connection is one request, GET or HEAD, whose head must come within 5 s and 8 KiB; a
page answers, and the connection is closed. 3. `close` cuts what is open. Nothing that a client sends can do more than
spoil its own answer.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import msgspec

from treadle.errors import ConfigError
from treadle.log import Log

DEADLINE = 5.0
HEAD_LIMIT = 8192
CONNECTIONS = 64
UNREAD = 64

_log = Log("treadle.processes")
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]\r\n")


class Answer(msgspec.Struct, frozen=True):
    """What a page says."""

    text: str
    status: HTTPStatus = HTTPStatus.OK
    kind: str = "text/plain; charset=utf-8"


Page = Callable[[], Awaitable[Answer]]


class Listener:
    """Shows `pages`, each under its path. A connection lasts `deadline` seconds at the most."""

    def __init__(self, pages: Mapping[str, Page], *, deadline: float = DEADLINE) -> None:
        self._pages = pages
        self._deadline = deadline
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; where, which tells the port if it was given as 0. Raises ConfigError where that is not possible."""
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_LIMIT)
        except (OSError, UnicodeError) as error:
            raise ConfigError(
                f"expected an address of this machine whose port is free, got {host}:{port} ({_reason(error)}); "
                "listen on another one"
            ) from error
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name="treadle probe")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                writer.write(await self._answer(reader))
                await writer.drain()
                await _until_closed(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # Whoever asked has gone, or takes too long.
            return
        finally:
            # Not `close`, which would wait for a client that reads nothing.
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _reply(Answer("the request is too long\n", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        request = _REQUEST_LINE.match(head)
        if request is None:
            return _reply(Answer("expected an HTTP/1.1 request\n", HTTPStatus.BAD_REQUEST))
        method, target = request[1], request[2].decode().partition("?")[0]
        if method not in (b"GET", b"HEAD"):
            return _reply(Answer("expected GET or HEAD\n", HTTPStatus.METHOD_NOT_ALLOWED))
        page = self._pages.get(target)
        if page is None:
            known = " ".join(self._pages)
            return _reply(Answer(f"expected one of {known}\n", HTTPStatus.NOT_FOUND))
        return _reply(await _shown(target, page), body=method == b"GET")


async def _shown(target: str, page: Page) -> Answer:
    try:
        return await page()
    except Exception:  # noqa: BLE001 - a server's edge: a page that fails must not look like a node that is dead
        _log.exception("the page %s failed", target)
        return Answer("this page failed, see the log\n", HTTPStatus.INTERNAL_SERVER_ERROR)


async def _until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client read its answer: a close with bytes of the client unread would reset the connection."""
    if writer.can_write_eof():
        writer.write_eof()
    for _ in range(UNREAD):
        if not await reader.read(HEAD_LIMIT):
            return


def _reply(answer: Answer, *, body: bool = True) -> bytes:
    text = answer.text.encode("utf-8", "replace")
    lines = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(text)}",
        "Allow: GET, HEAD",
        "Cache-Control: no-store",
        "Connection: close",
        "\r\n",
    )
    head = "\r\n".join(lines).encode()
    return head + text if body else head


def _reason(error: Exception) -> str:
    """The system's own words: asyncio's repeat the address."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error)
