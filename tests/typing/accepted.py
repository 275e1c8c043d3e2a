"""What both type checkers take, and what they know of it; test_typing.py has it checked, and nothing here runs."""

# pyright: strict

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import assert_type

from treadle import Cancel, Handle, Inject, Job, Jobs, ResultHandle, Retry, Snooze, Treadle, Unique, current_job
from treadle.app.function import NewCall
from treadle.core.found import Page
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.hooks.events import JobCompleted
from treadle.hooks.middleware import PerformNext

app = Treadle("sqlite://", include=["shop.*.jobs"], defaults={"queue": "mail", "timeout": 30}, unknown="fail")
notebook = Treadle(sync_in_loop="allow")


class Connection:
    """Something that a provider gives."""


def connect() -> Iterator[Connection]:
    yield Connection()


async def connect_later() -> AsyncIterator[Connection]:
    yield Connection()


# Declaring


@app.job(unique=Unique(until="start", period=None, keys=["user_id"], replace={"scheduled": ["scheduled_at", "args"]}))
def kept_once(user_id: int) -> None: ...


assert_type(kept_once.enqueue(1).conflict, bool)
kept_once.options(unique=None).enqueue(1)
kept_once.options(unique=Unique(fields=("args", "meta"), states=["available", "scheduled"])).enqueue(1)
kept_once.options(unique=Unique(states="incomplete", timestamp="scheduled_at")).enqueue(1)


@app.job
def plain(user_id: int, lang: str = "en") -> str:
    return f"{user_id} {lang}"


@app.job()
async def plain_later(user_id: int) -> str:
    return str(user_id)


@app.job(
    name="MyApp.Full",
    aliases=["MyApp::Full"],
    queue="mail",
    max_attempts=5,
    timeout=None,
    executor="process",
    backoff=lambda attempt: attempt * 2.0,
    record=False,
    retry_on=OSError,
    discard_on=(ValueError, KeyError),
    expires=60,
    rerun=False,
    priority=9,
    tags=("new",),
    meta={"team": "shop", "level": 1},
    redact=["password"],
)
def full(*numbers: int) -> None: ...


@app.job(record=True)
def kept(user_id: int) -> str:
    return str(user_id)


@app.job(record=True, queue="slow")
async def kept_later(
    user_id: int, *, db: Connection = Inject(connect), other: Connection = Inject(connect_later), job: Job = Inject()
) -> list[int]:
    assert_type(job, Job)
    return [user_id]


@app.job
def stops(how: int) -> None:
    assert_type(current_job(), Job)
    match how:
        case 1:
            raise Snooze(60)
        case 2:
            raise Cancel("why")
        case _:
            raise Retry(60)


@app.external("MyApp.Mailer", queue="elixir", tags=["mail"])
def mailer(id: int, lang: str = "en") -> None: ...  # noqa: A002 - the other program's name for it


library = Jobs()


@library.job(record=True)
async def monthly(year: int) -> dict[str, float]:
    return {"sum": year}


app.include(library)

# Calling


assert_type(plain(1, lang="de"), str)
assert_type(plain.name, str)

# Enqueueing

assert_type(plain.enqueue(1), Handle)
assert_type(plain.enqueue(1, "de"), Handle)
assert_type(plain.enqueue(user_id=1, lang="de"), Handle)
assert_type(plain_later.enqueue(1), Handle)
assert_type(full.enqueue(1, 2, 3), Handle)
assert_type(kept.enqueue(1), ResultHandle[str])
assert_type(kept_later.enqueue(1), ResultHandle[list[int]])
assert_type(monthly.enqueue(2026), ResultHandle[dict[str, float]])
assert_type(mailer.enqueue(1, lang="de"), Handle)
assert_type(app.enqueue("MyApp.Mailer", {"id": 1}, queue="elixir"), Handle)
assert_type(app.enqueue("MyApp.Mailer", [1]), Handle)

noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
assert_type(kept.options(delay=5, queue="slow", tags=["a"], meta={"b": 1}).enqueue(1), ResultHandle[str])
assert_type(kept_later.options(at=noon, max_attempts=1).options(priority=1).enqueue(1), ResultHandle[list[int]])
assert_type(plain.options(at=1_800_000_000.5).enqueue(1, lang="de"), Handle)
assert_type(mailer.options(delay=0.5).enqueue(1), Handle)
assert_type(kept.options(tx=Connection()).enqueue(1), ResultHandle[str])
assert_type(app.enqueue_all([kept.new(1)], tx="auto"), list[ResultHandle[str]])
assert_type(app.enqueue("kept", {"user_id": 1}, tx=Connection()), Handle)
assert_type(kept.options(after_commit="default").enqueue(1), ResultHandle[str])

