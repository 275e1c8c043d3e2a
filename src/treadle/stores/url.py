"""From a URL to a store. Drivers are imported when the first store of their kind is made."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from treadle.core.clock import Clock
from treadle.core.nearest import did_you_mean
from treadle.errors import ConfigError
from treadle.stores.contract import Store
from treadle.stores.oban import check_schema

_REDIS_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
    "redis+unix": "unix",
    "redis+socket": "unix",
}
_POSTGRES_SCHEMES = ("postgresql", "postgres")
_SCHEMES = ("sqlite", *_REDIS_SCHEMES, *_POSTGRES_SCHEMES)

_SQLITE_OPTIONS = ("sync",)
_REDIS_OPTIONS = ("dialect", "namespace", "db")
# redis-py's names, which it is handed as they are.
_TLS_OPTIONS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
_POSTGRES_OPTIONS = ("schema", "pgbouncer")
# libpq's names, which it is handed as they are.
_LIBPQ_OPTIONS = (
    *("host", "port", "user", "password", "dbname", "hostaddr", "passfile", "service", "options", "application_name"),
    *("connect_timeout", "target_session_attrs", "load_balance_hosts", "require_auth", "channel_binding"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir", "sslnegotiation", "sslsni"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "krbsrvname"),
    *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"),
)
_LIBPQ_SECRETS = frozenset({"password", "sslpassword", "options"})
_CHOICES = {
    "pgbouncer": ("true", "false"),
    "target_session_attrs": ("any", "read-write", "primary", "prefer-standby", "read-only", "standby"),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sync": ("normal", "full"),
    "dialect": ("sidekiq",),
    "ssl_cert_reqs": ("required", "optional", "none"),
    "ssl_check_hostname": ("true", "false"),
}

_NO_SECRETS = frozenset({*_SQLITE_OPTIONS, *_REDIS_OPTIONS, *_TLS_OPTIONS, *_POSTGRES_OPTIONS})
_NO_SECRETS |= frozenset(_LIBPQ_OPTIONS) - _LIBPQ_SECRETS
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;#]*)=([^&;#]*)")
_ASSIGNMENT = re.compile(r"(?i)(\w*(?:pass|pwd|secret|token)\w*\s*=\s*)('[^']*'|\S+)")
_NO_PORT = re.compile(r":(?!\d{0,5}$)[^:\[\]]*$")


class _SqliteFile(NamedTuple):
    path: str
    sync: str


class _RedisServer(NamedTuple):
    url: str
    namespace: str


class _PostgresServer(NamedTuple):
    url: str
    schema: str
    pooled: bool | None


def make_store(url: str, clock: Clock) -> Store:
    """The store that a URL names, not yet opened.

    `sqlite:///file.db?sync=normal|full`, `sqlite://` in memory, `redis://host:port/db?dialect=sidekiq&namespace=ns`,
    `postgresql://user@host:port/database?schema=public&pgbouncer=true|false`.
    Raises ConfigError for a URL that names no store, and for a missing extra.
    """
    match _parse(url):
        case _SqliteFile(path, sync):
            from treadle.stores.sqlite import SqliteStore  # noqa: PLC0415 - a driver is loaded with its first store

            return SqliteStore(path, clock=clock, sync=sync)
        case _RedisServer(bare, namespace):
            try:
                from treadle.stores.redis import RedisStore  # noqa: PLC0415 - as above
            except ModuleNotFoundError as error:
                raise ConfigError(f"the store {mask(url)} needs an extra: pip install 'treadle[redis]'") from error
            return RedisStore(bare, namespace=namespace, where=mask(url), clock=clock)
        case _PostgresServer(bare, schema, pooled):
            try:
                from treadle.stores.postgres import PostgresStore  # noqa: PLC0415 - as above
            except ImportError as error:
                # psycopg without its binary or libpq is an ImportError as well.
                raise ConfigError(f"the store {mask(url)} needs an extra: pip install 'treadle[postgres]'") from error
            return PostgresStore(bare, schema=schema, where=mask(url), pooled=pooled, clock=clock)


def check_url(url: object, what: str) -> str:
    """A URL that names a store, as far as can be told without one. Raises ConfigError."""
    if not isinstance(url, str):
        raise ConfigError(f"expected {what} to be the text of a URL such as sqlite:///treadle.db, got {url!r:.80}")
    _parse(url)
    return url


def names_store(word: str) -> bool:
    """Whether a word is meant as a store's URL, by how it begins."""
    scheme, separator, _ = word.partition("://")
    return bool(separator) and _base(scheme) in _SCHEMES


