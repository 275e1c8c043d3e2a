"""Which store a command is for: that of an app, or the one that a URL names."""

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import click

from treadle.app.load import load_app
from treadle.app.treadle import Treadle
from treadle.errors import TreadleError
from treadle.stores.contract import Store

T = TypeVar("T")

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_reference(word: str) -> bool:
    """Whether a word is written as module:attribute. A Ruby name (`A::B`) is not."""
    return _REFERENCE.fullmatch(word) is not None


def split(words: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The app that the first of these words names, if it does, and the ids that the others are."""
    if words and is_reference(words[0]):
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
    try:
        return load_app(reference)
    except TreadleError:
        raise
    except Exception as error:  # user code
        traceback.print_exc()
        raise click.exceptions.Exit(1) from error


def on_store(app: Treadle, step: Callable[[Store], Awaitable[T]]) -> T:
    """Run a step on the app's store, opened before it and closed after it."""

    async def run() -> T:
        try:
            return await step(await app.astore())
        finally:
            await app.aclose()

    try:
        return asyncio.run(run())
    finally:
        app.close()
