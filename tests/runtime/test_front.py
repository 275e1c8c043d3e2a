"""What a node shows is shown where somebody asked for it, and systemd hears of life alone."""

import socket
from collections.abc import Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.runtime.children import place_of
from tests.runtime.desk import run
from tests.runtime.test_listener import ask, get, status
from tests.stores.places import ManualClock
from treadle.hooks.events import ChildDied, Events, NodeListening, OwnersRescued
from treadle.runtime.front import LOOK_AGAIN, Front
from treadle.runtime.notify import Notifier
from treadle.runtime.plan import Plan


@pytest.fixture
def line(tmp_path: Path) -> Iterator[socket.socket]:
    """The other end of NOTIFY_SOCKET."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(10)
        yield line


def test_without_an_address_nobody_listens() -> None:
    async def story() -> None:
        events, heard = Events(), list[NodeListening]()
        events.listen(NodeListening, heard.append)
        front = Front(Plan(), ManualClock(), [], Notifier())
        await front.open(events)
        assert (heard, front.steps()) == ([], [])
        assert not events.wanted(ChildDied)
        await front.close()

    run(story)


def test_with_an_address_the_pages_are_there_until_it_closes() -> None:
    async def story() -> None:
        events, heard = Events(), list[NodeListening]()
        events.listen(NodeListening, heard.append)
        front = Front(Plan(listen=("127.0.0.1", 0)), ManualClock(), [], Notifier())
        await front.open(events)
        port = heard[0].port
        events.emit(ChildDied(owner="a", pid=1, code=-9, released=0, suspects=0))
        events.emit(OwnersRescued(owners=("b",), claims=7))
        front.count("fenced")
        page = await ask(port, get("/metrics"))
        for name, number in (("worker_deaths", 1), ("jobs_rescued", 7), ("workers_fenced", 1), ("worker_restarts", 0)):
            assert f"\ntreadle_{name}_total {number}\n".encode() in page
        assert status(await ask(port, get("/livez"))) == HTTPStatus.OK
        await front.close()
        with pytest.raises(ConnectionRefusedError):
            await ask(port, get("/livez"))

    run(story)


def test_systemd_hears_of_life_while_there_is_progress(line: socket.socket) -> None:
    async def story() -> None:
        clock, plan = ManualClock(), Plan()
        notifier = Notifier(line.getsockname(), watchdog=30.0)
        async with place_of(plan, clock) as (place, child):
            [(name, step, every)] = Front(plan, clock, [place], notifier).steps()
            assert (name, every) == ("watchdog", 15.0)
            assert await step() is None
            assert line.recv(100) == b"WATCHDOG=1"
            clock.advance(16.0)
            assert await step() == LOOK_AGAIN
            child.page.turned = clock.steady()
            assert await step() is None
            assert line.recv(100) == b"WATCHDOG=1"
            line.setblocking(False)
            with pytest.raises(BlockingIOError):
                line.recv(100)

    run(story)


def test_systemd_hears_once_that_the_node_stops(line: socket.socket) -> None:
    front = Front(Plan(), ManualClock(), [], Notifier(line.getsockname()))
    front.stopping()
    front.stopping()
    assert line.recv(100) == b"STOPPING=1"
    line.setblocking(False)
    with pytest.raises(BlockingIOError):
        line.recv(100)
