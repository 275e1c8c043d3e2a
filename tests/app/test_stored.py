"""`app.jobs`: jobs found, counted, retried, cancelled and deleted by a query."""

import asyncio
from collections.abc import Iterator

import pytest

from treadle import Treadle
from treadle.core.states import State
from treadle.errors import BlockingCall, ConfigError, QueryError


def with_jobs(url: str) -> Treadle:
    app = Treadle(url)

    @app.job(queue="mail", tags=("vip",))
    def welcome(user_id: int, lang: str = "en") -> None: ...

    @app.job(aliases=["Charge"])
    def charge(amount: float, user_id: int, *items: str) -> None: ...

    app.enqueue_all([welcome.new(1), welcome.new(2, lang="de"), charge.new(9.5, 1, "a", "b"), charge.new(0.5, 2)])
    return app


@pytest.fixture(params=["sqlite", "redis"])
def app(request: pytest.FixtureRequest) -> Iterator[Treadle]:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    app = with_jobs(url)
    yield app
    app.close()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["charge", "charge", "welcome", "welcome"]),
        ("queue:mail", ["welcome", "welcome"]),
        ("args.user_id:1", ["charge", "welcome"]),
        ("args.user_id:1 -tag:vip", ["charge"]),
        ("args.lang:de", ["welcome"]),
        ("args.amount:>1", ["charge"]),
        ("args.items.1:b", ["charge"]),
        ("-args.items:*", ["charge", "welcome", "welcome"]),
        ("elco", ["welcome", "welcome"]),
    ],
)
def test_jobs_are_found_by_names_of_arguments_on_every_store(app: Treadle, text: str, names: list[str]) -> None:
    page = app.jobs.find(text)
    assert sorted(job.name for job in page) == names
    assert page.complete
    assert app.jobs.count(text) == len(names)


def test_a_page_goes_on_where_the_last_one_ended(app: Treadle) -> None:
    first = app.jobs.find("queue:mail", limit=1)
    second = app.jobs.find("queue:mail", limit=1, after=first.cursor)
    assert not first.complete
    assert {job.args["user_id"] if isinstance(job.args, dict) else job.args[0] for job in (*first, *second)} == {1, 2}


def test_actions_say_to_how_many_jobs_they_were_done(app: Treadle) -> None:
    assert app.jobs.cancel("args.lang:de") == 1
    assert app.jobs.delete("queue:mail state:available") == 1
    assert app.jobs.retry("state:available") == 0
    assert app.jobs.count("state:available") == 2


def test_the_same_is_there_for_coroutines(app: Treadle) -> None:
    async def story() -> tuple[int, int, int, int, int]:
        with pytest.raises(BlockingCall, match=r"use await app\.jobs\.afind there"):
            app.jobs.find("queue:mail")
        found, number = await app.jobs.afind("queue:mail"), await app.jobs.acount("queue:mail")
        done = await app.jobs.acancel("args.lang:de"), await app.jobs.aretry("state:retryable")
        return len(found), number, *done, await app.jobs.adelete("queue:default")

    assert asyncio.run(story()) == (2, 2, 1, 0, 2)


@pytest.mark.parametrize("action", ["retry", "cancel", "delete"])
@pytest.mark.parametrize("text", ["", " "])
def test_nothing_is_done_to_every_job_by_an_empty_query(app: Treadle, action: str, text: str) -> None:
    with pytest.raises(QueryError, match=rf"expected a query that says which jobs to {action}, got none"):
        getattr(app.jobs, action)(text)
    assert app.jobs.count("state:available") == 4


def test_bounds_are_checked(app: Treadle) -> None:
    for given in ({"limit": 0}, {"limit": "5"}, {"within": -1}, {"after": "x"}):
        with pytest.raises(ConfigError):
            app.jobs.find("", **given)


def test_a_job_that_is_found_does_not_show_its_arguments_when_it_is_printed(app: Treadle) -> None:
    [job] = app.jobs.find("args.amount:9.5")
    assert "9.5" not in repr(job)
    assert job.state is State.AVAILABLE
    assert repr(job) == f"JobView(id='{job.id}', state='available', name='charge', queue='default')"
