"""Options and arguments that several commands share, and the types of their values."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from treadle.core.options import check_count, check_name, check_seconds
from treadle.core.states import State
from treadle.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])

STATES = [state.value for state in State]


def seconds(text: str | float) -> float:
    """A number of seconds, at least 0."""
    return _seconds(text, "at least 0", None)


def positive_seconds(text: str | float) -> float:
    """A number of seconds, more than 0."""
    return _seconds(text, "more than 0", 0.0)


def count(text: str | int) -> int:
    """A whole number from 1."""
    return _count(text, "a number")


def name(text: str) -> str:
    """A name that every store takes."""
    try:
        return check_name(text, "a name")
    except ConfigError as error:
        raise click.BadParameter(str(error)) from error


def queue_limit(text: str) -> tuple[str, int | None]:
    """A queue and its limit, of NAME=LIMIT; the limit is None of NAME alone."""
    queue, equals, limit = text.partition("=")
    return name(queue), _count(limit, f'the limit of queue "{queue}"') if equals else None


def _seconds(text: str | float, bound: str, above: float | None) -> float:
    try:
        return check_seconds(float(text), "it", above=above)
    except (ConfigError, ValueError) as error:
        raise click.BadParameter(f"expected a number of seconds, {bound}, got {text!r}") from error


def _count(text: str | int, what: str) -> int:
    try:
        return check_count(int(text), what)
    except (ConfigError, ValueError) as error:
        raise click.BadParameter(f"expected {what} to be an integer from 1 to 32767, got {text!r}") from error


def as_json(command: Function) -> Function:
    """The option --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def store_url(command: Function) -> Function:
    """The option --url."""
    return click.option(
        "--url", metavar="URL", help="The store, in place of APP.  [default: TREADLE_URL, else treadle.db]"
    )(command)


def filters(command: Function) -> Function:
    """The options that choose jobs."""
    options = (
        click.option(
            "--state",
            type=click.Choice(STATES),
            metavar="STATE",
            help=f"Only jobs that are {', '.join(STATES[:-1])} or {STATES[-1]}.",
        ),
        click.option("--queue", metavar="NAME", help="Only jobs of this queue."),
        click.option("--name", metavar="NAME", help="Only jobs of this name."),
    )
    for option in reversed(options):
        command = option(command)
    return command
