"""A TCP proxy in front of a server, Redis unless a subclass says otherwise, that fails as networks do."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from tests.resp import frame_end

CONTROL_DEADLINE = 10.0  # seconds that the proxy's thread may take to obey
CHUNK = 65536


class Way(Enum):
    """What becomes of the bytes that arrive."""

    FORWARD = "forward"
    STALL = "stall"
    BLACK_HOLE = "black hole"


@dataclass(slots=True)
class Cut:
    """An armed cut: how many matching requests are still to come, and on which side of the server it falls."""

    remaining: int
    matching: bytes
    reaches_server: bool


@dataclass(eq=False, slots=True)
class Tunnel:
    """A client's connection and its continuation to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    requests: int = 0
    replies: int = 0
    lost_reply: int | None = None  # counted like `replies`
    swallowed: bool = False  # lost bytes in a black hole, and so delivers none any more
    pumps: list[asyncio.Task[None]] = field(default_factory=list)

    def sever(self) -> None:
        """Close both ends; what was written before still arrives."""
        self.client.close()
        self.server.close()
        for pump in self.pumps:
            pump.cancel()


class CutProxy:
    """One server's proxy, on a free port of loopback.

    1. It runs in a thread of its own, so that sync tests, async tests and other processes use it alike.
    2. It takes requests and replies apart, so that exactly one reply of a pipeline can be lost.
    3. A control is in force when its method returns.
    """

    def __init__(self, upstream: tuple[str, int], database: int = 0) -> None:
        self.upstream = upstream
        self.database = database
        self.port = 0
        self.cuts = 0  # connections cut so far, by any of the controls
        self.held = 0  # directions of connections in which a stall holds something now
        self._way = Way.FORWARD
        self._cut: Cut | None = None
        self._tunnels: set[Tunnel] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cut-proxy", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/{self.database}"

    @property
    def connections(self) -> int:
        """How many connections are open through it now."""
        return len(self._tunnels)

    def start(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def stop(self) -> None:
        """Cut everything and end; a second call does nothing."""
        if self._thread.is_alive():
            self._do(self._shut_down())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def forward(self) -> None:
        """Deliver again: what was stalled arrives now, what a black hole swallowed is gone and its connection mute."""
        self._do(self._turn(Way.FORWARD))

    def stall(self) -> None:
        """Hold what comes, both ways, and lose nothing of it; new connections are accepted and held."""
        self._do(self._turn(Way.STALL))

    def black_hole(self) -> None:
        """Swallow what comes, both ways, FINs too: connections are half-open, as when a router forgot them."""
        self._do(self._turn(Way.BLACK_HOLE))

    def cut_reply(self, nth: int = 1, *, matching: bytes = b"") -> None:
        """Once: let the n-th request from now reach the server, lose its reply and cut its connection.

        Only requests with `matching` among their bytes count (`b"EVALSHA"`, a script's digest, a key), so that the
        hand-shake of a new connection need not be counted.  The replies before it are delivered; the requests behind
        it in the same pipeline do not reach the server.  Not for connections that subscribe.
        """
        self._do(self._arm(Cut(nth, matching, reaches_server=True)))

    def cut_request(self, nth: int = 1, *, matching: bytes = b"") -> None:
        """Once: cut the connection before the n-th such request reaches the server."""
        self._do(self._arm(Cut(nth, matching, reaches_server=False)))

    def cut_now(self) -> None:
        """Cut every connection that is open; new ones are served."""
        self._do(self._sever_all())

    # What a server's protocol is: RESP here.

    def request_end(self, data: bytearray) -> int | None:
        """The index behind the first request, None while it is incomplete."""
        return frame_end(data)

    def reply_end(self, data: bytearray) -> int | None:
        """The index behind the first reply, None while it is incomplete."""
        return frame_end(data)

    def answers(self, frame: bytes) -> bool:
        """Whether it answers a request; a push (RESP 3) does not."""
        return not frame.startswith(b">")

    def text_of(self, frame: bytes, tunnel: Tunnel) -> bytes:  # noqa: ARG002
        """What `matching` is sought in."""
        return frame

    def _do(self, control: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(control, self._loop).result(CONTROL_DEADLINE)

    # From here on everything runs in the proxy's own thread.

    async def _listen(self) -> None:
        self._flowing.set()
        self._listener = await asyncio.start_server(self._accept, *self.address)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _shut_down(self) -> None:
        if self._listener is not None:
            self._listener.close()
        while self._handlers:
            await self._sever_all()
            await asyncio.wait(self._handlers, timeout=0.1)

    async def _turn(self, way: Way) -> None:
        self._way = way
        if way is Way.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def _arm(self, cut: Cut) -> None:
        self._cut = cut

    async def _sever_all(self) -> None:
        for tunnel in list(self._tunnels):
            self._sever(tunnel)

    def _sever(self, tunnel: Tunnel) -> None:
        self.cuts += 1
        self._tunnels.discard(tunnel)
        tunnel.sever()

    async def _accept(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        handler = asyncio.ensure_future(self._serve(client_reader, client))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)
        await handler

    async def _serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            server_reader, server = await asyncio.open_connection(*self.upstream)
        except OSError:
            client.close()
            return
        tunnel = Tunnel(client, server)
        tunnel.pumps += [
            asyncio.create_task(self._pump_requests(client_reader, tunnel)),
            asyncio.create_task(self._pump_replies(server_reader, tunnel)),
        ]
        self._tunnels.add(tunnel)
        await asyncio.wait(tunnel.pumps, return_when=asyncio.FIRST_COMPLETED)
        self._tunnels.discard(tunnel)
        tunnel.sever()
        await asyncio.gather(*tunnel.pumps, client.wait_closed(), server.wait_closed(), return_exceptions=True)

    async def _pump_requests(self, reader: asyncio.StreamReader, tunnel: Tunnel) -> None:
        async for frame in self._frames(reader, tunnel, self.request_end):
            tunnel.requests += 1
            cut = self._due_cut(self.text_of(frame, tunnel))
            if cut is None or cut.reaches_server:
                tunnel.server.write(frame)
            if cut is None:
                continue
            if not cut.reaches_server:
                self._sever(tunnel)
                return
            tunnel.lost_reply = tunnel.requests
            await _for_ever()

    async def _pump_replies(self, reader: asyncio.StreamReader, tunnel: Tunnel) -> None:
        async for frame in self._frames(reader, tunnel, self.reply_end):
            tunnel.replies += self.answers(frame)
            if tunnel.replies == tunnel.lost_reply:
                self._sever(tunnel)
                return
            tunnel.client.write(frame)

    def _due_cut(self, text: bytes) -> Cut | None:
        cut = self._cut
        if cut is None or cut.matching not in text:
            return None
        cut.remaining -= 1
        if cut.remaining > 0:
            return None
        self._cut = None
        return cut

    async def _frames(
        self, reader: asyncio.StreamReader, tunnel: Tunnel, first_end: Callable[[bytearray], int | None]
    ) -> AsyncIterator[bytes]:
        """Give whole requests or replies, as the present way lets them through."""
        pending = bytearray()
        async for chunk in self._chunks(reader, tunnel):
            pending += chunk
            while (end := first_end(pending)) is not None:
                yield bytes(pending[:end])
                del pending[:end]
        if pending:
            # The last words of who hung up.
            yield bytes(pending)

    async def _chunks(self, reader: asyncio.StreamReader, tunnel: Tunnel) -> AsyncIterator[bytes]:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(CHUNK):
                if await self._passes(tunnel):
                    yield chunk
        if not await self._passes(tunnel):
            await _for_ever()

    async def _passes(self, tunnel: Tunnel) -> bool:
        self.held += 1
        try:
            await self._flowing.wait()
        finally:
            self.held -= 1
        tunnel.swallowed |= self._way is Way.BLACK_HOLE
        return not tunnel.swallowed


async def _for_ever() -> None:
    """Wait until the pump is cancelled."""
    await asyncio.Event().wait()
