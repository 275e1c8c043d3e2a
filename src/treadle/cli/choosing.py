"""Which jobs a command is about: a query, filters, ids, or all of them together."""

from collections.abc import Sequence
from pathlib import Path

import click

from treadle.app.asked import asked
from treadle.app.treadle import Treadle
from treadle.cli.exits import Exit
from treadle.core.printable import one_line
from treadle.core.query import FIELDS, Where
from treadle.core.states import State
from treadle.errors import QueryError
from treadle.stores.job_query import JobQuery

LIST_LIMIT = 50
LOOK = 10.0
"""Seconds for a look at jobs that only shows them."""

QUERY_HELP = (
    f"QUERY, such as 'state:retryable queue:mail age:>5m -tag:vip', joins conditions by AND, OR, NOT and parentheses. "
    f"Fields: {', '.join(FIELDS)}. A word without a field is a part of the name."
)


def asked_of(target: Treadle, queries: Sequence[str]) -> Where:
    """What all these queries mean together; one that cannot be read is wrong usage."""
    try:
        return asked(target, *queries)
    except QueryError as error:
        raise click.UsageError(str(error)) from error


def query_of(
    where: Where,
    *,
    limit: int,
    ids: tuple[str, ...] = (),
    state: str | None,
    queue: str | None,
    name: str | None,
    after: str | None = None,
    within: float | None = None,
) -> JobQuery:
    """The query for what the command line says."""
    wanted = State(state) if state else None
    return JobQuery(ids=ids, state=wanted, queue=queue, name=name, where=where, limit=limit, after=after, within=within)


def missing(ids: Sequence[str]) -> int:
    """Say that there are no such jobs; the exit code for it."""
    modules = [word for word in ids if word.isidentifier() and (Path(f"{word}.py").exists() or Path(word).is_dir())]
    # For `jobs list` a module alone is an app, so somebody may mean one here.
    hint = f"; an app stands before ids with a colon, as in {modules[0]}:app" if modules else ""
    click.echo(f"treadle: no such job: {one_line(', '.join(ids))}{hint}", err=True)
    return Exit.NOT_FOUND
