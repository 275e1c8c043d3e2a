"""Injected parameters as a developer meets them: in calls, in jobs of every kind, and overridden in tests."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.apps import lifespan_jobs
from treadle import Inject, Job, Treadle
from treadle.errors import ArgumentError, ConfigError


class Session:
    """A connection to a database."""

    def __init__(self, name: str = "real") -> None:
        self.name = name


def session() -> Iterator[Session]:
    yield Session()


def users(db: Session = Inject(session)) -> list[str]:
    return [f"user of the {db.name} database"]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Treadle]:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db", defaults={"max_attempts": 1})
    yield app
    app.close()


def work(app: Treadle, name: str) -> Any:  # noqa: ANN401 - whatever the job returns
    """What a job without arguments returns to an embedded worker."""
    job = app.find(name)
    assert job is not None

    async def story() -> object:
        async with app.worker():
            return await (await job.aenqueue())

    return asyncio.run(asyncio.wait_for(story(), 20))


def test_an_injected_parameter_is_no_argument_of_the_job(app: Treadle) -> None:
    @app.job
    def welcome(user_id: int, *, db: Session = Inject(session)) -> None: ...

    with pytest.raises(ArgumentError, match="got an unexpected keyword argument 'db'; its signature is welcome"):
        welcome.enqueue(1, db=Session())
    assert welcome.enqueue(1).status() == "available"


def test_a_plain_call_takes_what_a_worker_would_inject(app: Treadle) -> None:
    @app.job
    def welcome(user_id: int, *, db: Session = Inject(session), job: Job | None = Inject()) -> str:
        return f"{user_id} {db.name} {job}"

    assert welcome(42, db=Session("test"), job=None) == "42 test None"
    with pytest.raises(ArgumentError) as caught:
        welcome(42, job=None)
    assert str(caught.value) == 'job "welcome": expected db= in a plain call, got none: only a worker injects it'


def test_a_provider_that_cannot_be_is_refused_at_the_first_enqueue_and_where_a_worker_starts(app: Treadle) -> None:
    def users(request: object) -> object:
        return request

    @app.job
    def welcome(*, users: object = Inject(users)) -> None: ...

    async def start() -> None:
        async with app.worker():
            pass

    for step in (welcome.enqueue, lambda: asyncio.run(start())):
        with pytest.raises(ConfigError) as caught:
            step()
        assert str(caught.value) == (
            'job "welcome": expected the parameters of the provider '
            "test_a_provider_that_cannot_be_is_refused_at_the_first_enqueue_and_where_a_worker_starts.<locals>.users "
            'to have defaults or to be injected, got "request", which nobody fills in: a job belongs to no request'
        )


@pytest.mark.parametrize("name", ["on_loop", "on_thread", "in_process", "later_in_process"])
def test_providers_of_every_kind_serve_jobs_of_every_kind(name: str) -> None:
    assert work(lifespan_jobs.app, name) == f"users of {name}"


# Overrides


def test_within_an_override_a_provider_is_replaced_by_a_value_wherever_it_is_needed(app: Treadle) -> None:
    @app.job(record=True)
    async def on_loop(*, names: list[str] = Inject(users), db: Session = Inject(session)) -> list[str]:
        return [*names, db.name]

    @app.job(record=True)
    def on_thread(*, names: list[str] = Inject(users)) -> list[str]:
        return names

    with app.override(session, Session("fake")) as fake:
        assert fake.name == "fake"
        assert work(app, "on_loop") == ["user of the fake database", "fake"]
        assert work(app, "on_thread") == ["user of the fake database"]
        with app.override(users, ["nobody"]):
            assert work(app, "on_loop") == ["nobody", "fake"]
        assert work(app, "on_thread") == ["user of the fake database"]
    assert work(app, "on_loop") == ["user of the real database", "real"]


def test_overrides_of_one_provider_can_stand_in_each_other(app: Treadle) -> None:
    @app.job(record=True)
    async def named(*, db: Session = Inject(session)) -> str:
        return db.name

    with app.override(session, Session("outer")):
        with suppress(LookupError), app.override(session, Session("inner")):
            assert work(app, "named") == "inner"
            raise LookupError
        assert work(app, "named") == "outer"
    assert work(app, "named") == "real"
