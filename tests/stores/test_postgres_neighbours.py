"""The PostgreSQL store beside Oban's programs on one table: what it shows them, and what it leaves to them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from tests.stores.elixir_tables import NEWEST, elixir_table
from tests.stores.places import Postgres
from treadle import Treadle
from treadle.core.controls import QueueControl
from treadle.core.outcomes import Completed, Discarded, SetAside
from treadle.core.states import State
from treadle.errors import ResultGone
from treadle.stores.claim import Demand
from treadle.stores.contract import Store
from treadle.stores.erlang import recorded
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, OTHER, OWNER, SHORT, Bench

AGES = dict.fromkeys((State.COMPLETED, State.DISCARDED, State.CANCELLED), SHORT)


class Scene:
    """A store with one enrolled owner, and a connection to look at its tables."""

    def __init__(self, place: Postgres, store: Store, connection: "psycopg.Connection[Any]") -> None:
        self.place = place
        self.store = store
        self.bench = Bench(store)
        self._connection = connection

    def rows(self, text: str, *values: object) -> list[Any]:
        cursor = self._connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def foreign(self, state: str, *, queue: str = "elixir", holders: str | None = "{ex-1,uuid}") -> str:
        """A row of another program, an hour old."""
        [(row,)] = self.rows(
            "INSERT INTO oban_jobs (worker, queue, state, attempted_by, attempted_at, completed_at, cancelled_at, "
            "discarded_at) SELECT 'MyApp.Mailer', %s, %s, %s, t, t, t, t "
            "FROM (SELECT timezone('UTC', now()) - interval '1 hour' AS t) AS past RETURNING id",
            *(queue, state, holders),
        )
        return str(row)

    def left(self) -> set[str]:
        return {str(row) for (row,) in self.rows("SELECT id FROM oban_jobs")}

    async def report(self, owner: str = OWNER, *, quiet: bool = False, **more: Any) -> None:
        queues = more.pop("queues", ("default", "mail"))
        await Bench(self.store, owner).report(*queues, concurrency=7, quiet=quiet, **more)


def play(url: str, story: Callable[[Scene], Awaitable[None]], tables: str = "") -> None:
    async def run() -> None:
        place = Postgres(url, tables=tables)
        async with place.store() as store:
            with psycopg.connect(url, autocommit=True) as connection:
                scene = Scene(place, store, connection)
                await scene.bench.enroll()
                await story(scene)

    asyncio.run(run())


def test_a_worker_shows_its_queues_as_producers_that_its_jobs_name(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.report()
        await scene.bench.put()
        await scene.bench.take()
        shown = scene.rows("SELECT name, node, queue, meta, started_at::text FROM oban_producers ORDER BY queue")
        meta = {"local_limit": 7, "paused": False}
        assert shown == [("Oban", OWNER, queue, meta, "2026-11-22 12:00:00") for queue in ("default", "mail")]
        joined = "SELECT p.queue FROM oban_jobs j JOIN oban_producers p ON p.uuid::text = j.attempted_by[2]"
        assert scene.rows(joined) == [("default",)]

    play(postgres_url, story)


def test_producers_come_back_are_kept_fresh_and_go_with_their_worker(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        foreign = "INSERT INTO oban_producers (uuid, node, queue) VALUES (gen_random_uuid(), 'py-1', 'python')"
        scene.rows(foreign)
        await scene.report()
        scene.rows("DELETE FROM oban_producers WHERE node = %s AND queue = 'mail'", OWNER)
        await scene.report(quiet=True)
        assert scene.rows("SELECT meta->'paused' FROM oban_producers WHERE node = %s", OWNER) == [(True,), (True,)]
        scene.rows("UPDATE oban_producers SET updated_at = updated_at - interval '50 seconds'")
        await scene.store.restamp(60.0)
        stale = "SELECT node FROM oban_producers WHERE updated_at < timezone('UTC', now()) - interval '15 seconds'"
        assert scene.rows(stale) == [("py-1",)], "others speak for themselves"
        await scene.store.leave(OWNER)
        assert scene.rows("SELECT node FROM oban_producers") == [("py-1",)]

    play(postgres_url, story)


def test_producers_bear_the_slots_and_the_pauses_of_their_queue_and_go_when_it_is_stopped(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        shown = "SELECT queue, meta FROM oban_producers WHERE node = %s ORDER BY queue"
        await scene.store.control(QueueControl(action="pause", queue="mail"), ["mail"])
        await scene.report(queues=("default", "mail", "narrow"), limits={"narrow": 2}, paused=("default",))
        assert scene.rows(shown, OWNER) == [
            ("default", {"local_limit": 5, "paused": True}),
            ("mail", {"local_limit": 5, "paused": True}),
            ("narrow", {"local_limit": 2, "paused": False}),
        ]
        await scene.store.control(QueueControl(action="resume", queue="mail"), ["mail"])
        await scene.report(queues=("mail",))
        assert scene.rows(shown, OWNER) == [("mail", {"local_limit": 7, "paused": False})]

    play(postgres_url, story)


def test_who_serves_queues_elsewhere_is_known_while_it_says_so(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.report()
        foreign = "INSERT INTO oban_producers (uuid, node, queue, updated_at) VALUES (gen_random_uuid(), %s, %s, {})"
        now, old = "timezone('UTC', now())", "timezone('UTC', now()) - interval '61 seconds'"
        for node, queue, at in (("py-1", "b", now), ("py-1", "a", now), ("gone", "c", old)):
            scene.rows(foreign.format(at), node, queue)
        found = {worker.name: (worker.program, worker.queues) for worker in await scene.store.workers()}
        assert found == {OWNER: ("treadle", ("default", "mail")), "py-1": ("oban", ("a", "b"))}

    play(postgres_url, story)


def test_a_worker_of_ours_that_died_as_it_left_is_not_taken_for_one_of_others(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.report()
        scene.rows("DELETE FROM treadle_owners")
        assert await scene.store.workers() == []
        scene.rows("UPDATE oban_producers SET updated_at = updated_at - interval '61 seconds'")
        scene.rows(
            "INSERT INTO oban_producers (uuid, node, queue, updated_at) "
            "VALUES (gen_random_uuid(), 'py-1', 'b', timezone('UTC', now()) - interval '61 seconds')"
        )
        await scene.store.restamp(60.0)
        assert scene.rows("SELECT node FROM oban_producers") == [("py-1",)]

    play(postgres_url, story)


def test_the_producers_of_a_dead_worker_go_when_it_is_rescued(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await Bench(scene.store, OTHER).enroll(SHORT)
        await scene.report()
        await scene.report(OTHER)
        await scene.place.elapse(2 * SHORT)
        assert (await scene.store.rescue(10)).owners == (OTHER,)
        assert scene.rows("SELECT DISTINCT node FROM oban_producers") == [(OWNER,)]

    play(postgres_url, story)


def test_what_others_run_is_neither_rescued_nor_stamped(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        running = scene.foreign("executing")
        before = scene.rows("SELECT state::text, attempted_at, attempted_by FROM oban_jobs")
        assert (await scene.store.rescue(10)).claims == 0
        assert await scene.store.restamp(1.0) == 0
        assert scene.rows("SELECT state::text, attempted_at, attempted_by FROM oban_jobs") == before
        assert scene.left() == {running}

    play(postgres_url, story)


def test_what_the_dead_ran_is_not_stamped_though_the_server_started_within_their_lease(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        day = 86_400.0
        dead = await Bench(scene.store, OTHER).enroll(day)
        await dead.put()
        await dead.take()
        await scene.place.elapse(2 * day)
        assert await scene.store.restamp(1.0) == 0

    play(postgres_url, story)


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
def test_what_others_ran_is_not_pruned(state: str, postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.report()
        theirs = {scene.foreign(state), scene.foreign(state, queue="default"), scene.foreign(state, holders="{ex-1}")}
        theirs |= {scene.foreign(state, holders=None), scene.foreign(state, holders="{}")}
        for holders in (None, "{}"):
            scene.foreign(state, queue="default", holders=holders)
        scene.foreign(state, holders="{a:1:x,uuid,0123456789ab}")
        assert await scene.store.prune(AGES, 100) == 3, (
            "what ran here, and what never ran in a queue that is served here"
        )
        assert scene.left() == theirs

    play(postgres_url, story)


def test_a_job_that_was_lost_is_still_ours_to_prune(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.store.insert([scene.bench.job(rerun=False)])
        await scene.bench.take()
        await scene.store.leave(OWNER)
        assert scene.rows("SELECT state::text FROM oban_jobs") == [("discarded",)]
        await scene.place.elapse(2 * SHORT)
        assert await scene.store.prune(AGES, 10) == 1

    play(postgres_url, story)


def test_a_value_stands_where_oban_keeps_it(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        value = json.dumps({"a": 1, "b": ["x", True, None, 1.5]}).encode()
        await scene.store.insert([scene.bench.job(meta={"for": "tests"})])
        [claim] = await scene.bench.take()
        assert await scene.bench.end([claim], Completed(value)) == ["applied"]
        assert scene.rows("SELECT meta FROM oban_jobs") == [
            (
                {
                    "for": "tests",
                    "recorded": True,
                    "return": "g3QAAAACbQAAAAFhYQFtAAAAAWJsAAAABG0AAAABeHMEdHJ1ZXMDbmlsRj/4AAAAAAAAag",
                },
            )
        ]
        [shown] = await scene.store.find(JobQuery())
        assert shown.meta == {"for": "tests"}

    play(postgres_url, story)


def test_a_value_that_another_program_recorded_is_read(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        job_id = scene.foreign("completed")
        meta = json.dumps({"recorded": True, "return": recorded(b'{"sum":7}')})
        scene.rows("UPDATE oban_jobs SET meta = %s", meta)
        ended = await scene.store.result(job_id)
        assert ended is not None
        assert (ended.state, json.loads(ended.value or b"")) == (State.COMPLETED, {"sum": 7})

    play(postgres_url, story)


def test_a_value_outlives_the_row_that_another_program_pruned(postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        await scene.bench.put(2)
        kept, lost = await scene.bench.take()
        await scene.bench.end([kept], Completed(b"7"))
        await scene.bench.end([lost], Discarded(FAILURE))
        scene.rows("DELETE FROM oban_jobs")
        ended = await scene.store.result(kept.job.id)
        assert ended is not None
        assert ended.value == b"7"
        assert await scene.store.result(lost.job.id) is None

    play(postgres_url, story)


def test_who_waits_for_a_job_that_is_gone_is_told(postgres_url: str) -> None:
    app = Treadle(postgres_url)

    @app.job(record=True)
    def total(number: int) -> int:
        return number

    async def run() -> None:
        handle = await total.aenqueue(1)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DELETE FROM oban_jobs")
        with pytest.raises(ResultGone, match=f"expected job {handle.id} to stand in the store"):
            await handle.aresult(timeout=30)
        await app.aclose()

    asyncio.run(run())
    app.close()


@pytest.mark.parametrize("version", range(9, NEWEST + 1))
def test_every_table_of_oban_2_is_worked_on_as_it_is(version: int, postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        bench = scene.bench
        await bench.put(2)
        done, aside = await bench.take()
        assert await bench.end([done]) == ["applied"]
        assert await bench.end([aside], SetAside(1)) == ["applied"]
        assert await bench.take() == [], "what was set aside does not run beside others"
        assert await scene.store.set_aside(["default"]) == 1
        [alone] = await scene.store.claim(OWNER, [Demand(("default",), 1, alone=True)])
        assert await bench.end([alone], Discarded(FAILURE)) == ["applied"]
        assert scene.rows("SELECT state::text FROM oban_jobs ORDER BY id") == [("completed",), ("discarded",)]

    play(postgres_url, story, elixir_table(version))


@pytest.mark.parametrize("version", [11, NEWEST])
def test_an_insert_is_told_once_even_where_a_trigger_tells_of_it_too(version: int, postgres_url: str) -> None:
    async def story(scene: Scene) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as ear:
            ear.execute('LISTEN "public.oban_insert"')
            await scene.bench.put(3)
            scene.rows("SELECT pg_notify('public.oban_insert', '{}')")
            heard = [notice.payload for notice in ear.notifies(timeout=20, stop_after=2)]
        assert [json.loads(payload) for payload in heard] == [{"queue": "default"}, {}]

    play(postgres_url, story, elixir_table(version))