def mask(url: str) -> str:
    """The URL without its password, for people and logs; in doubt more is hidden than need be.

    It must do for text that is no URL too: what stands in an error is often a mistake.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", _ASSIGNMENT.sub(r"\1***", url)
    if not rest.startswith("/"):
        user, at, rest = rest.rpartition("@")
        rest = f"{_masked_user(user, scheme)}{at}{_masked_port(rest)}"
    rest, fragment, _ = rest.partition("#")
    rest = _PARAMETER.sub(lambda found: found[0] if found[1] in _NO_SECRETS else f"{found[1]}=***", rest)
    return f"{scheme}{separator}{rest}{'#***' if fragment else ''}"


def is_private(url: str) -> bool:
    """Whether the store lives in the memory of one process, so that no other can share it."""
    parts = urlsplit(url)
    return _base(parts.scheme) == "sqlite" and unquote(parts.path.removeprefix("/")) in {"", ":memory:"}


def anchored(url: str, folder: Callable[[], Path]) -> str:
    """The URL with a path to an SQLite file that begins at the root; a relative one counts from `folder`."""
    parts = urlsplit(url)
    if _base(parts.scheme) != "sqlite" or is_private(url) or parts.path.startswith("//"):
        return url
    # A folder's name may hold what means something else in a URL.
    path = f"{quote(str(folder()))}{parts.path}"
    return f"sqlite:///{path}{'?' if parts.query else ''}{parts.query}"


def is_postgres(url: str) -> bool:
    """Whether it names a store of PostgreSQL."""
    return isinstance(_parse(url), _PostgresServer)


def postgres_place(url: str) -> tuple[str, str]:
    """The URL for libpq and the schema. Raises ConfigError where the store is another, or its extra is missing."""
    place = _parse(url)
    if not isinstance(place, _PostgresServer):
        raise ConfigError(
            f"expected a store of PostgreSQL, got {mask(url)}: other stores make their tables when opened"
        )
    try:
        import psycopg  # noqa: F401, PLC0415 - as above
    except ImportError as error:
        raise ConfigError(f"the store {mask(url)} needs an extra: pip install 'treadle[postgres]'") from error
    return place.url, place.schema


def sqlite_file(url: str) -> Path | None:
    """The file that an SQLite URL names; None for memory and for other stores."""
    place = _parse(url)
    return None if not isinstance(place, _SqliteFile) or is_private(url) else Path(place.path)


def _parse(url: str) -> _SqliteFile | _RedisServer | _PostgresServer:
    try:
        parts = urlsplit(url)
        # PostgreSQL takes several hosts, one of which is the primary.
        if "," not in parts.netloc:
            parts.port  # noqa: B018 - a property that raises
    except ValueError:
        # Its text holds parts of the URL, and so maybe of the password.
        raise ConfigError(
            f"expected a host and a port from 0 to 65535 in {mask(url)}; "
            f"in a password, @ : / ? # [ ] are written as %40 %3A %2F %3F %23 %5B %5D"
        ) from None
    _, _, place = url.partition("://")
    if not place.startswith("/") and "@" in place.removeprefix(parts.netloc):
        raise ConfigError(f"expected / ? # and @ in the password of {mask(url)} to be written as %2F %3F %23 and %40")
    base = _base(parts.scheme) if "://" in url else ""
    if base == "sqlite":
        return _sqlite(url, parts)
    if base and parts.scheme in _REDIS_SCHEMES:
        return _redis(url, parts, _REDIS_SCHEMES[parts.scheme])
    if base in _POSTGRES_SCHEMES:
        return _postgres(url, parts)
    raise ConfigError(
        f"expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got {mask(url)!r}"
        f"{did_you_mean(base, _SCHEMES)}"
    )


def _base(scheme: str) -> str:
    """A scheme without the driver that SQLAlchemy's URLs name: `sqlite` of `sqlite+aiosqlite`."""
    base, _, _ = scheme.partition("+")
    return base


