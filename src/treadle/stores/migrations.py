"""The tables of the PostgreSQL store: making what lacks in a schema, and taking our own away again.

Plain functions on a connection in autocommit. Tables that lack are made; somebody else's `oban_jobs` is left as it is.
`up_script` is, word for word, what `install` sends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import sql

from treadle.errors import ConfigError, StoreError
from treadle.stores.oban import check_schema
from treadle.stores.postgres_errors import translated, unreachable
from treadle.stores.shapes import Connection, Look, look
from treadle.stores.statements import statement


@cache
def latest() -> int:
    """The newest version of treadle's own tables that this treadle knows."""
    steps = files("treadle.stores").joinpath("sql", "migrations").iterdir()
    return max(int(step.name.partition("_")[0]) for step in steps if step.name.endswith("_up.sql"))


@contextmanager
def connected(url: str, where: str, timeout: int = 5) -> Iterator[Connection]:
    """A connection for these functions to the server that a URL of libpq's names; `where` is the masked URL.

    Raises StoreError, also for what the server refuses within.
    """
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=timeout, application_name="treadle migrate")
    except psycopg.Error as error:
        raise unreachable(error, where) from error
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise translated(error, where) from error


def check_there(url: str, schema: str, where: str) -> None:
    """Raise ConfigError where a schema has no table of jobs yet, and StoreError where that cannot be seen."""
    with connected(url, where, timeout=2) as connection:
        if not look(connection, schema).jobs_exist:
            raise ConfigError(
                f"expected the store {where} to exist, got no table oban_jobs in the schema {schema}: the first "
                f"enqueue or worker makes it, or treadle migrate up"
            )


def install(connection: Connection, schema: str) -> Look:
    """Make the schema and the tables that lack, whoever else does so meanwhile; what stands there then.

    Where nothing lacks no right is needed; tables of a newer treadle will do. Raises StoreError where the role may not.
    """
    found = look(connection, schema)
    if found.jobs_exist and found.version >= latest():
        return found
    try:
        _run(connection, _up(schema))
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(
            f"expected the tables of treadle in the schema {schema}, or a role that may make them, got "
            f"{str(error).splitlines()[0]}: treadle migrate --sql prints what somebody who may has to run"
        ) from error
    return look(connection, schema)


def remove(connection: Connection, schema: str, to: int = 0) -> Look:
    """Take treadle's own tables back to a version; Oban's tables and the jobs stay. Raises StoreError while in use."""
    found = look(connection, schema)
    if found.version > latest():
        raise StoreError(
            f"expected treadle's tables to be of version {latest()} or before, got {found.version}: "
            f"take them back with the treadle that made them"
        )
    if found.version > to:
        try:
            _run(connection, _down(schema, to))
        except psycopg.errors.ObjectInUse as error:
            raise StoreError(str(error).splitlines()[0]) from error
    return look(connection, schema)


def up_script(schema: str) -> str:
    """What makes everything that lacks in a schema, in one transaction; it may run on any database, and again."""
    return _as_script(_up(schema))


def down_script(schema: str, to: int = 0) -> str:
    """What takes treadle's own tables back to a version, in one transaction; it may run again."""
    return _as_script(_down(schema, to))


def _up(schema: str) -> Sequence[str]:
    steps = [_step(f"{number}_up", f"< {number}") for number in range(1, latest() + 1)]
    return [*_begin(schema), statement("migrations/jobs"), *steps]


def _down(schema: str, to: int) -> Sequence[str]:
    steps = [_step(f"{number}_down", f"= {number}") for number in range(latest(), to, -1)]
    return [*_begin(schema), statement("migrations/idle"), *steps]


def _begin(schema: str) -> Sequence[str]:
    """The schema is there and searched first, and nobody else installs."""
    # pg_temp last: named nowhere, it would be searched first, and a temporary table could stand in for ours.
    path = sql.SQL("SET LOCAL search_path TO {}, pg_temp").format(sql.Identifier(check_schema(schema)))
    named = [statement(f"migrations/{name}").replace(":'schema'", f"'{schema}'") for name in ("lock", "schema")]
    return [*named, path.as_string()]


def _step(name: str, when: str) -> str:
    """A step of treadle's own tables, taken where their version is the one that it starts from."""
    version = statement("migrations/version")
    return (
        f"DO $treadle$\nBEGIN\nIF ({version}) {when} THEN\n{statement(f'migrations/{name}')};\nEND IF;\nEND\n$treadle$"
    )


def _run(connection: Connection, steps: Sequence[str]) -> None:
    with connection.transaction():
        for step in steps:
            connection.execute(step.encode())


def _as_script(steps: Sequence[str]) -> str:
    return ";\n\n".join(["START TRANSACTION", *steps, "COMMIT"]) + ";\n"
