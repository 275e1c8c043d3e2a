"""From a URL to a Redis store: what is taken as people have it, and what is refused with the place of the mistake."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import ProgramMissingError, RedisServer, free_port
from tests.stores.redis_desk import new, peer
from treadle.errors import ConfigError, StoreUnavailable
from treadle.stores.contract import Store
from treadle.stores.redis import RedisStore
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:canary@host/0?dialect=resque", "dialect to be sidekiq"),
        ("redis://:canary@host/0?namespac=a", "'namespac'"),
        ("redis://:canary@host/zero", "number of a database"),
        ("redis://:canary@host:99999999/0", "port from 0 to 65535"),
        ("redis://:canary@host:port/0", "port from 0 to 65535"),
        ("redis://:canary@host?db=one", "number of a database"),
        ("redis://:can/ary@host", "host and a port from 0 to 65535"),
        ("redis://u:1/canary@host", "%40"),
        ("redis://:canary@host/0#canary", "# .* to be written as %23"),
        ("redis://:canary@host?ssl_cert_reqs=none", "'ssl_cert_reqs'"),
        ("rediss://:canary@host?ssl_cert_reqs=no", "ssl_cert_reqs to be required or optional or none"),
        ("unix://", "path of a socket"),
        ("unix://run/redis.sock", "path of a socket"),
    ],
)
def test_a_wrong_url_is_refused_at_once_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as raised:
        make_store(url, SystemClock())
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_a_namespace_and_a_dialect_may_be_named(scheme: str, redis_url: str) -> None:
    url = redis_url.replace("redis", scheme, 1)
    store = make_store(f"{url}?namespace=shop&dialect=sidekiq", SystemClock())
    assert isinstance(store, RedisStore)
    store.insert_now([new(1)])
    store.close()
    with peer(redis_url) as client:
        assert client.llen("shop:queue:mail") == 1


@pytest.mark.parametrize("scheme", ["unix", "redis+unix", "redis+socket"])
def test_a_socket_in_the_file_system_is_a_place_too(
    start_redis: Callable[..., RedisServer], tmp_path: Path, scheme: str
) -> None:
    socket = tmp_path / "redis.sock"
    server = start_redis(unixsocket=str(socket), requirepass="canary")
    use_both_ways(f"{scheme}://:canary@{socket}?db=3&namespace=shop")
    with peer(f"redis://:canary@127.0.0.1:{server.port}/3") as client:
        assert client.llen("shop:queue:mail") == 2


@pytest.fixture
def tls_redis(start_redis: Callable[..., RedisServer], tmp_path: Path) -> tuple[int, Path]:
    """The port of a server that speaks TLS, with the certificate that it signed itself."""
    if shutil.which("openssl") is None:
        raise ProgramMissingError("expected openssl on PATH, got none")
    certificate, key = tmp_path / "redis.crt", tmp_path / "redis.key"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject)
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    port = free_port()
    files = {"tls_cert_file": str(certificate), "tls_key_file": str(key), "tls_ca_cert_file": str(certificate)}
    start_redis(tls_port=port, tls_auth_clients="no", **files)
    return port, certificate


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_a_server_that_speaks_tls_is_checked_by_the_certificates_that_are_named(
    tls_redis: tuple[int, Path], scheme: str
) -> None:
    port, certificate = tls_redis
    use_both_ways(f"{scheme}://localhost:{port}/0?ssl_ca_certs={certificate}")


def test_a_certificate_of_another_host_or_of_nobody_is_refused_unless_the_url_takes_any(
    tls_redis: tuple[int, Path],
) -> None:
    port, certificate = tls_redis
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        use_both_ways(f"rediss://localhost:{port}/0")
    with pytest.raises(StoreUnavailable, match="certificate verify failed"):
        use_both_ways(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}&ssl_check_hostname=true")
    use_both_ways(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}&ssl_check_hostname=false")
    use_both_ways(f"rediss://127.0.0.1:{port}/0?ssl_cert_reqs=none")


def use_both_ways(url: str) -> None:
    """Insert a job on a loop and one without."""

    async def story() -> None:
        store = make_store(url, SystemClock())
        try:
            await store.open()
            await store.insert([new(1)])
            await asyncio.to_thread(store.insert_now, [new(2)])
        finally:
            await store.aclose()
            store.close()

    asyncio.run(story())


def test_many_threads_and_loops_use_one_store(redis_url: str) -> None:
    store = make_store(redis_url, SystemClock())

    async def several() -> None:
        await asyncio.gather(*(asyncio.to_thread(_both_ways, store, number) for number in range(8)))

    asyncio.run(several())
    store.close()
    with peer(redis_url) as client:
        assert client.llen("queue:mail") == 8 * 2 * 5


def _both_ways(store: Store, number: int) -> None:
    async def insert() -> None:
        for _ in range(5):
            await store.insert([new(number)])
        await store.aclose()

    asyncio.run(insert())
    for _ in range(5):
        store.insert_now([new(number)])
