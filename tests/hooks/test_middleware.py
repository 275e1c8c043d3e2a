"""Middleware wraps inserts and runs, the first one outermost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest

from treadle.core.job import Inserted, Job, NewJob
from treadle.hooks.middleware import AroundInsert, AroundPerform, InsertNext, insert_within, perform_within

JOB = Job("7", "work", "default", b"[]", 1, 20)
NEW = NewJob(name="work", queue="default", args=b"[]", max_attempts=20)


def performing(name: str, said: list[str]) -> AroundPerform:
    async def middleware(job: Job, call_next: Callable[[], Awaitable[object]]) -> object:
        said.append(f"{name} before {job.name}")
        try:
            return f"{name}({await call_next()})"
        finally:
            said.append(f"{name} after")

    return middleware


def inserting(name: str, said: list[str]) -> AroundInsert:
    async def middleware(jobs: Sequence[NewJob], call_next: InsertNext) -> Sequence[Inserted]:
        said.append(f"{name} before")
        inserted = await call_next([msgspec.structs.replace(job, queue=f"{job.queue} {name}") for job in jobs])
        said.append(f"{name} after")
        return inserted

    return middleware


async def body() -> str:
    return "body"


async def broken() -> str:
    raise ValueError("no")


def test_the_first_middleware_is_the_outermost_around_a_run() -> None:
    said: list[str] = []
    value = asyncio.run(_perform([performing("a", said), performing("b", said)], body))
    assert value == "a(b(body))"
    assert said == ["a before work", "b before work", "b after", "a after"]


def test_what_a_body_raises_passes_through_every_middleware() -> None:
    said: list[str] = []
    with pytest.raises(ValueError, match="no"):
        asyncio.run(_perform([performing("a", said), performing("b", said)], broken))
    assert said == ["a before work", "b before work", "b after", "a after"]


def test_without_middleware_the_body_runs_alone() -> None:
    assert asyncio.run(_perform([], body)) == "body"


def test_the_first_middleware_is_the_outermost_around_an_insert_and_may_change_the_jobs() -> None:
    said: list[str] = []
    inserted: list[NewJob] = []

    async def insert(jobs: Sequence[NewJob]) -> Sequence[Inserted]:
        inserted.extend(jobs)
        return [Inserted("7")]

    async def story() -> Sequence[Inserted]:
        return await insert_within([inserting("a", said), inserting("b", said)], [NEW], insert)

    assert asyncio.run(story()) == [Inserted("7")]
    assert [job.queue for job in inserted] == ["default a b"]
    assert said == ["a before", "b before", "b after", "a after"]


async def _perform(around: Sequence[AroundPerform], of: Callable[[], Awaitable[object]]) -> object:
    return await perform_within(around, JOB, of)
