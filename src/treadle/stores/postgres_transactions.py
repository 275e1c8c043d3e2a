"""A transaction on PostgreSQL for the body of a job, on a connection of its own."""

import asyncio
from contextlib import suppress
from functools import partial
from math import inf

import psycopg
from psycopg.pq import TransactionStatus

from treadle.errors import ConfigError, StoreUnavailable
from treadle.stores.borrowed.crossing import Fetch, across
from treadle.stores.borrowed.link import fetched
from treadle.stores.borrowed.psycopg import AsyncPsycopgLender, PsycopgLink
from treadle.stores.claim import APPLIED, Settled, Settlement
from treadle.stores.postgres_connection import (
    PATIENCE,
    AsyncLink,
    Link,
    Seat,
    Server,
    Session,
    closed_unless_done,
    libpq_options,
)
from treadle.stores.postgres_errors import loses_connection, translated, unreachable
from treadle.stores.postgres_lent import Lent
from treadle.stores.postgres_settle import Settle, ended
from treadle.stores.transactions import InDoubt

# A pooler that was not told of would keep a prepared statement for whoever gets its server process next.
_NEVER_PREPARED = None

# Marks the transaction, so that a block which ends it is told from one that wrote nothing. And a host that dies leaves
# its locks to the server, which looks after it only in hours by itself: the job's next attempt would wait for them.
_BEGIN = (
    b"SET LOCAL treadle.transaction = 'open'; SET LOCAL tcp_user_timeout = '25s'; "
    b"SET LOCAL tcp_keepalives_idle = '10s'; SET LOCAL tcp_keepalives_interval = '5s'; "
    b"SET LOCAL tcp_keepalives_count = 3"
)
# The user's statements had no limits of ours; the last ones have, and a commit that does not arrive lets the row go.
# What he wrote is to be as durable as he configured it: a completion alone need not be.
_LIMIT = (
    "SELECT current_setting('treadle.transaction', true), set_config('statement_timeout', '10s', true), "
    "set_config('lock_timeout', '2s', true), set_config('idle_in_transaction_session_timeout', '10s', true)"
)
_DURABLE = "SET LOCAL synchronous_commit TO DEFAULT"

_WHAT = "a connection of the job's transaction()"


class PostgresOpened:
    """For a thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        try:
            self.connection = Link.connect(**libpq_options(server))
            self.connection.patience = inf
            self.connection.prepare_threshold = _NEVER_PREPARED
            with closed_unless_done(self.connection):
                self.connection.execute(_BEGIN)
        except psycopg.Error as error:
            raise unreachable(error, server.where) from error

    def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        sent = False
        try:
            _check_open(self.connection.info.transaction_status, self._server)
            self.connection.patience = PATIENCE
            link = PsycopgLink(psycopg, self.connection, _WHAT)
            answer = _settled(self._server, settlement, lambda sql, values: fetched(link.execute(sql, values)))
            if answer == APPLIED:
                sent = True
                self.connection.commit()
        except psycopg.Error as error:
            raise _told(error, self._server, sent=sent) from error
        finally:
            self.rollback()
        return answer

    def ended(self, settlement: Settlement) -> Settled | None:
        """What became of a commit that nobody confirmed."""
        return _ended(self._server, settlement)

    def rollback(self) -> None:
        """Close the connection; what is not committed goes with it."""
        with suppress(psycopg.Error):
            self.connection.close()


class AsyncPostgresOpened:
    """For a loop."""

    def __init__(self, server: Server, connection: AsyncLink) -> None:
        self._server = server
        self.connection = connection

    async def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back."""
        sent = False
        try:
            _check_open(self.connection.info.transaction_status, self._server)
            self.connection.patience = PATIENCE
            lent = AsyncPsycopgLender(psycopg, self.connection, _WHAT)
            answer = await across(lent, lambda fetch: _settled(self._server, settlement, fetch))
            if answer == APPLIED:
                sent = True
                await self.connection.commit()
        except psycopg.Error as error:
            raise _told(error, self._server, sent=sent) from error
        finally:
            await self.rollback()
        return answer

    async def ended(self, settlement: Settlement) -> Settled | None:
        """What became of a commit that nobody confirmed."""
        return await asyncio.to_thread(partial(_ended, self._server, settlement))

    async def rollback(self) -> None:
        """Close the connection; what is not committed goes with it."""
        with suppress(psycopg.Error):
            await self.connection.close()


async def open_async(server: Server) -> AsyncPostgresOpened:
    """Begin one on the running loop."""
    try:
        connection = await AsyncLink.connect(**libpq_options(server))
        connection.patience = inf
        connection.prepare_threshold = _NEVER_PREPARED
        try:
            await connection.execute(_BEGIN)
        except BaseException:
            # Also where the job is cancelled meanwhile.
            await connection.close()
            raise
    except psycopg.Error as error:
        raise unreachable(error, server.where) from error
    return AsyncPostgresOpened(server, connection)


def _check_open(status: TransactionStatus, server: Server) -> None:
    if status == TransactionStatus.INERROR:
        raise ConfigError(
            "expected the block of transaction() to raise what its statements raise, got one that went on after an "
            "error of PostgreSQL: nothing of it can be committed"
        )
    if status == TransactionStatus.UNKNOWN:
        raise StoreUnavailable(f"PostgreSQL at {server.where}: the connection of transaction() was lost in its block")
    if status != TransactionStatus.INTRANS:
        raise _ended_by_user()


def _ended_by_user() -> ConfigError:
    return ConfigError("expected the block of transaction() to leave it open, got one that has ended it")


def _settled(server: Server, settlement: Settlement, fetch: Fetch) -> Settled:
    ((mark, *_),) = fetch(_LIMIT, {})
    if mark != "open":
        raise _ended_by_user()
    answers = Settle([settlement])(Session(Lent(fetch), server.schema, server.aside))
    fetch(_DURABLE, {})
    return answers[0] if answers else Settled("gone")


def _told(error: psycopg.Error, server: Server, *, sent: bool) -> Exception:
    told = translated(error, server.where, inserting=False)
    # What the server itself refuses is known not to be committed.
    return InDoubt(str(told)) if sent and loses_connection(error) else told


def _ended(server: Server, settlement: Settlement) -> Settled | None:
    seat = Seat(server)
    try:
        return seat.run(lambda session: ended(session, settlement))
    finally:
        seat.close()
