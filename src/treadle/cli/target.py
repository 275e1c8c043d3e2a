"""Which store a command is for: that of an app, or the one that a URL names."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import click

from treadle.app.load import is_reference, load_app
from treadle.app.treadle import Treadle
from treadle.core.query_parser import asks
from treadle.errors import ConfigError, TreadleError
from treadle.stores.contract import Store
from treadle.stores.url import is_postgres, mask, postgres_place, sqlite_file

T = TypeVar("T")


def split(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The app that the first of these words names, if it does, and the ids and queries that the others are.

    A word that names a field of jobs, as `queue:mail` does, is a query.
    """
    if words and is_reference(words[0]) and not asks(words[0]):
        return words[0], tuple(words[1:])
    return None, tuple(words)


def open_app(reference: str | None, url: str | None) -> Treadle:
    """The app at `reference`; without it one that has no jobs, on the store at `url` or that of the settings.

    What the app's module raises is printed as a traceback and ends the command with exit code 1.
    """
    if reference is None:
        return Treadle(url)
    if url is not None:
        raise click.UsageError(f"expected either APP or --url, got both: {reference} and {url}")
    with user_code():
        return load_app(reference)


@contextmanager
def user_code() -> Iterator[None]:
    """What an app's modules raise meanwhile is printed as a traceback and ends the command with exit code 1."""
    try:
        yield
    except TreadleError:
        raise
    except Exception as error:  # whatever an import raises
        traceback.print_exc()
        raise click.exceptions.Exit(1) from error


def on_store(app: Treadle, step: Callable[[Store], Awaitable[T]], *, create: bool = False) -> T:
    """Run a step on the app's store, opened before it and closed after it.

    Raises ConfigError for an SQLite file or tables of PostgreSQL that are not there, unless they may be made: who looks
    at a store by a mistyped name must not find it empty.
    """
    if not create:
        _refuse_missing(app.url)

    async def run() -> T:
        try:
            return await step(await app.astore())
        finally:
            await app.aclose()

    try:
        return asyncio.run(run())
    finally:
        app.close()


def _refuse_missing(url: str) -> None:
    file = sqlite_file(url)
    if file is not None and file.parent.is_dir() and not file.exists():
        raise ConfigError(f"expected the store {file} to exist, got no such file: the first enqueue or worker makes it")
    if is_postgres(url):
        bare, schema = postgres_place(url)
        from treadle.stores import migrations  # noqa: PLC0415 - a driver, which other stores do without

        migrations.check_there(bare, schema, mask(url))
