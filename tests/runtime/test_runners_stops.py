"""A coroutine job that is stopped, abandoned or taken back; and nobody else is."""

import asyncio

from tests.runtime.desk import Replies, attempt_of, noop, run, runners_of
from treadle.runtime.attempt import Stop


async def waits_a_turn() -> str:
    await asyncio.sleep(0)
    return "turned"


def test_a_stopped_job_is_cancelled_and_the_next_one_is_not() -> None:
    async def story() -> Replies:
        begun = asyncio.Event()

        async def waits() -> None:
            begun.set()
            await asyncio.Event().wait()

        replies = Replies()
        runners = runners_of(1, replies)
        attempt = attempt_of(waits)
        runners.submit(attempt)
        runners.submit(attempt_of(waits_a_turn))
        await begun.wait()
        runners.stop(attempt)
        await replies.reach(2)
        await runners.close()
        return replies

    replies = run(story)
    assert isinstance(replies.errors[0], asyncio.CancelledError)
    assert replies.values[1] == "turned"


def test_a_job_that_swallows_its_cancellation_and_returns_has_returned() -> None:
    async def story() -> Replies:
        begun = asyncio.Event()

        async def swallows() -> str:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await waits_a_turn()
            return "never"

        replies = Replies()
        runners = runners_of(1, replies)
        attempt = attempt_of(swallows)
        runners.submit(attempt)
        runners.submit(attempt_of(waits_a_turn))
        await begun.wait()
        runners.stop(attempt)
        await replies.reach(2)
        await runners.close()
        return replies

    assert run(story).values == ["turned", "turned"]


def test_a_stop_that_comes_when_the_job_has_ended_hits_nobody() -> None:
    async def story() -> Replies:
        replies = Replies()
        runners = runners_of(1, replies)
        attempt = attempt_of(noop)
        runners.submit(attempt)
        await replies.reach(1)
        runners.stop(attempt)
        runners.submit(attempt_of(waits_a_turn))
        await replies.reach(2)
        await runners.close()
        return replies

    assert run(story).values == ["done", "turned"]


def test_an_abandoned_job_gives_its_place_up_and_is_never_heard_again() -> None:
    async def story() -> Replies:
        begun, released = asyncio.Event(), asyncio.Event()

        async def ignores() -> str:
            begun.set()
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            return "too late"

        replies = Replies()
        runners = runners_of(1, replies)
        attempt = attempt_of(ignores)
        runners.submit(attempt)
        await begun.wait()
        runners.stop(attempt)
        await asyncio.sleep(0)
        assert runners.abandon(attempt)
        assert not runners.abandon(attempt)
        runners.submit(attempt_of(waits_a_turn))
        await replies.reach(1)
        released.set()
        for _ in range(5):
            await asyncio.sleep(0)
        await runners.close()
        return replies

    assert run(story).values == ["turned"]


def test_a_job_that_has_ended_cannot_be_abandoned() -> None:
    async def story() -> None:
        replies = Replies()
        runners = runners_of(1, replies)
        attempt = attempt_of(noop)
        runners.submit(attempt)
        await replies.reach(1)
        assert not runners.abandon(attempt)
        await runners.close()

    run(story)


def test_what_has_not_begun_can_be_taken_back() -> None:
    async def story() -> None:
        begun = asyncio.Event()

        async def waits() -> None:
            begun.set()
            await asyncio.Event().wait()

        replies = Replies()
        runners = runners_of(1, replies)
        runners.submit(attempt_of(waits))
        behind = [attempt_of(noop), attempt_of(noop)]
        for attempt in behind:
            runners.submit(attempt)
        await begun.wait()
        assert runners.drop_waiting() == behind
        assert runners.drop_waiting() == []
        await runners.close()

    run(story)


def test_an_attempt_that_may_not_begin_is_passed_over() -> None:
    async def story() -> Replies:
        replies = Replies()
        refused = attempt_of(noop)
        runners = runners_of(1, replies, begin=lambda attempt: attempt is not refused)
        runners.submit(refused)
        runners.submit(attempt_of(waits_a_turn))
        await replies.reach(1)
        await runners.close()
        return replies

    assert run(story).values == ["turned"]


def test_closing_cancels_what_runs_and_says_that_the_worker_stops() -> None:
    async def story() -> None:
        begun = asyncio.Event()

        async def waits() -> None:
            begun.set()
            await asyncio.Event().wait()

        replies = Replies()
        runners = runners_of(2, replies)
        attempt = attempt_of(waits)
        runners.submit(attempt)
        await begun.wait()
        await runners.close()
        assert isinstance(replies.errors[0], asyncio.CancelledError)
        assert attempt.stop is Stop.SHUTDOWN

    run(story)
