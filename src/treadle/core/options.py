"""What may be set for a job, where it is declared and where it is called: declared once, checked in one place."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, TypeVar

import msgspec

from treadle.core.backoff import Backoff
from treadle.core.nearest import did_you_mean
from treadle.core.uniqueness import Unique, check_unique
from treadle.errors import ConfigError

Executor = Literal["loop", "thread", "process"]
Unknown = Literal["release", "fail"]
InLoop = Literal["refuse", "allow"]
EXECUTORS: tuple[Executor, ...] = ("loop", "thread", "process")

UNKNOWN: tuple[Unknown, ...] = ("release", "fail")
IN_LOOP: tuple[InLoop, ...] = ("refuse", "allow")

MAX_ATTEMPTS = 20
LOWEST_PRIORITY = 9
NAME_LIMIT = 127
SECONDS_LIMIT = 1e10
TAG_LIMIT = 127
_NAME = re.compile(r"[\w.\-:/ ]{1,127}")

Choice = TypeVar("Choice", bound=str)
Errors = type[BaseException] | tuple[type[BaseException], ...]


class Written(TypedDict, total=False):
    """What is written with every job, whoever runs it.

    `queue`: "default". `max_attempts`: 20, the first run counted. `priority`: 0 (first) to 9, where the store has one.
    `tags`: words to find the job by. `meta`: values that travel with it. `unique`: the rule by which only one is kept.
    """

    queue: str
    max_attempts: int
    priority: int
    tags: Sequence[str]
    meta: Mapping[str, Any]
    unique: Unique | None


class ExternalSettings(Written, total=False):
    """What may be set for a job that another program runs. `redact`: arguments whose values are never shown."""

    redact: Sequence[str]


class JobDefaults(ExternalSettings, total=False):
    """What an app may set for all of its jobs, and what a job may set for itself.

    `timeout`: seconds for one attempt, None for no limit. `backoff`: takes the attempt that failed, from 1, and gives
    seconds; None: the default of the system that wrote the job. `retry_on`: the only exceptions after which a job is
    tried again. `discard_on`: exceptions after which it is not. `expires`: seconds after which a job that is due and
    has not started is discarded. `rerun`: False for a job that is discarded, not run again, when its worker dies.
    """

    timeout: float | None
    backoff: Backoff | None
    retry_on: Errors
    discard_on: Errors
    expires: float | None
    rerun: bool


class JobSettings(JobDefaults, total=False):
    """What a job's decorator takes besides: its `aliases`, names also answered to, and its `executor`."""

    aliases: Sequence[str]
    executor: Executor


class CallSettings(Written, total=False):
    """What one call may set: as its job's, and when. `delay` is seconds, `at` an aware datetime or epoch seconds.

    `tx` is a connection, cursor or session in whose open transaction the job is inserted, or "auto": Django's default
    connection where it is in an atomic block. `after_commit` is a session or connection of SQLAlchemy, or a connection
    or alias of Django: the job is enqueued when its transaction is committed; on every store.
    """

    delay: float
    at: datetime | float
    tx: object
    after_commit: object


