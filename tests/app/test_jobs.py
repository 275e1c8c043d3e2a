"""Collections of jobs, which an app takes, and jobs that run in other programs."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import until
from treadle import Handle, Jobs, Treadle
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.errors import ArgumentError, ConfigError
from treadle.hooks.events import JobCompleted, JobUnknown
from treadle.stores.job_query import JobQuery


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


def view(app: Treadle, handle: Handle) -> JobView:
    return app.blocking("view", _view(app, handle))


async def _view(app: Treadle, handle: Handle) -> JobView:
    (found,) = await (await app.astore()).find(JobQuery(ids=(handle.id,)))
    return found


def first() -> None: ...
def second() -> None: ...
def third() -> None: ...


# Collections


def test_an_app_takes_the_jobs_of_a_collection_and_those_that_it_declares_later(app: Treadle) -> None:
    jobs = Jobs()
    before = jobs.job(queue="reports")(first)
    app.include(jobs)
    after = jobs.job(second)
    assert list(app.handlers) == ["first", "second"]
    assert view(app, before.enqueue()).queue == "reports"
    assert view(app, after.enqueue()).queue == "default"
    assert jobs.app is app


def test_a_collection_may_take_others_before_and_after_an_app_takes_it(app: Treadle) -> None:
    outer, inner, late = Jobs(), Jobs(), Jobs()
    inner.job(first)
    outer.include(inner)
    app.include(outer)
    inner.job(second)
    late.job(third)
    outer.include(late)
    assert list(app.handlers) == ["first", "second", "third"]
    assert late.app is app


def test_a_collection_that_no_app_took_enqueues_nothing() -> None:
    assert refusal(Jobs().job(first).enqueue) == (
        "expected these jobs to belong to an app, got none: take them with app.include(jobs)"
    )


def test_a_collection_belongs_to_one_app(app: Treadle) -> None:
    jobs = Jobs()
    app.include(jobs)
    app.include(jobs)
    text = "expected a collection of jobs that nobody took yet, got one that belongs to another; make one for each"
    assert refusal(lambda: Treadle("sqlite://").include(jobs)) == text


def test_collections_cannot_take_each_other_in_a_ring() -> None:
    outer, inner = Jobs(), Jobs()
    outer.include(inner)
    text = "expected a collection of jobs that nobody took yet, got one that belongs to another; make one for each"
    assert refusal(lambda: inner.include(outer)) == text
    assert refusal(lambda: outer.include(outer)) == text


@pytest.mark.parametrize("what", ["shop.jobs", None, Treadle("sqlite://")])
def test_only_a_collection_is_taken(app: Treadle, what: Any) -> None:  # noqa: ANN401
    assert refusal(lambda: app.include(what)) == (
        f"expected a collection made by Jobs(), got {what!r:.80}; declare the jobs on one, and include that"
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_twins_are_refused_with_both_places_and_none_of_the_collection_is_taken(app: Treadle, when: str) -> None:
    jobs = Jobs()
    app.job(name="twin")(first)
    if when == "before":
        jobs.job(third)
        jobs.job(name="twin")(second)
        text = refusal(lambda: app.include(jobs))
    else:
        app.include(jobs)
        text = refusal(lambda: jobs.job(name="twin")(second))
    assert text.startswith('two jobs answer to "twin": tests.app.test_jobs.first (')
    assert " and tests.app.test_jobs.second (" in text
    assert list(app.handlers) == ["twin"]
    assert app.find("third") is None


# Jobs of other programs


def declare_mailer(app: Treadle) -> Any:  # noqa: ANN401
    @app.external("MyApp.Mailer", queue="elixir", max_attempts=3, priority=2, tags=["mail"], meta={"team": "shop"})
    def mailer(user_id: int, lang: str = "en") -> None:
        raise AssertionError

    return mailer


def test_an_external_job_is_enqueued_as_it_was_declared(app: Treadle) -> None:
    mailer = declare_mailer(app)
    job = view(app, mailer.enqueue(1))
    assert (job.name, job.queue, job.max_attempts, job.args) == ("MyApp.Mailer", "elixir", 3, {"user_id": 1})
    new = mailer.new(1).new
    assert (new.priority, new.tags, new.meta) == (2, ("mail",), {"team": "shop"})


def test_an_external_job_enqueued_by_its_name_takes_its_declared_options(app: Treadle) -> None:
    declare_mailer(app)
    assert view(app, app.enqueue("MyApp.Mailer", {"user_id": 1})).queue == "elixir"
    assert view(app, app.enqueue("MyApp.Mailer", {"user_id": 1}, queue="other")).queue == "other"


def test_an_external_job_is_held_to_its_signature(app: Treadle) -> None:
    with pytest.raises(ArgumentError, match="missing a required argument: 'user_id'"):
        declare_mailer(app).enqueue()


def test_the_body_of_an_external_job_is_never_called(app: Treadle) -> None:
    text = 'job "MyApp.Mailer" runs in another program, got a call of its body: enqueue it'
    assert refusal(lambda: declare_mailer(app)(1)) == text


def test_a_worker_serves_neither_an_external_job_nor_its_queue(app: Treadle) -> None:
    mailer = declare_mailer(app)
    ours = app.job(queue="ours")(first)
    ended: list[JobCompleted] = []
    unknown: list[JobUnknown] = []
    app.on(JobCompleted)(ended.append)
    app.on(JobUnknown)(unknown.append)

    async def story() -> list[State | None]:
        async with app.worker():
            theirs = [await mailer.aenqueue(1), await mailer.options(queue="ours").aenqueue(2)]
            await ours.aenqueue()
            await until(lambda: ended and unknown, what="ours has run, and the one in its queue was put back")
            states = [await handle.astatus() for handle in theirs]
        await app.aclose()
        return states

    assert asyncio.run(story()) == [State.AVAILABLE, State.SCHEDULED]
    assert list(app.handlers) == ["first"]
    assert app.resolve("MyApp.Mailer") is None


def test_an_external_job_cannot_have_the_name_of_another(app: Treadle) -> None:
    declare_mailer(app)
    assert refusal(lambda: app.job(name="MyApp.Mailer")(first)).startswith('two jobs answer to "MyApp.Mailer": ')
    assert refusal(lambda: declare_mailer(app)).startswith('two jobs answer to "MyApp.Mailer": ')


@pytest.mark.parametrize("option", ["timeout", "record", "executor", "aliases"])
def test_an_option_that_only_a_worker_would_heed_is_refused_for_an_external_job(app: Treadle, option: str) -> None:
    given: Any = {option: 1}
    assert refusal(lambda: app.external("Mailer", **given)(first)) == (
        'expected the options of external job "Mailer" to be among queue, max_attempts, priority, tags, meta, unique, '
        f'redact, got "{option}"'
    )


def test_an_external_job_has_no_name_but_the_one_that_is_given(app: Treadle) -> None:
    decorator: Any = app.external
    assert refusal(lambda: decorator(first)).startswith(
        'expected external() to be given a name, as in external("MyApp.Mailer"), got <function first'
    )


# What holds for all jobs of an app


def test_what_an_app_sets_for_all_of_its_jobs_holds_where_a_job_says_nothing(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db", defaults={"queue": "all", "max_attempts": 4, "timeout": 60})
    jobs = Jobs()
    taken, own = jobs.job(first), app.job(queue="own", timeout=None)(second)
    app.include(jobs)
    there = app.external("There")(third)
    assert [job.handler.options.timeout for job in (taken, own)] == [60, None]
    assert [view(app, job.enqueue()).queue for job in (taken, own, there)] == ["all", "own", "all"]
    assert view(app, taken.options(queue="one").enqueue()).queue == "one"
    assert view(app, app.enqueue("first")).max_attempts == 4
    app.close()


@pytest.mark.parametrize(
    ("defaults", "text"),
    [
        ({"timeout": -1}, "expected timeout in defaults of an app to be a number of seconds, more than 0, got -1"),
        ({"queues": "a"}, "expected the options in defaults of an app to be among queue, max_attempts, "),
        ({"executor": "loop"}, "expected the options in defaults of an app to be among queue, max_attempts, "),
    ],
)
def test_wrong_defaults_are_refused_where_the_app_is_made(defaults: Any, text: str) -> None:  # noqa: ANN401
    assert refusal(lambda: Treadle("sqlite://", defaults=defaults)).startswith(text)
