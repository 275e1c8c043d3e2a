"""What may be set for a job, where it is declared and where it is called; checked in one place."""

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from treadle.core.backoff import Backoff
from treadle.errors import ConfigError

Executor = Literal["loop", "thread", "process"]
EXECUTORS: tuple[Executor, ...] = ("loop", "thread", "process")

NAME_LIMIT = 127
SECONDS_LIMIT = 1e10
_NAME = re.compile(r"[\w.\-:/ ]{1,127}")


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one job runs, as declared by its decorator.

    `timeout` is seconds from the start of the body, None for no limit. `backoff` takes the attempt that failed,
    from 1, and gives seconds; None means the default of the system that wrote the job.
    """

    queue: str
    max_attempts: int
    timeout: float | None
    executor: Executor
    backoff: Backoff | None
    record: bool


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one call differs from its job's declaration. `delay` is seconds, `at` seconds since the epoch."""

    queue: str | None = None
    max_attempts: int | None = None
    delay: float | None = None
    at: float | None = None


def check_name(value: object, what: str) -> str:
    """A name that every store and every peer takes: 1 to 127 of letters, digits, `_ . - : /` and blanks."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ConfigError(
        f"expected {what} to be 1 to {NAME_LIMIT} letters, digits, blanks or any of _ . - : /, got {value!r:.80}"
    )


def check_count(value: object, what: str, least: int = 1, most: int = 32_767) -> int:
    """A whole number within bounds. 32,767 is the most that oban-py's smallint columns hold."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ConfigError(f"expected {what} to be an integer from {least} to {most}, got {value!r:.80}")


def check_seconds(value: object, what: str, *, above: float | None = None) -> float:
    """A finite number of seconds, at least 0, or more than `above` where that is given."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        enough = value >= 0 if above is None else value > above
        if enough and value < SECONDS_LIMIT:
            return float(value)
    bound = "at least 0" if above is None else f"more than {above:g}"
    raise ConfigError(f"expected {what} to be a number of seconds, {bound}, got {value!r:.80}")


def check_executor(value: object, what: str, function: Callable[..., Any], *, is_async: bool) -> Executor:
    """The executor of a job: given, or "loop" for async functions and "thread" for others."""
    if value is None:
        return "loop" if is_async else "thread"
    for executor in EXECUTORS:
        if value == executor:
            if executor == "loop" and not is_async:
                raise ConfigError(
                    f'expected {what} to be "thread" or "process" for the sync function {function.__qualname__}, '
                    f'got "loop": it would block every other job; or write it with async def'
                )
            if executor == "thread" and is_async:
                raise ConfigError(
                    f'expected {what} to be "loop" or "process" for the async function {function.__qualname__}, '
                    f'got "thread": calling it there would run nothing; or write it with def'
                )
            return executor
    raise ConfigError(f"expected {what} to be one of {', '.join(EXECUTORS)}, got {value!r:.80}")
