"""Real servers on loopback, made for one test run and killed as faults kill; programs; the one way to wait."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

from tests.resp import call, request

T = TypeVar("T")

POLL = 0.01  # seconds between two looks of `wait_until`
SERVER_DEADLINE = 15.0  # seconds that a server may take to answer, and to end
PORT_ATTEMPTS = 5  # a free port can be taken by others before the server binds it
DATABASES = 512  # of a Redis server: one a test, then over again
FAKETIME_PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")


class ProgramMissingError(Exception):
    """The machine has no such program; the text says how to get it."""


# Waiting


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Return the first true value of `predicate`; an AssertionError says that `what` did not happen in time."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(_overdue(predicate, timeout, what))
        time.sleep(POLL)
    return value


async def until(predicate: Callable[[], T | Awaitable[T]], timeout: float = 10.0, what: str = "") -> T:
    """Wait as `wait_until` does, and let the loop run meanwhile; the predicate may be async."""
    deadline = time.monotonic() + timeout
    while True:
        found = predicate()
        value: T = await found if isinstance(found, Awaitable) else found
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_overdue(predicate, timeout, what))
        await asyncio.sleep(POLL)


def _overdue(predicate: Callable[[], object], timeout: float, what: str) -> str:
    return f"expected within {timeout:g} s: {what or getattr(predicate, '__qualname__', repr(predicate))}"


# Programs


@contextmanager
def program(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A program in a session of its own, what it prints in `log`; its end is that of everything it has started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answer_of(method: str, address: str) -> Any:  # noqa: ANN401 - whatever JSON it is
    """What a web service answers; None where nobody listens yet, or nobody any more."""
    asked = urllib.request.Request(address, method=method)  # noqa: S310 - a service that a test has started
    try:
        with urllib.request.urlopen(asked, timeout=SERVER_DEADLINE) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError:
        raise
    except (urllib.error.URLError, ConnectionError):
        return None


# Servers


class Server(ABC):
    """One process on loopback with a free port and a temporary folder.

    As a context manager it is started on entry, and ended and removed on exit. `account` says, for `subprocess`, whose
    process it becomes.
    """

    stopped_by: ClassVar = signal.SIGTERM
    killed_by: ClassVar = signal.SIGKILL

    def __init__(self, folder: Path, account: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.folder = folder
        self._account = account
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    @property
    def pid(self) -> int:
        """The server's first process, for SIGSTOP and SIGCONT."""
        if self._process is None:
            raise ConnectionError("expected a running server, got one that was stopped or never started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start and wait until it answers; a running server is left as it is."""
        for _ in range(PORT_ATTEMPTS):
            if self.alive or self._comes_up():
                return self
            self._process = None
            self.port = free_port()
        log = self._log.read_text(errors="replace")
        raise ChildProcessError(f"expected {type(self).__name__} to start, it wrote:\n{log}")

    def stop(self) -> None:
        """End it as an operator does; a second call does nothing."""
        self._end(self.stopped_by)

    def kill(self) -> None:
        """End it as a fault does: what was not on disk is lost."""
        self._end(self.killed_by)

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """What starts it on `self.port`."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it is up."""

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _comes_up(self) -> bool:
        with self._log.open("ab") as log:
            # In a session of its own no Ctrl-C and no kill of a process group meets it by accident.
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._account,
            )
        wait_until(lambda: self._answers() or not self.alive, SERVER_DEADLINE, "the server answers, or ends")
        return self.alive

    def _end(self, number: signal.Signals) -> None:
        """End it by this signal, though it were frozen; one that does not end in time is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(SERVER_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Find a port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer(Server):
    """A Redis (or Valkey) of its own, which by default keeps nothing on disk.

    Options are the server's, with underscores: `RedisServer(appendonly="yes", maxmemory="4mb")`.
    """

    def __init__(self, **options: str | int) -> None:
        self.binary = redis_binary()
        defaults: dict[str, str | int] = {"save": "", "appendonly": "no", "databases": DATABASES}
        self.options = defaults | options
        super().__init__(Path(tempfile.mkdtemp(prefix="treadle-redis-")))
        self._handed_out = 0

    @property
    def url(self) -> str:
        """Database 0; `fresh_database` and `url_of` give one that no other test knows."""
        return self.url_of(0)

    def url_of(self, database: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def call(self, *parts: str | bytes | float, database: int = 0) -> bytes:
        """Send one command on a connection of its own and return the raw reply (RESP 2)."""
        return call(self.address, request("SELECT", database), request(*parts))[-1]

    def fresh_database(self) -> int:
        """Give the number of an empty database, another one for each call until all had their turn."""
        number = self._handed_out % int(self.options["databases"])
        self._handed_out += 1
        self.call("FLUSHDB", database=number)
        return number

    def restart(self, *, empty: bool = False) -> None:
        """Come back on the same port with the same data, with `empty` without any.

        A running server saves first.  A killed one comes back with what its options had put on disk.
        """
        if self.alive and not empty:
            self.call("SAVE")
        self.stop()
        if empty:
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        self.start()

    def _command(self) -> Sequence[str]:
        settings = {"bind": "127.0.0.1", "port": self.port, "dir": str(self.folder), **self.options}
        options = ((f"--{name.replace('_', '-')}", str(value)) for name, value in settings.items())
        return [self.binary, *(word for option in options for word in option)]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            # A server that wants a password is up; one that says LOADING is not yet.
            return call(self.address, request("PING"))[0].startswith((b"+PONG", b"-NOAUTH"))
        return False


def redis_binary() -> str:
    """Find the machine's server on PATH."""
    for name in ("redis-server", "valkey-server"):
        if path := shutil.which(name):
            return path
    raise ProgramMissingError("expected redis-server or valkey-server on PATH, got neither: run `make setup`")


# A wrong clock


def faketime_env(offset: str) -> dict[str, str]:
    """Return this process's environment with a wall clock that is off by `offset` (`"-2h"`, `"+1h"`), for a subprocess.

    Only the wall clock is off: the monotonic clock and the times of files are true, as on a machine with a wrong date.
    In such a process wait on an event, not with `time.sleep`, which libfaketime 0.9.10 breaks.
    """
    return os.environ | {
        "LD_PRELOAD": faketime_library(),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def stepping_env(file: Path) -> dict[str, str]:
    """The same, with a wall clock that is off by what the file says at that moment (`"+0"`, `"-5"`)."""
    given = {name: value for name, value in faketime_env("+0").items() if name != "FAKETIME"}
    return given | {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}


def faketime_library() -> str:
    """Find libfaketime's variant for programs with threads."""
    for place in FAKETIME_PLACES:
        for path in sorted(Path("/").glob(f"{place.lstrip('/')}/libfaketimeMT.so*")):
            return str(path)
    raise ProgramMissingError(
        f"expected libfaketimeMT.so.1 in {', '.join(FAKETIME_PLACES)}, got none: run `make setup`"
    )
