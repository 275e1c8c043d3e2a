"""One connection of one event loop: the requests of all tasks pipelined on it, and the server's pushes heard."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from treadle.stores.redis_errors import drops_connection, translated, unanswered, unreachable
from treadle.stores.redis_scripts import Command

# Seconds that a call may take, the connection included: nothing hangs on a host that went silent.
DEADLINE = 5.0
# Bytes a second that a call is given the time for beyond that.
SLOWEST = 5e6

RESP3 = 3

# Bytes from which a call is not held more often than it must be.
LARGE = 1 << 20

_PUSHED = object()
_SMALLEST = b":0\r\n"

Dial = Callable[[], Awaitable[AbstractConnection]]


class _Batch:
    """The commands of one call and what came back so far."""

    __slots__ = ("awaited", "done", "replies")

    def __init__(self, awaited: int, done: asyncio.Future[bool]) -> None:
        self.awaited = awaited
        self.done = done
        self.replies: list[Any] = []


class Link:
    """A connection that is made when it is needed.

    1. The first call connects; the calls of other tasks wait for it.
    2. Calls are written as they come; one reader task hands the replies out in their order.
    3. A tracking link (RESP 3) hears which of the keys that it read were changed, and counts what `wakes`.
    4. Where the connection is lost, or a call passes its deadline, every open call ends as unanswered, whoever waits
       for a change is woken, and the next call connects anew.
    """

    def __init__(self, dial: Dial, where: str, *, tracking: bool = False, waking: tuple[bytes, ...] = ()) -> None:
        # Whether changes are not told, so that a watch must look again and again.
        self.deaf = False
        self.changes = 0
        self._dial = dial
        self._where = where
        self._wants_tracking = tracking
        self._waking = waking
        self._connection: AbstractConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._dialing = asyncio.Lock()
        self._open: deque[_Batch] = deque()
        self._waiters: set[asyncio.Future[None]] = set()

    async def call(self, commands: Sequence[Command], deadline: float = DEADLINE) -> list[Any]:
        """The replies to these commands; an error that the server answered stands among them as a value.

        Raises StoreUnavailable where nothing was sent, and ReplyLost where the replies did not come.
        """
        connection, packed = self._connection, _packed(commands)
        try:
            async with asyncio.timeout(deadline + len(packed) / SLOWEST):
                if connection is None:
                    connection = await self._connect()
                replies = await self._exchange(connection, packed, len(commands))
        except TimeoutError:
            if connection is None:
                raise unreachable(self._where, "timed out") from None
            self._lose(connection)
            raise unanswered(self._where) from None
        if any(isinstance(reply, ResponseError) and drops_connection(reply) for reply in replies):
            self._lose(connection)
        return replies

    async def changed(self, since: int, timeout: float) -> None:
        """Return once `changes` is no longer `since`, or after `timeout` seconds."""
        if self.changes != since:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=timeout)
        finally:
            self._waiters.discard(waiter)
            waiter.cancel()

    async def aclose(self) -> None:
        """Close the connection; the next call would make a new one."""
        reader = self._reader
        if self._connection is not None:
            self._lose(self._connection)
        if reader is not None:
            await asyncio.wait([reader])

    async def _connect(self) -> AbstractConnection:
        async with self._dialing:
            if self._connection is not None:
                return self._connection
            try:
                connection = await self._dial()
            except (RedisError, OSError) as error:
                raise translated(error, self._where) from error
            self._listen(connection)
            return await self._armed(connection) if self._wants_tracking else connection

    def _listen(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # redis-py's own client sets its handlers here too; there is no other way.
        parser: Any = connection._parser  # noqa: SLF001
        if hasattr(parser, "set_invalidation_push_handler"):
            parser.set_invalidation_push_handler(self._hear)
            parser.set_pubsub_push_handler(self._hear)
        self._reader = asyncio.create_task(self._read(connection), name="treadle-redis-reader")

    async def _armed(self, connection: AbstractConnection) -> AbstractConnection:
        """Ask for pushes. NOLOOP: what this connection changes itself is no news to it."""
        [reply] = await self._exchange(connection, _packed([("CLIENT", "TRACKING", "ON", "NOLOOP")]), 1)
        self.deaf = connection.protocol != RESP3 or isinstance(reply, Exception)
        return connection

    async def _exchange(self, connection: AbstractConnection, packed: bytes, number: int) -> list[Any]:
        if connection is not self._connection:
            raise unanswered(self._where)
        batch = _Batch(number, asyncio.get_running_loop().create_future())
        # Nothing is awaited between these two, so the order of the batches is that of their bytes.
        self._open.append(batch)
        try:
            await _send(connection, packed)
        except (RedisError, OSError):
            self._lose(connection)
        except BaseException:
            self._lose(connection)
            raise
        if not await batch.done:
            raise unanswered(self._where)
        return batch.replies

    async def _read(self, connection: AbstractConnection) -> None:
        try:
            while True:
                try:
                    reply = await connection.read_response(
                        disable_decoding=True, push_request=True, disconnect_on_error=False
                    )
                except ResponseError as error:
                    reply = error
                if reply is not _PUSHED:
                    self._deliver(reply)
                # Nothing of it may live on while this task waits for the next one.
                del reply
                _let_go(connection)
        except (RedisError, OSError):
            pass
        finally:
            self._lose(connection)
            await connection.disconnect(nowait=True)

    def _deliver(self, reply: Any) -> None:  # noqa: ANN401 - whatever a server answers
        batch = self._open[0]
        batch.replies.append(reply)
        if len(batch.replies) == batch.awaited:
            self._open.popleft()
            if not batch.done.done():
                batch.done.set_result(True)

    async def _hear(self, message: list[Any]) -> object:
        keys = message[1] if len(message) > 1 and message[0] == b"invalidate" else ()
        # None stands for every key: the database was emptied.
        if keys is None or any(key.startswith(self._waking) for key in keys):
            self._wake()
        return _PUSHED

    def _wake(self) -> None:
        self.changes += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _lose(self, connection: AbstractConnection) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        lost, self._open = self._open, deque()
        for batch in lost:
            if not batch.done.done():
                batch.done.set_result(False)
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()
        self._wake()


async def _send(connection: AbstractConnection, packed: bytes) -> None:
    writer: Any = connection._writer  # noqa: SLF001 - as in `_listen`
    if len(packed) < LARGE or writer is None:
        await connection.send_packed_command(packed, check_health=False)
        return
    # What the socket does not take at once, asyncio copies: of bytes twice, of a view once.
    writer.write(memoryview(packed))
    await writer.drain()


def _let_go(connection: AbstractConnection) -> None:
    """Hiredis keeps the memory of a large reply until it is fed again: feed it the smallest one."""
    parser: Any = connection._parser  # noqa: SLF001 - as in `_listen`
    reader = parser._reader  # noqa: SLF001
    if not reader.has_data():
        reader.feed(_SMALLEST)
        reader.gets()


def _packed(commands: Sequence[Command]) -> bytes:
    # redis-py packs in Python for asyncio connections, which takes as long as all the rest of a settlement.
    if any(isinstance(part, bytes) and len(part) >= LARGE for command in commands for part in command):
        # hiredis would hold it three times meanwhile.
        return b"".join([piece for command in commands for piece in _pieces(command)])
    return b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type] # any length


def _pieces(command: Command) -> Iterator[bytes]:
    yield b"*%d\r\n" % len(command)
    for part in command:
        value = part if isinstance(part, bytes) else str(part).encode()
        yield b"$%d\r\n" % len(value)
        yield value
        yield b"\r\n"
