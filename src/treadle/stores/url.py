"""From a URL to a store. Drivers are imported when the first store of their kind is made."""

from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from treadle.core.clock import Clock
from treadle.errors import ConfigError
from treadle.stores.contract import Store

_SQLITE_OPTIONS = ("sync",)
_REDIS_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}


def make_store(url: str, clock: Clock) -> Store:
    """The store that a URL names, not yet opened.

    `sqlite:///file.db?sync=normal|full`, `sqlite://` in memory, `redis://host:port/db?dialect=sidekiq&namespace=ns`.
    Raises ConfigError for a URL that names no store, and for a missing extra.
    """
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        return _sqlite(url, clock)
    if scheme in _REDIS_SCHEMES:
        return _redis(url, _REDIS_SCHEMES[scheme], clock)
    raise ConfigError(
        f"expected a store URL such as sqlite:///treadle.db or redis://localhost:6379/0, got {mask(url)!r}"
    )


def mask(url: str) -> str:
    """The URL without its password, for people and logs."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:***@{host}"))


def is_private(url: str) -> bool:
    """Whether the store lives in the memory of one process, so that no other can share it."""
    parts = urlsplit(url)
    return parts.scheme == "sqlite" and unquote(parts.path.removeprefix("/")) in {"", ":memory:"}


def _sqlite(url: str, clock: Clock) -> Store:
    from treadle.stores.sqlite import SqliteStore  # noqa: PLC0415 - a driver is loaded with its first store

    parts = urlsplit(url)
    options = _options(url, _SQLITE_OPTIONS)
    sync = options.get("sync", "normal")
    if sync not in {"normal", "full"}:
        raise ConfigError(f"expected sync to be normal or full in {url}, got {sync!r}")
    if parts.netloc:
        raise ConfigError(f"expected sqlite:///relative.db or sqlite:////absolute.db, got {url!r}")
    path = unquote(parts.path.removeprefix("/"))
    return SqliteStore(path or ":memory:", clock=clock, sync=sync)


def _redis(url: str, scheme: str, clock: Clock) -> Store:
    try:
        from treadle.stores.redis import RedisStore  # noqa: PLC0415 - a driver is loaded with its first store
    except ModuleNotFoundError as error:
        raise ConfigError(f"the store {mask(url)} needs an extra: pip install 'treadle[redis]'") from error

    options = _options(url, ("dialect", "namespace"))
    dialect = options.get("dialect", "sidekiq")
    if dialect != "sidekiq":
        raise ConfigError(f"expected dialect to be sidekiq in {mask(url)}, got {dialect!r}")
    _check_place(url, scheme)
    parts = urlsplit(url)
    # Not urlunsplit: it makes unix:/path of unix:///path, which redis-py refuses.
    bare = f"{scheme}://{parts.netloc}{parts.path}"
    return RedisStore(bare, namespace=options.get("namespace", ""), where=mask(url), clock=clock)


def _check_place(url: str, scheme: str) -> None:
    """Refuse what redis-py would take for database 0, or find out at the first call."""
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018 - a property that raises
    except ValueError as error:
        raise ConfigError(f"expected a port from 0 to 65535 in {mask(url)}: {error}") from error
    database = parts.path.strip("/")
    if scheme != "unix" and database and not (database.isascii() and database.isdigit()):
        raise ConfigError(f"expected the number of a database at the end of {mask(url)}, got {database!r}")
    if scheme == "unix" and not database:
        raise ConfigError(f"expected the path of a socket in {mask(url)}, such as unix:///run/redis.sock")


def _options(url: str, known: tuple[str, ...]) -> dict[str, str]:
    given = parse_qs(urlsplit(url).query, keep_blank_values=True)
    for name in given:
        if name not in known:
            raise ConfigError(f"expected the parameters of {mask(url)} to be among {', '.join(known)}, got {name!r}")
    return {name: values[-1] for name, values in given.items()}
