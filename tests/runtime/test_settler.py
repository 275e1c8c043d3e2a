"""Outcomes reach the store in batches, once, and whatever the store does none is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from tests.loops import NoWaitLoop
from tests.runtime.desk import LEASE, OWNER
from tests.runtime.doors import Door
from tests.stores.places import ManualClock, SqliteMemory
from treadle.core.outcomes import COMPLETED, Outcome, Snoozed
from treadle.core.states import State
from treadle.errors import StoreError
from treadle.hooks.events import Event, Events, StoreFound, StoreLost
from treadle.runtime.patience import FIRST, MOST, Patience
from treadle.runtime.settler import BATCH, DELAY, FULL, REFUSED, Settler
from treadle.stores.claim import APPLIED, Claim, Settled, Settlement
from treadle.testing.checks.bench import Bench

T = TypeVar("T")


class Scene:
    """A settler before a door before a store in memory."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.door = Door(bench.store)
        self.answers: list[tuple[Settlement, Settled]] = []
        self.refusals: list[tuple[Settlement, str]] = []
        self.heard: list[Event] = []
        events = Events()
        events.listen(StoreLost, self.heard.append)
        events.listen(StoreFound, self.heard.append)
        self.settler = Settler(
            self.door,
            OWNER,
            Patience(ManualClock(), events, lambda: 0.0),
            settled=lambda settlement, answer: self.answers.append((settlement, answer)),
            refused=lambda settlement, error: self.refusals.append((settlement, str(error))),
        )

    async def claims(self, count: int) -> list[Claim]:
        """So many jobs that this owner holds."""
        await self.bench.put(count)
        return await self.bench.take(count)

    def add(self, claims: list[Claim], outcome: Outcome = COMPLETED, *, hurry: bool = False) -> None:
        for claim in claims:
            self.settler.add(Settlement(claim, outcome), hurry=hurry)

    async def flush(self) -> None:
        async with asyncio.timeout(20):
            await self.settler.flush()


def play(story: Callable[[Scene], Awaitable[T]]) -> T:
    async def run() -> T:
        async with SqliteMemory().store() as store:
            scene = Scene(await Bench(store, OWNER).enroll(LEASE))
            try:
                return await story(scene)
            finally:
                await scene.settler.close()

    return asyncio.run(run())


def waits_of(story: Callable[[Scene], Awaitable[None]]) -> list[float]:
    """For how long the settler asked the loop to wait."""

    async def run() -> list[float]:
        async with SqliteMemory().store() as store:
            scene = Scene(await Bench(store, OWNER).enroll(LEASE))
            loop = asyncio.get_running_loop()
            assert isinstance(loop, NoWaitLoop)
            try:
                loop.asked.clear()
                await story(scene)
                return [round(seconds, 3) for seconds in loop.asked]
            finally:
                await scene.settler.close()

    with asyncio.Runner(loop_factory=NoWaitLoop) as runner:
        return runner.run(run())


def test_what_is_added_together_is_sent_together() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(300)
        scene.add(claims)
        assert scene.settler.owed == 300
        await scene.flush()
        assert scene.door.batches == [300]
        assert scene.settler.owed == 0
        assert [answer for _, answer in scene.answers] == [APPLIED] * 300
        assert await scene.bench.number(State.COMPLETED) == 300

    play(story)


def test_a_batch_holds_at_most_a_thousand() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(2 * BATCH + 500)
        scene.add(claims)
        await scene.flush()
        assert scene.door.batches == [BATCH, BATCH, 500]

    play(story)


def test_the_first_of_a_batch_waits_five_milliseconds_for_company() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(3)
        scene.add(claims)
        await scene.door.knocked.wait()
        assert scene.door.batches == [3]

    assert waits_of(story) == [DELAY]
    assert DELAY == 0.005


def test_who_hurries_does_not_wait() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(1)
        scene.add(claims, hurry=True)
        await scene.door.knocked.wait()

    assert waits_of(story) == []


def test_a_full_batch_does_not_wait() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(FULL)
        scene.add(claims[:-1])
        await asyncio.sleep(0)
        assert scene.door.batches == []
        scene.add(claims[-1:])
        await scene.door.knocked.wait()
        assert scene.door.batches == [FULL]

    play(story)
    assert FULL == 128


def test_nothing_is_forgotten_while_the_store_is_away_and_both_ends_of_it_are_told() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(10)
        scene.door.away = True
        scene.add(claims[:5], hurry=True)
        await scene.door.knocked.wait()
        scene.add(claims[5:])
        assert scene.settler.owed == 10
        scene.door.away = False
        await scene.flush()
        assert await scene.bench.number(State.COMPLETED) == 10
        assert scene.heard == [StoreLost(error="no route to host"), StoreFound(seconds=0.0)]

    play(story)


def test_a_settlement_whose_reply_was_lost_is_sent_again_and_counts_once() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(2)
        scene.door.lost["settle"] = 2
        scene.add(claims, Snoozed(60.0), hurry=True)
        await scene.flush()
        assert [answer.answer for _, answer in scene.answers] == ["repeated", "repeated"]
        assert await scene.bench.number(State.SCHEDULED) == 2

    play(story)


@pytest.mark.parametrize("error", [StoreError("wrong type"), ValueError("a fault of ours")])
def test_one_settlement_that_is_refused_does_not_hold_up_the_others(error: Exception) -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(5)
        scene.door.fault = lambda settlement: error if settlement.claim is claims[2] else None
        scene.add(claims, hurry=True)
        await scene.flush()
        assert await scene.bench.number(State.COMPLETED) == 4
        assert [(settlement.claim, text) for settlement, text in scene.refusals] == [(claims[2], str(error))]
        assert scene.settler.owed == 1

    play(story)


def test_a_refused_settlement_is_kept_and_sent_again_each_five_seconds() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(1)
        left = iter([StoreError("wrong type"), StoreError("wrong type")])
        scene.door.fault = lambda _: next(left, None)
        scene.add(claims, hurry=True)
        while not scene.answers:  # noqa: ASYNC110 - this loop does not wait
            await asyncio.sleep(0)
        assert len(scene.refusals) == 2

    assert waits_of(story) == [REFUSED, REFUSED]
    assert REFUSED == 5.0


def test_what_is_owed_when_it_closes_is_not_sent() -> None:
    async def story(scene: Scene) -> None:
        claims = await scene.claims(3)
        scene.add(claims)
        await scene.settler.close()
        assert scene.settler.owed == 3
        assert await scene.bench.number(State.EXECUTING) == 3

    play(story)


def test_patience_doubles_its_waits_up_to_two_seconds_and_starts_anew_when_the_store_answers() -> None:
    async def run() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, NoWaitLoop)
        patience = Patience(ManualClock(), Events(), lambda: 1.0)
        for _ in range(8):
            await patience.wait(ValueError())
        patience.reset()
        await patience.wait(ValueError())
        return [round(seconds, 3) for seconds in loop.asked]

    with asyncio.Runner(loop_factory=NoWaitLoop) as runner:
        waits = runner.run(run())
    assert waits == [FIRST, 0.1, 0.2, 0.4, 0.8, 1.6, MOST, MOST, FIRST]
