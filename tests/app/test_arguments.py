"""Typed arguments and results as a developer meets them: from the call, through a store, to the job and back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.apps import typed_jobs
from tests.apps.typed_jobs import Invoice, Line, invoice
from treadle import Handle, Treadle
from treadle.core.arguments import Shape
from treadle.core.job import Job
from treadle.errors import ArgumentError, ConfigError, JobFailed
from treadle.hooks.middleware import PerformNext

LINES = [Line("tea", Decimal("3.20")), Line("cake", Decimal("4.10"))]
DAY = date(2026, 1, 2)
MONTH_LATER = Invoice(Decimal("7.30"), date(2026, 2, 1))


@pytest.fixture(params=["sqlite", "redis"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Treadle]:
    url = f"sqlite:///{tmp_path}/jobs.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    app = Treadle(url, defaults={"max_attempts": 1})
    yield app
    app.close()


def work(app: Treadle, story: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the story gives
    """What a story gives while a worker runs."""

    async def play() -> object:
        async with app.worker():
            return await asyncio.wait_for(story(), 20)

    return asyncio.run(play())


def test_typed_values_go_through_every_store_and_come_back_typed(app: Treadle) -> None:
    job = app.job(record=True)(invoice)

    async def story() -> None:
        handle = await job.aenqueue(LINES, DAY)
        assert await handle == MONTH_LATER
        assert await job.handle(handle.id).aresult() == MONTH_LATER
        named = await job.aenqueue(day=DAY, lines=LINES, within=timedelta(days=1))
        assert (await named).due == date(2026, 1, 3)

    work(app, story)


@pytest.mark.parametrize("job", [typed_jobs.on_loop, typed_jobs.on_thread, typed_jobs.in_process], ids=str)
def test_typed_values_reach_every_executor(job: Any) -> None:  # noqa: ANN401 - one of three jobs
    async def story() -> object:
        return await (await job.aenqueue(LINES, DAY))

    assert work(typed_jobs.app, story) == MONTH_LATER


def test_middleware_sees_the_typed_value_of_a_process_job_too(tmp_path: Path) -> None:
    seen: list[object] = []
    app = typed_jobs.app

    async def watching(job: Job, call_next: PerformNext) -> object:
        value = await call_next()
        seen.append(value)
        return value

    async def story() -> object:
        return await (await typed_jobs.in_process.aenqueue(LINES, DAY))

    app.around_performs.append(watching)
    try:
        assert work(app, story) == MONTH_LATER
    finally:
        app.around_performs.remove(watching)
    assert seen == [MONTH_LATER]


def test_what_a_foreign_program_wrote_loosely_is_read(app: Treadle) -> None:
    @app.job(record=True)
    def add(number: int, price: Decimal, day: date | None) -> str:
        return f"{number!r} {price!r} {day!r}"

    async def story() -> None:
        given = {"number": "42", "price": 1.5, "day": None}
        args = given if app.store.shape is Shape.MAPPING else list(given.values())
        handle = await app.aenqueue("add", args)
        assert await add.handle(handle.id) == "42 Decimal('1.5') None"

    work(app, story)


def test_an_argument_that_cannot_be_read_is_a_failed_attempt_that_names_it(app: Treadle) -> None:
    @app.job(record=True)
    def add(number: int) -> None: ...

    @app.job(record=True)
    def after() -> int:
        return 1

    async def failure(args: list[Any]) -> str:
        given = dict(zip(("number", "more"), args, strict=False)) if app.store.shape is Shape.MAPPING else args
        handle: Handle = await app.aenqueue("add", given)
        with pytest.raises(JobFailed) as caught:
            await add.handle(handle.id)
        return str(caught.value)

    async def story() -> None:
        assert 'job "add", argument "number": expected int, got str \'many\'' in await failure(["many"])
        assert 'job "add": ' in await failure([1, 2])
        assert await (await after.aenqueue()) == 1

    work(app, story)


def test_a_result_that_breaks_its_promise_comes_back_as_it_was_returned(app: Treadle) -> None:
    @app.job(record=True)
    def today() -> date:
        return "tomorrow"  # type: ignore[return-value]

    @app.job(record=True)
    def nothing() -> date:
        return object()  # type: ignore[return-value]

    async def story() -> None:
        assert await (await today.aenqueue()) == "tomorrow"
        with pytest.raises(JobFailed, match='job "nothing", returned value: expected date, got object'):
            await (await nothing.aenqueue())

    work(app, story)


def test_a_wrong_value_is_refused_at_the_call_before_anything_is_opened() -> None:
    app = Treadle("sqlite:////no/such/folder/jobs.db")
    job = app.job(invoice)
    with pytest.raises(ArgumentError, match=r'job "invoice", argument "lines": expected list\[.*Line\], got str'):
        job.enqueue("tea", DAY)  # type: ignore[arg-type]


def test_an_annotation_that_can_never_be_converted_is_refused_at_the_first_enqueue_and_when_a_worker_starts() -> None:
    app = Treadle("sqlite://")

    @app.job
    def sort(values: list[complex]) -> None: ...

    expected = r'job "sort", parameter "values": expected a type that JSON can carry, got list\[complex\]'
    with pytest.raises(ConfigError, match=expected):
        sort.enqueue([])

    async def start() -> None:
        async with app.worker():
            pass

    with pytest.raises(ConfigError, match=expected):
        asyncio.run(start())


def test_a_returned_type_that_can_never_be_kept_matters_only_where_values_are_kept() -> None:
    app = Treadle("sqlite://")

    def roots() -> complex:
        return 1j

    app.job(name="forgotten")(roots).enqueue()
    with pytest.raises(ConfigError, match='job "kept", returned value: expected a type that JSON can carry, got comp'):
        app.job(name="kept", record=True)(roots).enqueue()
    app.close()