assert_type(plain.new(1, "de"), NewCall[Handle])
assert_type(kept.options(delay=5).new(1), NewCall[ResultHandle[str]])
assert_type(app.enqueue_all([kept.new(1), kept.options(delay=5).new(2)]), list[ResultHandle[str]])
assert_type(app.enqueue_all([kept.new(number) for number in range(5)]), list[ResultHandle[str]])
assert_type(app.enqueue_all([plain.new(1), mailer.new(1)]), list[Handle])
mixed: list[Handle] = app.enqueue_all([plain.new(1), kept.new(2)])


async def enqueue_later() -> None:
    assert_type(await plain.aenqueue(1), Handle)
    assert_type(await kept.aenqueue(1), ResultHandle[str])
    assert_type(await kept_later.aenqueue(1), ResultHandle[list[int]])
    assert_type(await app.aenqueue("MyApp.Mailer", {"id": 1}), Handle)
    assert_type(await app.aenqueue_all([kept.new(1)]), list[ResultHandle[str]])


# Waiting

assert_type(kept.enqueue(1).result(), str)
assert_type(kept_later.enqueue(1).result(timeout=10), list[int])
assert_type(plain.enqueue(1).status(), State | None)
assert_type(plain.enqueue(1).cancel(), bool)
assert_type(plain.enqueue(1).id, str)
assert_type(kept.handle("7"), ResultHandle[str])
assert_type(plain.handle("7"), Handle)
assert_type(app.jobs.get("7"), Handle)
assert_type(app.jobs.find("state:retryable", limit=5), Page)
assert_type(app.jobs.find()[0], JobView)
assert_type([job.state for job in app.jobs.find()], list[State])
assert_type(app.jobs.find().cursor, str | None)
assert_type(app.jobs.retry("state:discarded"), int)


async def wait() -> None:
    assert_type(await (await kept.aenqueue(1)), str)
    assert_type(await (await kept_later.options(delay=5).aenqueue(1)), list[int])
    assert_type(await (await kept_later.aenqueue(1)).aresult(timeout=10), list[int])
    assert_type([await handle for handle in await app.aenqueue_all([kept.new(1)])], list[str])
    assert_type(await (await plain.aenqueue(1)).astatus(), State | None)
    assert_type(await app.jobs.afind("queue:mail"), Page)
    assert_type(await app.jobs.acount("queue:mail"), int)


# Around


@kept.on_discard
def give_up(job: Job, error: BaseException) -> None: ...


@kept_later.on_discard
async def give_up_later(job: Job, error: BaseException) -> None: ...


@app.on(JobCompleted)
def listen(event: JobCompleted) -> None:
    assert_type(event.seconds, float)


@app.around_perform
async def within(job: Job, call_next: PerformNext) -> object:
    return await call_next()


give_up(Job("1", "kept", "mail", b"[]", 1, 1), ValueError())


@app.lifespan
async def opened(app: Treadle) -> AsyncIterator[None]:
    assert_type(app.url, str)
    yield


def script() -> None:
    assert_type(app.work(processes=4, drain=True, log_level="debug")["completed"], int)
    with app.worker(queues=["mail"]):
        assert_type(kept.enqueue(1).result(), str)


@app.cron("0 9 * * MON-FRI", tz="Europe/Paris", name="above", catch_up="last")
@app.job(record=True)
@app.cron("@daily", args={"user_id": 1}, days="both")
def digest(user_id: int) -> str:
    return str(user_id)


async def crontab() -> None:
    assert_type(digest(1), str)
    assert_type(digest.enqueue(1).result(), str)
    app.crons.add("@hourly", digest.new(1), name="hourly", tz="Asia/Tokyo")
    await app.crons.aadd("@hourly", digest, catch_up="all")
    assert_type(await app.crons.anext("hourly", 3), Sequence[datetime])
    assert_type(app.crons.run("hourly"), Handle)
    assert_type([view.next for view in app.crons.list()], list[datetime | None])


def test() -> None:
    with app.override(connect, Connection()) as connection, app.testing() as jobs:
        assert_type(connection, Connection)
        assert_type(jobs.run(kept, 1), str)
        assert_type(jobs.run(kept_later, 1, attempt=3), list[int])
        assert_type(jobs.run(full, 1, 2), None)
        jobs.drain()
        jobs.advance(60)
        jobs.enqueued(kept, user_id=42)


async def serve() -> None:
    assert_type((await app.awork(drain=True))["completed"], int)
    async with app.testing(inline=True) as jobs:
        assert_type(await jobs.arun(kept_later, 1), list[int])
    async with app.worker(queues={"mail": 2}, concurrency=4):
        assert_type(await kept_later(1, db=Connection(), other=Connection()), list[int])
        assert_type(await plain_later(1), str)
