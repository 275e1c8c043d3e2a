"""What URLs say, which are refused, and that nobody reads a password in them."""

from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import ConfigError
from treadle.stores.url import anchored, check_url, is_private, make_store, mask, sqlite_file
from treadle.supervise.clock import SystemClock


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://?sync=full"])
def test_a_store_in_memory_is_private(url: str) -> None:
    assert is_private(url)
    assert sqlite_file(url) is None


@pytest.mark.parametrize("url", ["sqlite:///jobs.db", "sqlite:////var/lib/jobs.db?sync=full", "redis://localhost"])
def test_a_file_and_a_server_are_not(url: str) -> None:
    assert not is_private(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///jobs.db", "sqlite:////srv/a%20shop/jobs.db"),
        ("sqlite:///data/jobs.db?sync=full", "sqlite:////srv/a%20shop/data/jobs.db?sync=full"),
        ("sqlite+aiosqlite:///jobs.db", "sqlite:////srv/a%20shop/jobs.db"),
        ("sqlite:////var/jobs.db", "sqlite:////var/jobs.db"),
        ("sqlite://", "sqlite://"),
        ("redis://localhost/0", "redis://localhost/0"),
    ],
)
def test_a_relative_file_counts_from_the_folder_that_is_given(url: str, expected: str) -> None:
    assert anchored(url, lambda: Path("/srv/a shop")) == expected


def test_the_file_of_a_url_is_found_under_the_name_that_it_spells() -> None:
    assert sqlite_file("sqlite:////srv/a%20shop%23/jobs.db?sync=full") == Path("/srv/a shop#/jobs.db")
    assert sqlite_file("redis://localhost") is None


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///jobs.db",
        "sqlite+aiosqlite:////srv/jobs.db",
        "sqlite+pysqlite://",
        "redis://host",
        "redis://:p%40ss%2F@host:6379/2?namespace=shop",
        "redis://user:password@[::1]:6379/0",
        "rediss://default:password@host:6380",
        "valkey://host",
        "valkeys://host",
        "unix:///run/redis.sock?db=2",
        "unix://:password@/run/redis.sock",
        "redis+unix:///run/redis.sock",
        "redis+socket:///run/redis.sock",
        "REDIS://host/0",
        "postgresql://shop@db:5432/shop?schema=private&sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres://db/shop",
        "postgresql+asyncpg://shop:pass@db/shop?pgbouncer=true",
        "postgresql+psycopg://shop@[::1]/shop?pgbouncer=false",
        "postgresql://shop@one:5432,two:5433/shop",
        "postgresql:///shop?host=/run/postgresql",
    ],
)
def test_urls_are_taken_as_people_have_them(url: str) -> None:
    assert check_url(url, "url") == url
    make_store(url, SystemClock()).close()


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ("private", True),
        ("_a1-b", True),
        ("x" * 49, True),
        ("x" * 50, False),
        ("1a", False),
        ("a.b", False),
        ("", False),
    ],
)
def test_a_schema_is_a_short_and_simple_name(schema: str, *, kept: bool) -> None:
    url = f"postgresql://shop@db/shop?schema={schema}"
    with nullcontext() if kept else pytest.raises(ConfigError, match="expected schema to be"):
        check_url(url, "url")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("reddis://host", "got 'reddis://host'; did you mean \"redis\"?"),
        ("postgress://host", "got 'postgress://host'; did you mean \"postgres\"?"),
        ("sqllite:///jobs.db", "got 'sqllite:///jobs.db'; did you mean \"sqlite\"?"),
        ("jobs.db", "got 'jobs.db'"),
        ("redis:/host", "got 'redis:/host'"),
        ("", "got ''"),
        (
            "sqlite:///jobs.db?synk=full",
            "parameters of sqlite:///jobs.db?synk=*** to be among sync, got 'synk'; did you mean \"sync\"?",
        ),
        (
            "redis://host?name_space=shop",
            "to be among dialect, namespace, db, got 'name_space'; did you mean \"namespace\"?",
        ),
        ("sqlite://jobs.db", "expected sqlite:///relative.db or sqlite:////absolute.db, got 'sqlite://jobs.db'"),
        ("sqlite:///jobs#1.db", "expected # in sqlite:///jobs#*** to be written as %23"),
    ],
)
def test_what_is_mistyped_is_answered_with_what_would_be_right(url: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_url(url, "url")
    assert str(caught.value).endswith(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0?namespace=shop", "redis://localhost:6379/0?namespace=shop"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("sqlite:////srv/a@b:c/jobs.db?sync=full", "sqlite:////srv/a@b:c/jobs.db?sync=full"),
        ("redis://:canary@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:canary@host", "rediss://user:***@host"),
        ("postgresql://user@host/shop", "postgresql://user@host/shop"),
        ("redis://canary@host", "redis://***@host"),
        ("unix://:canary@/run/redis.sock", "unix://:***@/run/redis.sock"),
        ("redis://:can/ary?#@host/0", "redis://:***@host/0"),
        ("redis://:can@ary@host/0", "redis://:***@host/0"),
        ("redis://:can\u2100ary@host/0", "redis://:***@host/0"),
        ("redis://host:canary", "redis://host:***"),
        ("redis://host/0?password=canary&db=1", "redis://host/0?password=***&db=1"),
        ("redis://host/0?pass%77ord=canary", "redis://host/0?pass%77ord=***"),
        ("redis://host/0#canary", "redis://host/0#***"),
        ("redis:/:canary@host", "redis:***@host"),
        ("user:canary@host", "user:***@host"),
        ("host=db user=shop password=canary", "host=db user=shop password=***"),
        ("host=db password = 'canary bird'", "host=db password = ***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert mask(url) == shown


SCHEMES = ("redis", "rediss", "valkey", "unix", "postgres", "postgresql+asyncpg", "mysql", "sqlite", "reddis")


@given(
    scheme=st.sampled_from(SCHEMES),
    around=st.tuples(st.text("ab:/?#@&=[]%1. ", max_size=6), st.text("ab:/?#@&=[]%1. ", max_size=6)),
    user=st.sampled_from(["", "user"]),
    rest=st.sampled_from(["host", "host:6379/0", "/run/redis.sock", "host/0?namespace=shop", "host:port/0#x", "[::1"]),
)
def test_no_password_shows_whatever_stands_in_it(scheme: str, around: tuple[str, str], user: str, rest: str) -> None:
    url = f"{scheme}://{user}:{around[0]}canary{around[1]}@{rest}"
    assert "canary" not in mask(url)
    with suppress(ConfigError):
        check_url(url, "url")
        return
    with pytest.raises(ConfigError) as caught:
        check_url(url, "url")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
