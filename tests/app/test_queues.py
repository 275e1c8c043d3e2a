"""`app.queues`: what a program tells its queues."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.servers import until
from treadle import Treadle
from treadle.errors import BlockingCall, ConfigError, UnknownNode, UnknownQueue
from treadle.hooks.events import QueueControlled
from treadle.stores.views import WorkerView


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


def test_a_worker_is_told_what_to_serve_while_it_works(url: str) -> None:
    async def story() -> None:
        shop = Shop(url)
        queues, args = shop.app.queues, ["Eve"] if url.startswith("redis") else {"to": "Eve"}
        told: list[QueueControlled] = []
        shop.app.events.listen(QueueControlled, told.append)
        async with shop.app.worker(concurrency=3, queues=["mail"]):
            await queues.ascale("mail", 2)
            worker = await shown(shop, limits={"mail": 2})
            await queues.apause("mail", node=worker.node)
            await shown(shop, paused=("mail",))
            await shop.letter.aenqueue("Ann")
            await queues.astart("extra", limit=1, node=worker.node.partition(":")[0])
            await shop.app.aenqueue("letter", args, queue="extra")
            await shop.heard.wait()
            assert shop.sent == ["Eve"]
            shop.heard.clear()
            await queues.aresume("mail", node=worker.name)
            await shop.heard.wait()
            assert shop.sent == ["Eve", "Ann"]
            await queues.astop("extra")
            await shown(shop, queues=("mail",))
            assert [event.action for event in told] == ["scale", "pause", "start", "resume", "stop"]
        await shop.app.aclose()
        await asyncio.to_thread(shop.app.close)

    asyncio.run(asyncio.wait_for(story(), 30))


async def shown(shop: Shop, **wanted: object) -> WorkerView:
    """Wait until the one worker shows itself so."""
    found: list[WorkerView] = []

    async def is_shown() -> bool:
        [worker] = found[:] = await shop.app.store.workers()
        return bool(worker.node) and all(getattr(worker, name) == value for name, value in wanted.items())

    is_so: bool = await until(is_shown, what=f"the worker shows {wanted}")
    assert is_so
    return found[0]


def test_a_limit_holds_while_it_is_scaled_up_and_down() -> None:
    async def story() -> None:
        app = Treadle("sqlite://")
        running, most = 0, 0
        begun, go = asyncio.Semaphore(0), asyncio.Semaphore(0)

        @app.job(queue="slow")
        async def slow() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            begun.release()
            await go.acquire()
            running -= 1

        async with app.worker(queues={"slow": 2}, concurrency=1):
            await app.aenqueue_all([slow.new() for _ in range(30)])
            await acquire(begun, 2)
            await app.queues.ascale("slow", 15)
            await acquire(begun, 13)
            assert most == 15
            await app.queues.ascale("slow", 1)
            shop = Shop()
            shop.app = app
            await shown(shop, limits={"slow": 1})
            for _ in range(14):
                go.release()
            await until(lambda: running == 1, what="one is left")
            for left in range(15, 0, -1):
                assert running == 1, left
                go.release()
                await begun.acquire()
            go.release()
        await app.aclose()

    asyncio.run(asyncio.wait_for(story(), 30))


async def acquire(semaphore: asyncio.Semaphore, count: int) -> None:
    for _ in range(count):
        await semaphore.acquire()


def test_nobody_is_told_what_nobody_would_do() -> None:
    async def story() -> None:
        shop = Shop()
        queues = shop.app.queues
        with pytest.raises(UnknownNode, match="expected a live worker to be told, got none: start one with treadle"):
            await queues.ascale("mail", 5)
        async with shop.app.worker():
            worker = await shown(shop, limits={})
            mistyped = queues.astop("mial"), queues.ascale("mial", 5), queues.apause("mial", node=worker.node)
            errors = await asyncio.gather(*mistyped, queues.apause("mail", node="web-9"), return_exceptions=True)
            text = 'expected one of default, mail, got "mial"; did you mean "mail"?'
            assert [(type(error), str(error)) for error in errors[:3]] == [(UnknownQueue, text)] * 3
            assert isinstance(errors[3], UnknownNode)
            assert str(errors[3]) == f'expected one of the live nodes {worker.node}, got "web-9"'
            for limit in (0, -1, 2.5, True, "5"):
                with pytest.raises(ConfigError, match='expected the limit of queue "mail" to be an integer from 1'):
                    await queues.ascale("mail", limit)  # type: ignore[arg-type] # the point of the test
            for star in (queues.ascale("*", 5), queues.astart("*"), queues.astop("*")):
                with pytest.raises(ConfigError, match="expected the name of one queue"):
                    await star
            with pytest.raises(ConfigError, match="expected the name of a queue to be 1 to 127 letters"):
                await queues.astart("a,b")
            with pytest.raises(ConfigError, match="expected the name of a node, as in host:pid, got 5"):
                await queues.astop("mail", node=5)  # type: ignore[arg-type] # as above
        await shop.app.aclose()
        await asyncio.to_thread(shop.app.close)

    asyncio.run(asyncio.wait_for(story(), 30))


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
    with pytest.raises(BlockingCall, match=r"await app\.queues\.astart"):
        asyncio.run(story(shop.app.queues.start))
    with pytest.raises(BlockingCall, match=r"await app\.queues\.astop"):
        asyncio.run(story(shop.app.queues.stop))
    with pytest.raises(BlockingCall, match=r"await app\.queues\.ascale"):
        asyncio.run(story(partial(shop.app.queues.scale, limit=5)))
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
