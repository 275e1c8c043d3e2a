"""Thin senders: they run script calls and commands, sync and async, and repeat what may be repeated."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from redis import exceptions

from treadle.core.clock import Clock
from treadle.errors import StoreError, StoreUnavailable
from treadle.stores.redis_connection import READ_DEADLINE, Connections
from treadle.stores.redis_errors import ReplyLost, drops_connection, translated, unanswered
from treadle.stores.redis_link import DEADLINE, Link
from treadle.stores.redis_scripts import Command, ScriptCall

_PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4)


class AsyncSender:
    """Runs calls on a link of the running loop."""

    def __init__(self, link: Link, where: str) -> None:
        self._link = link
        self._where = where

    async def run(self, call: ScriptCall, deadline: float = DEADLINE) -> Any:  # noqa: ANN401 - a script's reply
        """The script's reply. Raises StoreError."""
        [reply] = await self.run_all([call], deadline)
        if isinstance(reply, StoreError):
            raise reply
        return reply

    async def run_all(self, calls: Sequence[ScriptCall], deadline: float = DEADLINE) -> list[Any]:
        """A pipeline's replies, with errors as values. Raises StoreUnavailable."""
        if not calls:
            return []
        replies = await self._link.call([call.by_digest() for call in calls], deadline)
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
        if unknown:
            loaded = await self._link.call([calls[index].by_text() for index in unknown], deadline)
            for index, reply in zip(unknown, loaded, strict=True):
                replies[index] = reply
        return [translated(reply, self._where) if isinstance(reply, Exception) else reply for reply in replies]

    async def run_all_twice(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """The same for calls that are safe to repeat: once more where the replies were lost."""
        try:
            return await self.run_all(calls)
        except ReplyLost:
            return await self.run_all(calls)

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to plain commands. Raises StoreError for the first that is an error."""
        replies = await self.ask_all(*commands)
        for reply in replies:
            if isinstance(reply, StoreError):
                raise reply
        return replies

    async def ask_all(self, *commands: Command) -> list[Any]:
        """The replies to plain commands, with errors as values."""
        if not commands:
            return []
        replies = await self._link.call(commands)
        return [translated(reply, self._where) if isinstance(reply, Exception) else reply for reply in replies]

    async def insist(self, call: ScriptCall, patience: float) -> Any:  # noqa: ANN401
        """Run a call that the server carries out once however often it is sent, until it is answered.

        Raises ReplyLost where it may have been carried out, StoreUnavailable where it was not.
        """
        clock = asyncio.get_running_loop().time
        end, failure = clock() + patience, None
        for pause in _PAUSES:
            if pause:
                await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=pause)
            if (left := end - clock()) <= 0:
                break
            try:
                return await self.run(call, left)
            except StoreUnavailable as error:
                failure = _worse(failure, error)
        raise failure or unanswered(self._where)


class ThreadSender:
    """Runs calls on the calling thread."""

    def __init__(self, connections: Connections, where: str, clock: Clock) -> None:
        self._connections = connections
        self._where = where
        self._clock = clock

    def insist(self, call: ScriptCall, patience: float) -> Any:  # noqa: ANN401
        """What AsyncSender.insist does, blocking."""
        end, failure = self._clock.steady() + patience, None
        for pause in _PAUSES:
            if pause:
                threading.Event().wait(pause)
            # A second attempt that could not end in time would only make the caller wait longer for the same answer.
            if failure and self._clock.steady() + READ_DEADLINE > end:
                break
            try:
                return self._run(call)
            except StoreUnavailable as error:
                failure = _worse(failure, error)
        raise failure or unanswered(self._where)

    def _run(self, call: ScriptCall) -> Any:  # noqa: ANN401
        pool: Any = self._connections.pool  # redis-py's connections have no types
        try:
            connection = pool.get_connection()
        except (exceptions.RedisError, OSError) as error:
            raise translated(error, self._where) from error
        try:
            return self._exchange(connection, call)
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            connection.disconnect()
            raise unanswered(self._where) from error
        except exceptions.RedisError as error:
            if drops_connection(error):
                connection.disconnect()
            raise translated(error, self._where) from error
        finally:
            pool.release(connection)

    @staticmethod
    def _exchange(connection: Any, call: ScriptCall) -> Any:  # noqa: ANN401
        connection.send_command(*call.by_digest())
        try:
            return connection.read_response()
        except exceptions.NoScriptError:
            connection.send_command(*call.by_text())
            return connection.read_response()


def _worse(before: StoreUnavailable | None, now: StoreUnavailable) -> StoreUnavailable:
    """Once a command may have been carried out, that stays the answer."""
    return before if isinstance(before, ReplyLost) else now
