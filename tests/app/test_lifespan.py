"""A lifespan stands around all the work of an embedded worker; tests/cli has those of processes."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from treadle import Treadle
from treadle.errors import ConfigError


def test_an_embedded_worker_begins_its_lifespan_before_the_first_job_and_ends_it_after_the_last() -> None:
    app, order = Treadle("sqlite://"), list[object]()

    @app.lifespan
    async def lifespan() -> AsyncIterator[None]:
        loops = asyncio.get_running_loop()
        order.append("begins")
        yield
        order.append("ends")
        assert loops is asyncio.get_running_loop()

    @app.job(record=True)
    async def welcome() -> None:
        order.append("job")

    async def story() -> None:
        for _ in range(2):
            handle = await welcome.aenqueue()
            async with app.worker():
                await handle

    asyncio.run(story())
    assert order == ["begins", "job", "ends"] * 2


def test_a_context_manager_function_may_be_a_lifespan_as_in_a_web_framework() -> None:
    app, order = Treadle("sqlite://"), list[object]()

    @app.lifespan
    @contextlib.asynccontextmanager
    async def lifespan(of: Treadle) -> AsyncIterator[dict[str, str]]:
        order.append(of)
        yield {"state": "ignored"}
        order.append("ends")

    async def story() -> None:
        async with app.living():
            order.append("lives")

    asyncio.run(story())
    assert order == [app, "lives", "ends"]


def test_what_a_lifespan_raises_at_its_start_comes_out_of_the_embedded_worker() -> None:
    app, ran = Treadle("sqlite://"), list[str]()

    @app.lifespan
    async def lifespan() -> AsyncIterator[None]:
        if not ran:
            raise RuntimeError("no database")
        yield

    @app.job
    async def welcome() -> None:
        ran.append("job")

    async def story() -> None:
        await welcome.aenqueue()
        with pytest.raises(RuntimeError, match="no database"):
            async with app.worker():
                ran.append("body")

    asyncio.run(story())
    assert not ran


def test_what_a_lifespan_raises_at_its_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = Treadle("sqlite://")

    @app.lifespan
    async def lifespan() -> AsyncIterator[None]:
        yield
        raise RuntimeError("cannot disconnect")

    @app.job
    async def welcome() -> None: ...

    async def story() -> None:
        async with app.worker():
            pass

    with caplog.at_level(logging.ERROR, "treadle.worker"):
        asyncio.run(story())
    (record,) = caplog.records
    assert record.getMessage().startswith("the end of the lifespan test_what_a_lifespan_raises")
    assert "cannot disconnect" in caplog.text


def test_an_app_has_one_lifespan() -> None:
    app = Treadle("sqlite://")

    @app.lifespan
    async def first() -> AsyncIterator[None]:
        yield

    with pytest.raises(ConfigError, match="expected one lifespan of an app, got a second one"):

        @app.lifespan
        async def second() -> AsyncIterator[None]:
            yield


def test_a_lifespan_that_is_no_async_generator_is_refused_where_a_worker_starts() -> None:
    app = Treadle("sqlite://")

    @app.lifespan  # type: ignore[type-var]
    def lifespan() -> Iterator[None]:
        yield

    async def story() -> None:
        with pytest.raises(ConfigError, match=r"expected the lifespan .*lifespan to be an async generator, got <gener"):
            async with app.living():
                pass

    asyncio.run(story())
