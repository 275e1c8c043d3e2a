"""Policy options as users set them, on both stores: which errors end a job, when it expires, who is told of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from tests.apps import runtime_jobs
from tests.servers import until
from treadle import Job, Treadle
from treadle.core.states import State
from treadle.errors import ConfigError, Expired, JobFailed
from treadle.hooks.events import Event, JobDiscarded, JobRetried, JobUnknown
from treadle.supervise.clock import SystemClock

T = TypeVar("T")
LONG = 20.0


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store."""
    return "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("redis_url"))


@pytest.fixture
def app(url: str) -> Iterator[Treadle]:
    app = Treadle(url)
    yield app
    app.close()


def play(story: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        return await asyncio.wait_for(story(), LONG)

    return asyncio.run(run())


def outcome_of(app: Treadle, name: str, args: Any = ()) -> JobDiscarded | JobRetried:  # noqa: ANN401 - of either store
    """The event of the one attempt of a job that fails."""
    heard: list[JobDiscarded | JobRetried] = []
    app.on(JobDiscarded)(heard.append)
    app.on(JobRetried)(heard.append)

    async def story() -> str:
        handle = await app.aenqueue(name, args)
        async with app.worker():
            await until(lambda: handle.id in [event.job.id for event in heard], what="the attempt has failed")
        return handle.id

    job_id = play(story)
    # An app of a module may have jobs of other tests that are tried again meanwhile.
    (event,) = [event for event in heard if event.job.id == job_id]
    return event


def test_an_error_of_discard_on_ends_a_job_and_one_beside_retry_on_too(app: Treadle) -> None:
    @app.job(discard_on=LookupError)
    async def look_up() -> None:
        raise KeyError("user")

    @app.job(retry_on=(LookupError, ConnectionError))
    def connect() -> None:
        raise PermissionError("no")

    assert isinstance(outcome_of(app, "look_up"), JobDiscarded)
    assert isinstance(outcome_of(app, "connect"), JobDiscarded)


def test_an_error_of_retry_on_is_tried_again_and_one_beside_discard_on_too(app: Treadle) -> None:
    @app.job(discard_on=LookupError)
    async def look_up() -> None:
        raise ConnectionError("no")

    @app.job(retry_on=OSError)
    def connect() -> None:
        raise ConnectionError("no")

    assert isinstance(outcome_of(app, "look_up"), JobRetried)
    assert isinstance(outcome_of(app, "connect"), JobRetried)


@pytest.mark.parametrize("name", ["look_up", "connect"])
def test_the_policy_of_a_process_job_is_its_apps_too(name: str) -> None:
    seen: list[BaseException] = []
    job = runtime_jobs.app.find(name)
    assert job is not None
    job.on_discard(lambda _, error: seen.append(error))
    event = outcome_of(runtime_jobs.app, name, {"name": "Ann"})
    assert isinstance(event, JobDiscarded)
    # Its error stayed in the process.
    (error,) = seen
    assert isinstance(error, JobFailed)
    assert str(error) == f"{event.failure.error_class}: {event.failure.message}"


def test_a_job_that_was_due_too_long_ago_is_discarded_and_its_callbacks_are_told(app: Treadle) -> None:
    seen: list[tuple[str, type]] = []
    clock = SystemClock()

    @app.job(expires=0.05)
    async def welcome() -> None:
        seen.append(("welcome", int))

    @welcome.on_discard
    async def alert(job: Job, error: BaseException) -> None:
        seen.append((job.name, type(error)))

    heard: list[JobDiscarded] = []
    app.on(JobDiscarded)(heard.append)

    async def story() -> State | None:
        began = clock.steady()
        handle = await welcome.aenqueue()
        await until(lambda: clock.steady() > began + 0.1, what="it has waited too long")
        async with app.worker():
            await until(lambda: heard, what="it is discarded")
        state = await handle.astatus()
        await app.aclose()
        return state

    assert play(story) in (State.DISCARDED, None)
    assert seen == [("welcome", Expired)]
    assert heard[0].failure.message.startswith("expected to start within 0.05 s of when it was due, got 0.")


def test_an_unknown_job_is_put_back_and_one_warning_tells_its_name(
    app: Treadle, caplog: pytest.LogCaptureFixture
) -> None:
    @app.job
    async def welcome() -> None: ...

    heard: list[Event] = []
    app.on(JobUnknown)(heard.append)

    async def story() -> list[State | None]:
        handles = [await app.aenqueue("from_the_future") for _ in range(5)]
        async with app.worker():
            await until(lambda: len(heard) == 5, what="all of them came")
        states = [await handle.astatus() for handle in handles]
        await app.aclose()
        return states

    with caplog.at_level(logging.WARNING, "treadle.jobs"):
        assert play(story) == [State.SCHEDULED] * 5
    (record,) = caplog.records
    assert record.getMessage().startswith("from_the_future ")
    assert record.getMessage().endswith(" is not registered in this app; put back for 30 s")


def test_an_unknown_job_fails_where_the_app_says_so(url: str) -> None:
    app = Treadle(url, unknown="fail")

    @app.job
    async def welcome() -> None: ...

    event = outcome_of(app, "from_the_future")
    assert isinstance(event, JobRetried)
    assert event.failure.error_class == "UnknownJob"
    assert event.failure.message == 'job "from_the_future" is not registered in this app'
    app.close()


def test_what_becomes_of_unknown_jobs_is_one_of_two_words() -> None:
    with pytest.raises(ConfigError, match="expected unknown of an app to be release or fail, got 'drop'"):
        Treadle("sqlite://", unknown="drop")  # type: ignore[arg-type]