def _sqlite(url: str, parts: SplitResult) -> _SqliteFile:
    _refuse_fragment(url)
    options = _options(url, parts, _SQLITE_OPTIONS)
    if parts.netloc:
        raise ConfigError(f"expected sqlite:///relative.db or sqlite:////absolute.db, got {mask(url)!r}")
    return _SqliteFile(unquote(parts.path.removeprefix("/")) or ":memory:", options.get("sync", "normal"))


def _redis(url: str, parts: SplitResult, scheme: str) -> _RedisServer:
    _refuse_fragment(url)
    known = (*_REDIS_OPTIONS, *_TLS_OPTIONS) if scheme == "rediss" else _REDIS_OPTIONS
    options = _options(url, parts, known)
    _check_place(url, parts, scheme)
    _check_database(url, options.get("db", ""))
    handed_on = {name: value for name, value in options.items() if name == "db" or name in _TLS_OPTIONS}
    if handed_on.get("ssl_cert_reqs") == "none":
        handed_on["ssl_check_hostname"] = "false"
    # Not urlunsplit: it makes unix:/path of unix:///path, which redis-py refuses.
    query = f"?{urlencode(handed_on)}" if handed_on else ""
    return _RedisServer(f"{scheme}://{parts.netloc}{parts.path}{query}", options.get("namespace", ""))


def _postgres(url: str, parts: SplitResult) -> _PostgresServer:
    _refuse_fragment(url)
    options = _options(url, parts, _POSTGRES_OPTIONS, _LIBPQ_OPTIONS)
    schema = check_schema(options.get("schema", "public"))
    handed_on = {name: value for name, value in options.items() if name not in _POSTGRES_OPTIONS}
    query = f"?{urlencode(handed_on, quote_via=quote)}" if handed_on else ""
    pooled = {"true": True, "false": False}.get(options.get("pgbouncer", ""))
    return _PostgresServer(f"postgresql://{parts.netloc}{parts.path}{query}", schema, pooled)


def _check_place(url: str, parts: SplitResult, scheme: str) -> None:
    """Refuse what redis-py would take for database 0, or find out at the first call."""
    place = parts.path.strip("/")
    if scheme != "unix":
        _check_database(url, place)
    elif not place or parts.hostname:
        raise ConfigError(f"expected the path of a socket in {mask(url)}, such as unix:///run/redis.sock")


def _check_database(url: str, text: str) -> None:
    if text and not (text.isascii() and text.isdigit()):
        raise ConfigError(f"expected the number of a database in {mask(url)}, got {text!r}")


def _options(url: str, parts: SplitResult, known: Collection[str], handed_on: Collection[str] = ()) -> dict[str, str]:
    """The parameters by name: ours, and those that a driver knows."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in options.items():
        if name not in known and name not in handed_on:
            raise ConfigError(
                f"expected the parameters of {mask(url)} to be among {', '.join(known)}"
                f"{' and those of libpq' if handed_on else ''}, got {name!r}{did_you_mean(name, (*known, *handed_on))}"
            )
        choices = _CHOICES.get(name, (value,))
        if value not in choices:
            raise ConfigError(f"expected {name} to be {' or '.join(choices)} in {mask(url)}, got {value!r}")
    return options


def _refuse_fragment(url: str) -> None:
    if "#" in url:
        raise ConfigError(f"expected # in {mask(url)} to be written as %23")


def _masked_user(user: str, scheme: str) -> str:
    name, colon, _ = user.partition(":")
    if colon:
        return f"{name}:***"
    # Without its colon, the password of a Redis URL stands where a user would.
    return "***" if user and scheme in _REDIS_SCHEMES else user


def _masked_port(rest: str) -> str:
    place, mark, more = re.split(r"([/?#]|$)", rest, maxsplit=1)
    return f"{_NO_PORT.sub(':***', place)}{mark}{more}"
