"""Unique jobs as an app has them: handles, options, names, events, the testing kit."""

from typing import Any

import pytest

from treadle import Treadle, Unique
from treadle.errors import ConfigError
from treadle.hooks.events import JobConflicted, JobInserted


@pytest.fixture
def rebuild(app: Treadle) -> Any:  # noqa: ANN401 - a registered job
    @app.job(unique=Unique(until="success"), record=True)
    def rebuild(catalogue: int, full: bool = False) -> str:  # noqa: FBT001, FBT002 - as users write it
        return f"{catalogue} {full}"

    return rebuild


def test_a_conflict_gives_the_handle_of_the_job_that_stands_there(app: Treadle, rebuild: Any) -> None:  # noqa: ANN401
    first, second = rebuild.enqueue(7), rebuild.enqueue(full=False, catalogue=7)
    assert (first.conflict, second.conflict, second.id) == (False, True, first.id)
    with app.worker():
        assert second.result(timeout=30) == first.result(timeout=30) == "7 False"
    assert not rebuild.enqueue(7).conflict


def test_a_coroutine_and_a_bulk_are_told_too(app: Treadle, rebuild: Any) -> None:  # noqa: ANN401
    async def story() -> list[bool]:
        one = await rebuild.aenqueue(7)
        many = await app.aenqueue_all([rebuild.new(7), rebuild.new(8), rebuild.new(8)])
        return [handle.conflict for handle in (one, *many)]

    with app.testing() as jobs:
        assert app.blocking("story", story()) == [False, True, False, True]
        assert [job.args["catalogue"] for job in jobs.enqueued(rebuild)] == [7, 8]


def test_a_call_may_have_another_rule_or_none(rebuild: Any) -> None:  # noqa: ANN401
    rebuild.enqueue(7)
    assert not rebuild.options(unique=None).enqueue(7).conflict
    apart = rebuild.options(queue="apart", unique=Unique(fields=["queue"]))
    assert [apart.enqueue(8).conflict, apart.enqueue(9).conflict] == [False, True]


def test_a_job_that_is_enqueued_by_name_is_as_unique_as_its_function(app: Treadle, rebuild: Any) -> None:  # noqa: ANN401
    assert not app.enqueue("rebuild", {"catalogue": 7}).conflict
    assert app.enqueue("rebuild", {"full": False, "catalogue": 7}).conflict
    assert rebuild.enqueue(7).conflict
    assert not app.enqueue("stranger", {"catalogue": 7}).conflict
    assert not app.enqueue("stranger", {"catalogue": 7}).conflict


def test_an_event_says_which_of_both_it_was(app: Treadle, rebuild: Any) -> None:  # noqa: ANN401
    told: list[JobInserted | JobConflicted] = []
    app.on(JobInserted)(told.append)
    app.on(JobConflicted)(told.append)
    first = rebuild.enqueue(7)
    rebuild.enqueue(7)
    of = {"id": first.id, "queue": "default", "name": "rebuild"}
    assert told == [JobInserted(**of), JobConflicted(**of)]


def test_a_job_of_another_program_may_be_unique(app: Treadle) -> None:
    @app.external("MyApp.Mailer", unique=Unique(keys=["id"]))
    def mailer(id: int, lang: str = "en") -> None: ...  # noqa: A002 - the name that Elixir gave it

    assert [mailer.enqueue(1).conflict, mailer.enqueue(1, "de").conflict, mailer.enqueue(2).conflict] == [
        False,
        True,
        False,
    ]


def test_a_key_that_is_no_argument_is_refused_before_a_worker_claims(app: Treadle) -> None:
    @app.job(unique=Unique(keys=["user"]))
    def welcome(user_id: int) -> None: ...

    with pytest.raises(ConfigError, match=r'keys of unique to be among its arguments \(user_id\), got "user"'):
        app.worker().__enter__()
    assert welcome.name


def test_inline_jobs_make_room_as_they_end(app: Treadle, rebuild: Any) -> None:  # noqa: ANN401
    with app.testing(inline=True):
        assert [rebuild.enqueue(7).conflict, rebuild.enqueue(7).conflict] == [False, False]


def test_by_a_clock_that_is_moved_a_period_ends(app: Treadle) -> None:
    @app.job(unique=Unique(period=60, until="expiry"))
    def refresh(feed: int) -> None: ...

    with app.testing() as jobs:
        assert not refresh.enqueue(1).conflict
        jobs.advance(59)
        assert refresh.enqueue(1).conflict
        jobs.advance(2)
        assert not refresh.enqueue(1).conflict
