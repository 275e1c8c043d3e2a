"""What systemd is told, on a real socket."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from treadle.runtime.notify import Notifier

Received = Callable[[], list[str]]


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As it stands in NOTIFY_SOCKET."""
    return str(tmp_path / "notify") if request.param == "path" else f"@treadle-{os.getpid()}-{tmp_path.name}"


@pytest.fixture
def received(address: str) -> Iterator[Received]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        line.setblocking(False)
        yield lambda: list(_messages(line))


def _messages(line: socket.socket) -> Iterator[str]:
    while True:
        try:
            yield line.recv(4096).decode()
        except BlockingIOError:
            return


def test_systemd_is_told_when_the_node_is_ready_alive_and_stopping(address: str, received: Received) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.alive()
    notifier.stopping()
    assert received() == [f"READY=1\nMAINPID={os.getpid()}", "WATCHDOG=1", "STOPPING=1"]


def test_it_is_told_once_that_the_node_is_ready(address: str, received: Received) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    notifier.ready()
    notifier.ready()
    assert len(received()) == 1


def test_nothing_is_told_where_nobody_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier.from_environment({}).ready()
    assert not caplog.records
    Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    assert "could not tell systemd READY=1" in caplog.text


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_asked_for_by_its_variables(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier.from_environment(environment).watchdog == seconds


def test_no_process_that_is_started_later_can_speak_for_the_node() -> None:
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier.from_environment(environment)
    assert environment == {"HOME": "/"}
