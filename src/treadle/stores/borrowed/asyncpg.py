"""Connections of asyncpg, its own and those of its pool."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from treadle.stores.borrowed.link import Borrowed, refusal, refuse_autocommit, refuse_closed
from treadle.stores.borrowed.placeholders import positional


def borrow(asyncpg: ModuleType, given: Any) -> Borrowed | None:  # noqa: ANN401 - whatever the user gave
    """What it lends, if it is one of these."""
    # A pool gives a new one of these each time, which passes for a connection, and hides what stays.
    if isinstance(given, asyncpg.pool.PoolConnectionProxy):
        return AsyncpgLender(asyncpg, given, key=None)
    return AsyncpgLender(asyncpg, given, key=given) if isinstance(given, asyncpg.Connection) else None


class AsyncpgLender:
    """A connection of a loop. What it knows of types is the user's: only text, numbers and lists of them are sent."""

    kind: Literal["driver"] = "driver"
    engine = "postgresql"
    what = "an asyncpg.Connection"

    def __init__(self, asyncpg: ModuleType, connection: Any, *, key: object) -> None:  # noqa: ANN401 - an asyncpg one
        self.key = key
        self._asyncpg = asyncpg
        self._connection = connection

    def join(self) -> None:
        """Be in the user's transaction."""
        if self._connection.is_closed():
            raise refuse_closed(self.what)
        if not self._connection.is_in_transaction():
            raise refuse_autocommit(self.what)

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement; the rows that it gives."""
        text, ordered = positional(sql, values)
        try:
            rows = await self._connection.fetch(text, *ordered, record_class=self._asyncpg.Record)
        except self._asyncpg.PostgresError as error:
            refused = refusal(error, self.what)
            if refused is not None:
                raise refused from error
            raise
        return [tuple(row) for row in rows]
