"""A transaction on PostgreSQL for the body of a job, on a connection of its own."""

from contextlib import suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from treadle.errors import ConfigError
from treadle.stores.borrowed.crossing import Fetch, across
from treadle.stores.borrowed.link import fetched
from treadle.stores.borrowed.psycopg import AsyncPsycopgLender, PsycopgLink
from treadle.stores.claim import APPLIED, Settled, Settlement
from treadle.stores.postgres_connection import Server, Session, closed_unless_done, libpq_options
from treadle.stores.postgres_errors import translated, unreachable
from treadle.stores.postgres_lent import Lent
from treadle.stores.postgres_settle import Settle

# A pooler that was not told of would keep a prepared statement for whoever gets its server process next.
_NEVER_PREPARED = None

_WHAT = "a connection of the job's transaction()"


class PostgresOpened:
    """For a thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        try:
            self.connection: psycopg.Connection[Any] = psycopg.Connection.connect(**libpq_options(server))
            self.connection.prepare_threshold = _NEVER_PREPARED
            with closed_unless_done(self.connection):
                # Now, so that a block which ends its transaction is told from one that wrote nothing.
                self.connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise unreachable(error, server.where) from error

    def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        try:
            _check_open(self.connection.info.transaction_status)
            link = PsycopgLink(psycopg, self.connection, _WHAT)
            answer = _settled(self._server, settlement, lambda sql, values: fetched(link.execute(sql, values)))
            if answer == APPLIED:
                self.connection.commit()
        except psycopg.Error as error:
            raise translated(error, self._server.where, inserting=False) from error
        finally:
            self.rollback()
        return answer

    def rollback(self) -> None:
        """Close the connection; what is not committed goes with it."""
        with suppress(psycopg.Error):
            self.connection.close()


class AsyncPostgresOpened:
    """For a loop."""

    def __init__(self, server: Server, connection: psycopg.AsyncConnection[Any]) -> None:
        self._server = server
        self.connection = connection

    async def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        try:
            _check_open(self.connection.info.transaction_status)
            lent = AsyncPsycopgLender(psycopg, self.connection, _WHAT)
            answer = await across(lent, lambda fetch: _settled(self._server, settlement, fetch))
            if answer == APPLIED:
                await self.connection.commit()
        except psycopg.Error as error:
            raise translated(error, self._server.where, inserting=False) from error
        finally:
            await self.rollback()
        return answer

    async def rollback(self) -> None:
        """Close the connection; what is not committed goes with it."""
        with suppress(psycopg.Error):
            await self.connection.close()


async def open_async(server: Server) -> AsyncPostgresOpened:
    """Begin one on the running loop."""
    try:
        connection = await psycopg.AsyncConnection.connect(**libpq_options(server))
        connection.prepare_threshold = _NEVER_PREPARED
        try:
            await connection.execute("SELECT 1")
        except BaseException:
            # Also where the job is cancelled meanwhile.
            await connection.close()
            raise
    except psycopg.Error as error:
        raise unreachable(error, server.where) from error
    return AsyncPostgresOpened(server, connection)


def _check_open(status: TransactionStatus) -> None:
    if status == TransactionStatus.INERROR:
        raise ConfigError(
            "expected the block of transaction() to raise what its statements raise, got one that went on after an "
            "error of PostgreSQL: nothing of it can be committed"
        )
    if status != TransactionStatus.INTRANS:
        raise ConfigError("expected the block of transaction() to leave it open, got one that has ended it")


def _settled(server: Server, settlement: Settlement, fetch: Fetch) -> Settled:
    # The user's statements had no limits of ours; the last ones have. And what he wrote is to be as durable as he
    # configured it: a completion alone need not be.
    fetch("SET LOCAL statement_timeout = '10s'", {})
    fetch("SET LOCAL lock_timeout = '2s'", {})
    answers = Settle([settlement])(Session(Lent(fetch), server.schema, server.aside))
    fetch("SET LOCAL synchronous_commit TO DEFAULT", {})
    return answers[0] if answers else Settled("gone")
