"""What a store is lent: something that runs SQL in the user's own transaction, and the words for what cannot be."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from treadle.errors import ConfigError

T = TypeVar("T")

Values = Sequence[Any] | Mapping[str, Any]

# What PostgreSQL says of statements in a transaction in which one has failed, and of writes in one that only reads.
_FAILED = "25P02"
_READ_ONLY = "25006"


class Runs(Protocol):
    """Runs statements as a connection of `sqlite3` does."""

    def execute(self, sql: str, values: Any = ..., /) -> Any:  # noqa: ANN401 - a cursor, whose rows are tuples
        """Run a statement; its cursor."""
        ...

    def executemany(self, sql: str, rows: Any, /) -> Any:  # noqa: ANN401 - a cursor
        """Run a statement for each of these rows."""
        ...


class Link(Runs, Protocol):
    """A user's connection as a store uses it; its row factories and settings are left as they are.

    On "sqlite" a statement has the placeholders `?` or `:name`, on "postgresql" `%(name)s`.
    """

    engine: str
    """What it speaks: "sqlite", "postgresql", or the name of what no store is for."""

    key: object
    """What stays on one server for as long as it lives and may be referred to weakly; None where there is no such."""

    def join(self) -> None:
        """Be in the user's transaction. Raises ConfigError where there is none to be in."""
        ...


class Lends(Protocol):
    """Lends a connection of blocking code, on the calling thread."""

    kind: Literal["blocking"]
    what: str

    def lend(self, step: Callable[[Link], T]) -> T:
        """Run this step on it."""
        ...


class LendsAsync(Protocol):
    """Lends a connection of the running loop to a step that seems to block; the loop goes on meanwhile."""

    kind: Literal["loop"]
    what: str

    def lend(self, step: Callable[[Link], T]) -> Awaitable[T]:
        """Run this step on it."""
        ...


class Awaits(Protocol):
    """A connection of a driver whose calls are awaited. `engine`, `key` and the placeholders are those of a Link."""

    kind: Literal["driver"]
    what: str
    engine: str
    key: object

    def join(self) -> None:
        """Be in the user's transaction. Raises ConfigError where there is none to be in."""
        ...

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """Run a statement; the rows that it gives."""
        ...


Borrowed = Lends | LendsAsync | Awaits


def fetched(result: Any) -> list[Any]:  # noqa: ANN401 - a driver's cursor, or SQLAlchemy's result
    """The rows of what was executed; none where it gives none."""
    gives = result.returns_rows if hasattr(result, "returns_rows") else result.description is not None
    return list(result.fetchall()) if gives else []


def named(kind: str) -> str:
    """A kind of thing with its article."""
    return f"{'an' if kind[:1] in 'AEIOUaeiou' else 'a'} {kind}"


def described(given: object) -> str:
    """A value, or what kind of thing it is: what a connection shows of itself may hold a password."""
    if isinstance(given, str | int | float | None):
        return f"{given!r:.80}"
    kind = type(given)
    return named(f"{kind.__module__.partition('.')[0]} {kind.__qualname__}")


def refuse_autocommit(what: str) -> ConfigError:
    """A transaction that is none."""
    return ConfigError(
        f"expected tx= to be in a transaction, got {what} that commits every statement by itself and is in none: "
        f"begin one, or leave tx= out"
    )


def refuse_closed(what: str) -> ConfigError:
    """A connection that is none any more."""
    return ConfigError(f"expected tx= to be open, got {what} that is closed")


def refuse_failed(what: str) -> ConfigError:
    """A transaction that can only be rolled back."""
    return ConfigError(
        f"expected the transaction of tx= to be sound, got {what} in whose transaction a statement has failed: "
        f"roll it back first"
    )


def refuse_engine(expected: str, came: str) -> ConfigError:
    """A connection to another kind of database."""
    return ConfigError(
        f"expected tx= to be a connection to the {expected} database that is the store, got one to {came}"
    )


def has_failed(error: BaseException) -> bool:
    """Whether a driver's error, or what a library made of it, says that the transaction had failed before."""
    return _FAILED in _codes(error)


def refusal(error: BaseException, what: str) -> ConfigError | None:
    """What is wrong with the transaction of what was lent, if this error says that something is."""
    codes = _codes(error)
    if _FAILED in codes:
        return refuse_failed(what)
    if _READ_ONLY in codes:
        return ConfigError(f"expected the transaction of tx= to write, got {what} in one that only reads")
    return None


def _codes(error: BaseException) -> set[object]:
    sources = (error, getattr(error, "orig", None), error.__cause__)
    return {getattr(source, name, None) for source in sources for name in ("sqlstate", "pgcode")}
