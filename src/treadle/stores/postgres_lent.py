"""Inserts on PostgreSQL in a user's own transaction, by the statements of the store's own.

Before the first on a connection it is asked where it is: a job in another database would be seen by no worker.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakSet

from treadle.core.job import Inserted, NewJob
from treadle.errors import ConfigError
from treadle.stores.borrowed.crossing import Fetch, across
from treadle.stores.borrowed.link import Awaits, Borrowed, Link, fetched, refuse_engine
from treadle.stores.postgres_connection import JsonText, Server, Session
from treadle.stores.postgres_ids import Ids
from treadle.stores.postgres_inserts import insert

Identity = tuple[Any, ...]


def identity(session: Session) -> Identity:
    """Where the job table is; made, where it lacks."""
    session.install()
    return tuple(session.row("identity"))


class Elsewhere(ConfigError):
    """What was lent leads to another place than the store."""


class LentInserts:
    """`own_now` and `own` ask where the store is. What is known of it and of connections is kept while they live."""

    def __init__(
        self, server: Server, own_now: Callable[[], Identity], own: Callable[[], Awaitable[Identity]], ids: Ids
    ) -> None:
        self._server = server
        self._own_now = own_now
        self._own = own
        self._ids = ids
        self._place: Identity | None = None
        self._known: WeakSet[Any] = WeakSet()

    def insert_now(self, jobs: Sequence[NewJob], borrowed: Borrowed) -> list[Inserted]:
        """Insert on what blocking code lends."""
        if borrowed.kind != "blocking":
            raise refuse_engine("PostgreSQL", borrowed.what)
        place = self._place = self._place or self._own_now()
        try:
            return borrowed.lend(self._step(jobs, borrowed.what, place))
        except Elsewhere:
            # A server that was started anew is another one.
            place = self._own_now()
            if place == self._place:
                raise
        self._place = place
        return borrowed.lend(self._step(jobs, borrowed.what, place))

    async def insert(self, jobs: Sequence[NewJob], borrowed: Borrowed) -> list[Inserted]:
        """Insert on what a loop lends."""
        place = self._place = self._place or await self._own()
        try:
            return await self._on_loop(jobs, borrowed, place)
        except Elsewhere:
            place = await self._own()
            if place == self._place:
                raise
        self._place = place
        return await self._on_loop(jobs, borrowed, place)

    async def _on_loop(self, jobs: Sequence[NewJob], borrowed: Borrowed, place: Identity) -> list[Inserted]:
        match borrowed.kind:
            case "loop":
                return await borrowed.lend(self._step(jobs, borrowed.what, place))
            case "driver":
                borrowed.join()
                return await across(borrowed, lambda fetch: self._insert(jobs, fetch, borrowed, borrowed.what, place))
            case _:
                raise refuse_engine("PostgreSQL", borrowed.what)

    def _step(self, jobs: Sequence[NewJob], what: str, place: Identity) -> Callable[[Link], list[Inserted]]:
        def step(link: Link) -> list[Inserted]:
            if link.engine != "postgresql":
                raise refuse_engine("PostgreSQL", link.engine)
            link.join()
            return self._insert(jobs, lambda sql, values: fetched(link.execute(sql, values)), link, what, place)

        return step

    def _insert(
        self, jobs: Sequence[NewJob], fetch: Fetch, link: Link | Awaits, what: str, place: Identity
    ) -> list[Inserted]:
        session = Session(Lent(fetch), self._server.schema, self._server.aside)
        if link.key is None or link.key not in self._known:
            if tuple(session.row("identity")) != place:
                raise Elsewhere(
                    f"expected tx= to be a connection to the store {self._server.where}, got {what} to another server "
                    f"or database"
                )
            if link.key is not None:
                self._known.add(link.key)
        return insert(session, jobs, self._ids)


class Lent:
    """A user's connection in the place of one of the store's own; its transaction is his to end."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def execute(self, sql: bytes, values: Mapping[str, Any] | None = None, *, prepare: bool | None = None) -> "_Rows":  # noqa: ARG002
        """Run a statement; its rows."""
        given = {
            name: value.raw.decode() if isinstance(value, JsonText) else value for name, value in (values or {}).items()
        }
        return _Rows(self._fetch(sql.decode(), given))

    def transaction(self) -> AbstractContextManager[None]:
        """It is in one."""
        return nullcontext()


class _Rows:
    description = "rows"

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[Any]:
        return list(self._rows)