class WorkSettings(TypedDict, total=False):
    """What `app.work` takes: the options of `treadle work`.

    `queues` narrows to these names, or gives each of them slots of its own. `listen` is HOST:PORT.
    """

    queues: Sequence[str] | Mapping[str, int]
    processes: int
    concurrency: int
    grace: float
    lease: float
    restamp_every: float
    drain: bool
    listen: str
    recycle_after: int
    recycle_rss: int
    share: Sequence[str]
    unsafe: bool
    log_format: Literal["console", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    log_args: bool


class JobOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one job runs, checked; see JobDefaults. `retry_on` is None where every exception is worth another try."""

    executor: Executor
    queue: str = "default"
    max_attempts: int = MAX_ATTEMPTS
    timeout: float | None = None
    backoff: Backoff | None = None
    record: bool = False
    retry_on: tuple[type[BaseException], ...] | None = None
    discard_on: tuple[type[BaseException], ...] = ()
    expires: float | None = None
    rerun: bool = True
    priority: int = 0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = {}
    unique: Unique | None = None
    redact: frozenset[str] = frozenset()


class CallOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one call differs from its job's declaration. `delay` is seconds, `at` seconds since the epoch.

    `tx` and `after_commit` are whatever the user gave.
    `unique` is None for a call that is not unique, UNSET for one that is as its job.
    """

    queue: str | None = None
    max_attempts: int | None = None
    priority: int | None = None
    tags: tuple[str, ...] | None = None
    meta: Mapping[str, Any] | None = None
    unique: Unique | msgspec.UnsetType | None = msgspec.UNSET
    delay: float | None = None
    at: float | None = None
    tx: Any = None
    after_commit: Any = None


def check_known(given: Iterable[str], known: Collection[str], of: str) -> None:
    """Refuse an option that is not among those that are `known`, with the nearest name."""
    unknown = next((name for name in given if name not in known), None)
    if unknown is None:
        return
    hint = did_you_mean(unknown, known)
    raise ConfigError(f'expected the options {of} to be among {", ".join(known)}, got "{unknown}"{hint}')


def checked(given: Mapping[str, Any], of: str) -> dict[str, Any]:
    """The values of these options in the form in which JobOptions and CallOptions keep them. Raises ConfigError."""
    return {name: _CHECKS[name](value, f"{name} {of}") for name, value in given.items()}


def check_name(value: object, what: str) -> str:
    """A name that every store and every peer takes: 1 to 127 of letters, digits, `_ . - : /` and blanks."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ConfigError(
        f"expected {what} to be 1 to {NAME_LIMIT} letters, digits, blanks or any of _ . - : /, got {_shown(value)}"
    )


def check_count(value: object, what: str, least: int = 1, most: int = 32_767) -> int:
    """A whole number within bounds. 32,767 is the most that oban-py's smallint columns hold."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ConfigError(f"expected {what} to be an integer from {least} to {most}, got {_shown(value)}")


def check_seconds(value: object, what: str, *, above: float | None = None) -> float:
    """A finite number of seconds, at least 0, or more than `above` where that is given."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        enough = value >= 0 if above is None else value > above
        if enough and value < SECONDS_LIMIT:
            return float(value)
    bound = "at least 0" if above is None else f"more than {above:g}"
    raise ConfigError(f"expected {what} to be a number of seconds, {bound}, got {_shown(value)}")


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
    raise ConfigError(f"expected {what} to be one of {', '.join(EXECUTORS)}, got {_shown(value)}")


def check_choice(value: object, what: str, choices: Iterable[Choice]) -> Choice:
    """One of a few words."""
    for choice in choices:
        if value == choice:
            return choice
    raise ConfigError(f"expected {what} to be {' or '.join(choices)}, got {_shown(value)}")


def check_words(value: object, what: str) -> tuple[str, ...]:
    """A list of texts, each of 1 to 127 characters."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        words = tuple(value)
        if all(isinstance(word, str) and 0 < len(word) <= TAG_LIMIT for word in words):
            return words
    raise ConfigError(f"expected {what} to be a list of words of 1 to {TAG_LIMIT} characters, got {_shown(value)}")


def check_tags(value: object, what: str) -> tuple[str, ...]:
    """Such words as Oban keeps them: trimmed, in small letters, each once, in their order."""
    tags = tuple(dict.fromkeys(word.strip().lower() for word in check_words(value, what)))
    if "" in tags:
        raise ConfigError(f"expected {what} to be words, got one that is blank in {_shown(value)}")
    # A few letters are longer when they are small.
    return check_words(tags, what)


def check_mapping(value: object, what: str) -> Mapping[str, Any]:
    """A mapping whose keys are text."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return dict(value)
    raise ConfigError(f"expected {what} to be a mapping of names to values, got {_shown(value)}")


def check_errors(value: object, what: str) -> tuple[type[BaseException], ...]:
    """One exception class or several."""
    classes = tuple(value) if isinstance(value, list | tuple) else (value,)
    if all(isinstance(error, type) and issubclass(error, BaseException) for error in classes):
        return classes
    raise ConfigError(f"expected {what} to be an exception class or a tuple of them, got {_shown(value)}")


def check_instant(value: object, what: str) -> float:
    """Seconds since the epoch, of an aware datetime or of a number."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ConfigError(f"expected {what} to be an aware datetime, got the naive {value.isoformat()}")
        return value.timestamp()
    return check_seconds(value, what)


def _check_backoff(value: object, what: str) -> Backoff | None:
    if value is None or callable(value):
        return value
    raise ConfigError(f"expected {what} to be a function of the attempt, got {_shown(value)}")


def check_flag(value: object, what: str) -> bool:
    """True or False, and nothing that merely counts as such."""
    if isinstance(value, bool):
        return value
    raise ConfigError(f"expected {what} to be True or False, got {_shown(value)}")


def _check_limit(value: object, what: str) -> float | None:
    return None if value is None else check_seconds(value, what, above=0.0)


def _shown(value: object) -> str:
    try:
        return " ".join(f"{value!r:.80}".splitlines())
    except Exception as error:  # noqa: BLE001 - user code, and integers that are too long to be shown
        return f"a {type(value).__name__} that cannot be shown: {type(error).__name__}"


_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "queue": check_name,
    "max_attempts": check_count,
    "timeout": _check_limit,
    "backoff": _check_backoff,
    "record": check_flag,
    "retry_on": check_errors,
    "discard_on": check_errors,
    "expires": _check_limit,
    "rerun": check_flag,
    "priority": lambda value, what: check_count(value, what, 0, LOWEST_PRIORITY),
    "tags": check_tags,
    "meta": check_mapping,
    "unique": check_unique,
    "redact": lambda value, what: frozenset(check_words(value, what)),
    "delay": check_seconds,
    "at": check_instant,
    "tx": lambda value, _: value,
    "after_commit": lambda value, _: value,
}
