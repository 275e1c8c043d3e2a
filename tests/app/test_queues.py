"""`app.queues`: what a program tells its queues."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from treadle import Treadle
from treadle.errors import BlockingCall, ConfigError, UnknownQueue


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    redis_url: str = request.getfixturevalue("redis_url")
    return redis_url


class Shop:
    """An app with a job on two queues, and what the jobs did."""

    def __init__(self, url: str = "sqlite://") -> None:
        self.app = Treadle(url)
        self.sent: list[str] = []
        self.heard = asyncio.Event()
        self.letter = self.app.job(name="letter", queue="mail", record=True)(self._letter)
        self.note = self.app.job(name="note")(self._letter)

    async def _letter(self, to: str) -> None:
        self.sent.append(to)
        self.heard.set()


def test_a_paused_queue_outlasts_the_worker_that_served_it(url: str) -> None:
    async def story() -> None:
        shop = Shop(url)
        async with shop.app.worker():
            await shop.app.queues.apause("mail")
            await shop.letter.aenqueue("Ann")
            await shop.note.aenqueue("Bob")
            await shop.heard.wait()
        shop.heard.clear()
        async with shop.app.worker():
            await shop.note.aenqueue("Cid")
            await shop.heard.wait()
            assert shop.sent == ["Bob", "Cid"]
            shop.heard.clear()
            await shop.app.queues.aresume("mail")
            await shop.heard.wait()
        assert shop.sent == ["Bob", "Cid", "Ann"]
        await shop.app.aclose()
        await asyncio.to_thread(shop.app.close)

    asyncio.run(asyncio.wait_for(story(), 30))


def test_every_queue_is_paused_and_resumed_by_a_star(url: str) -> None:
    shop = Shop(url)
    shop.app.enqueue("Elsewhere", args=["Ann"] if url.startswith("redis") else {"to": "Ann"}, queue="ruby")
    shop.app.queues.pause("*")
    shown = asyncio.run(shop.app.store.queues())
    assert {name for name, view in shown.items() if view.paused} == {"mail", "default", "ruby"}
    shop.app.queues.resume("*")
    shown = asyncio.run(shop.app.store.queues())
    assert not any(view.paused for view in shown.values())
    shop.app.close()


def test_a_queue_that_nobody_knows_is_refused_and_none_is_paused(url: str) -> None:
    shop = Shop(url)
    for call in (shop.app.queues.pause, shop.app.queues.resume):
        with pytest.raises(UnknownQueue, match='one of default, mail, got "mial"; did you mean "mail"'):
            call("mial")
    with pytest.raises(ConfigError, match="expected the name of a queue, got 5"):
        shop.app.queues.pause(5)  # type: ignore[arg-type] # the point of the test
    assert not any(view.paused for view in asyncio.run(shop.app.store.queues()).values())
    shop.app.close()


def test_a_blocking_call_is_refused_on_a_loop() -> None:
    async def story(call: Callable[[str], None]) -> None:
        call("mail")

    shop = Shop()
    with pytest.raises(BlockingCall, match=r"await app\.queues\.apause"):
        asyncio.run(story(shop.app.queues.pause))
    with pytest.raises(BlockingCall, match=r"await app\.queues\.aresume"):
        asyncio.run(story(shop.app.queues.resume))
    shop.app.close()


def test_the_testing_kit_leaves_the_jobs_of_a_paused_queue_where_they_are() -> None:
    shop = Shop()
    with shop.app.testing() as jobs:
        shop.app.queues.pause("mail")
        shop.letter.options(delay=5).enqueue("Ann")
        shop.note.enqueue("Bob")
        assert jobs.advance(60) == {"completed": 1}
        assert (shop.sent, len(jobs.enqueued(shop.letter))) == (["Bob"], 1)
        shop.app.queues.resume("mail")
        assert jobs.drain() == {"completed": 1}
    with shop.app.testing(inline=True):
        shop.app.queues.pause("mail")
        shop.letter.enqueue("Cid")
        assert shop.sent == ["Bob", "Ann"]
