"""The SQLite store on Oban's table: beside rows of foreign programs, hostile rows, and clocks that step."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from tests.stores.places import SqliteFile, beside, on
from treadle.core.job import NewJob
from treadle.core.outcomes import Cancelled, Completed, Failure, Outcome, Released, Retried, SetAside, Snoozed
from treadle.core.states import State
from treadle.errors import ArgumentError
from treadle.stores.claim import Settled, Settlement
from treadle.stores.job_query import JobQuery
from treadle.stores.views import Result
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, OWNER, Bench, ids

# What Elixir's Oban.Migrations.SQLite makes (Oban 2.23.1 through ecto_sqlite3).
ELIXIR = """
CREATE TABLE "oban_jobs" ("id" INTEGER PRIMARY KEY AUTOINCREMENT, "state" TEXT DEFAULT 'available' NOT NULL,
  "queue" TEXT DEFAULT 'default' NOT NULL, "worker" TEXT NOT NULL, "args" JSON DEFAULT ('{}') NOT NULL,
  "meta" JSON DEFAULT ('{}') NOT NULL, "tags" JSON DEFAULT ('[]') NOT NULL, "errors" JSON DEFAULT ('[]') NOT NULL,
  "attempt" INTEGER DEFAULT 0 NOT NULL, "max_attempts" INTEGER DEFAULT 20 NOT NULL,
  "priority" INTEGER DEFAULT 0 NOT NULL,
  "inserted_at" TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ','now')) NOT NULL,
  "scheduled_at" TEXT DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ','now')) NOT NULL,
  "attempted_at" TEXT, "attempted_by" JSON DEFAULT ('[]') NOT NULL,
  "cancelled_at" TEXT, "completed_at" TEXT, "discarded_at" TEXT);
CREATE INDEX "oban_jobs_state_queue_priority_scheduled_at_id_index"
  ON "oban_jobs" ("state", "queue", "priority", "scheduled_at", "id");
"""


@pytest.fixture
def place(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)


@pytest.fixture
def elixirs(place: SqliteFile) -> SqliteFile:
    """A file that Elixir's migration made."""
    connection = sqlite3.connect(place.path)
    connection.executescript(ELIXIR)
    connection.close()
    return place


def test_the_table_is_the_one_that_elixir_makes(place: SqliteFile, tmp_path: Path) -> None:
    on(place, lambda bench: bench.put())
    theirs = sqlite3.connect(":memory:")
    theirs.executescript(ELIXIR)
    for question in (
        "PRAGMA table_info(oban_jobs)",
        "PRAGMA index_info(oban_jobs_state_queue_priority_scheduled_at_id_index)",
    ):
        assert beside(place, question) == theirs.execute(question).fetchall()
    theirs.close()


def test_jobs_of_elixir_are_run_on_the_table_of_elixir(elixirs: SqliteFile) -> None:
    beside(elixirs, "INSERT INTO oban_jobs (worker, args) VALUES ('MyApp.Mailer', '{\"id\":1}')")
    beside(elixirs, "INSERT INTO oban_jobs (worker, scheduled_at) VALUES ('MyApp.Old', '2026-11-22 08:00:00')")

    async def story(bench: Bench) -> list[str]:
        names = [claim.job.name for claim in await bench.take()]
        assert await bench.end(await bench.store.held(OWNER)) == ["applied"] * 2
        return names

    assert on(elixirs, story) == ["MyApp.Old", "MyApp.Mailer"]
    assert beside(elixirs, "SELECT DISTINCT state FROM oban_jobs") == [("completed",)]


def test_what_is_written_is_what_elixir_reads(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(2)
        one, _ = await bench.take()
        await bench.end([one], Retried(60, Failure("ValueError", "no")))

    on(place, story)
    retried, executing = beside(
        place,
        "SELECT state, args, meta, tags, errors, attempt, inserted_at, scheduled_at, attempted_at FROM oban_jobs",
    )
    noon, later = "2026-11-22T12:00:00.000000Z", "2026-11-22T12:01:00.000000Z"
    error = f'[{{"at":"{noon}","attempt":1,"error":"ValueError: no"}}]'
    assert retried == ("retryable", "{}", "{}", "[]", error, 1, noon, later, noon)
    assert executing == ("executing", "{}", "{}", "[]", "[]", 1, noon, noon, noon)


def test_an_error_is_added_behind_those_of_elixir(elixirs: SqliteFile) -> None:
    old = r'["{\"at\":\"2026-11-22T08:07:38.898118Z\",\"attempt\":1,\"error\":\"boom\"}"]'
    beside(elixirs, "INSERT INTO oban_jobs (worker, errors, attempt) VALUES ('W', ?, 1)", (old,))
    beside(elixirs, "INSERT INTO oban_jobs (worker, errors) VALUES ('W', 'broken')")

    async def story(bench: Bench) -> list[list[str]]:
        await bench.end(await bench.take(), Retried(60, FAILURE))
        found = await bench.store.find(JobQuery(name="W"))
        return [[error.error for error in view.errors] for view in reversed(found)]

    assert on(elixirs, story) == [["boom", "ValueError: no such user"], ["ValueError: no such user"]]


def test_a_snooze_is_counted_in_meta_and_keeps_what_stands_there(elixirs: SqliteFile) -> None:
    beside(elixirs, 'INSERT INTO oban_jobs (worker, meta) VALUES (\'W\', \'{"trace":"x","snoozed":2}\')')
    on(elixirs, snooze_all)
    assert beside(elixirs, "SELECT state, attempt, meta FROM oban_jobs") == [
        ("scheduled", 0, '{"trace":"x","snoozed":3}')
    ]


async def snooze_all(bench: Bench) -> None:
    await bench.end(await bench.take(), Snoozed(60))


def test_a_time_with_a_blank_is_not_due_before_its_hour(elixirs: SqliteFile) -> None:
    insert = "INSERT INTO oban_jobs (worker, state, scheduled_at) VALUES ('W', 'scheduled', ?)"
    for due in ("2026-11-22 20:00:00", "2026-11-22T20:00:00Z", "never", "2026-11-22 08:00:00", "2026-11-22T08:00:00Z"):
        beside(elixirs, insert, (due,))
    assert on(elixirs, lambda bench: bench.store.stage(10)) == 2
    assert beside(elixirs, "SELECT id FROM oban_jobs WHERE state = 'available'") == [(4,), (5,)]


HOSTILE = [
    ("args", "7"),
    ("args", '"text"'),
    ("args", "{"),
    ("args", "[" * 91 + "]" * 91),
    ("args", b"\xff\xfe"),
    ("meta", "[]"),
    ("meta", "{"),
    ("attempt", 20),
    ("attempt", "many"),
]


@pytest.mark.parametrize(("column", "value"), HOSTILE)
def test_a_hostile_row_is_discarded_and_blocks_nobody(
    elixirs: SqliteFile, caplog: pytest.LogCaptureFixture, column: str, value: object
) -> None:
    # Due before the sound one, whatever the machine's clock says beside the store's.
    columns = f"scheduled_at, worker, {column}"
    due = f"INSERT INTO oban_jobs ({columns}) VALUES ('2020-01-01T00:00:00Z', CAST(x'ff' AS TEXT), ?)"  # noqa: S608
    for _ in range(25):
        beside(elixirs, due, (value,))

    async def story(bench: Bench) -> list[str]:
        (sound,) = await bench.put()
        with caplog.at_level(logging.WARNING, "treadle"):
            assert ids(await bench.take(1)) == [sound]
        assert await bench.number(State.DISCARDED) == 25
        return [view.errors[0].error for view in await bench.store.find(JobQuery(state=State.DISCARDED))]

    assert all(on(elixirs, story))
    assert len(caplog.records) == 25


def test_rows_of_foreign_owners_are_left_to_them(elixirs: SqliteFile) -> None:
    by = ['["elixir@host"]', '["elixir@host","3f0b6a4e"]', "[]", "broken", '{"a":1}']
    for text in by:
        insert = "INSERT INTO oban_jobs (worker, state, attempted_by) VALUES ('W', 'executing', ?)"
        beside(elixirs, insert, (text,))

    async def story(bench: Bench) -> None:
        elixirs.clock.advance(1e6)
        assert (await bench.store.rescue(10)).claims == 0
        assert list(await bench.store.held("elixir@host")) == []
        assert (await bench.store.work([OWNER], ["default"])).others == {}
        assert await bench.number(State.EXECUTING) == len(by)
        assert await bench.store.act("cancel", JobQuery(name="W")) == len(by)
        assert await bench.number(State.CANCELLED) == len(by)

    on(elixirs, story)


def test_a_foreign_cancel_ends_that_claim_alone(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(3)
        claims = await bench.take()
        beside(place, "UPDATE oban_jobs SET state = 'cancelled', cancelled_at = 'x' WHERE id = ?", (claims[1].job.id,))
        held = await bench.store.held(OWNER)
        assert ids(list(held)) == [claims[0].job.id, claims[2].job.id]
        answers = await bench.settle(claims)
        assert [answer.answer for answer in answers] == ["applied", "gone", "applied"]
        assert answers[1] == Settled("gone", State.CANCELLED)

    on(place, story)


def test_a_deleted_row_is_gone_without_a_state(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put()
        claims = await bench.take()
        beside(place, "DELETE FROM oban_jobs")
        assert await bench.settle(claims) == [Settled("gone")]

    on(place, story)


def test_a_row_that_a_peer_suspended_is_never_touched(elixirs: SqliteFile) -> None:
    beside(elixirs, "INSERT INTO oban_jobs (worker, state) VALUES ('W', 'suspended')")

    async def story(bench: Bench) -> None:
        assert await bench.take() == []
        assert await bench.take(10, alone=True) == []
        assert await bench.store.set_aside(["default"]) == 0
        for action in ("retry", "cancel", "delete"):
            assert await bench.store.act(action, JobQuery(name="W")) == 0
        assert await bench.number(State.SUSPENDED) == 1

    on(elixirs, story)


@pytest.mark.parametrize("state", ["completed", "discarded", "cancelled"])
def test_what_a_peer_ran_is_not_pruned(elixirs: SqliteFile, state: str) -> None:
    def ended(queue: str, holders: str) -> object:
        [(row,)] = beside(
            elixirs,
            "INSERT INTO oban_jobs (worker, queue, state, attempted_by, scheduled_at, completed_at, discarded_at, "
            "cancelled_at) SELECT 'W', ?, ?, ?, t, t, t, t FROM (SELECT '2026-11-22T08:00:00' AS t) RETURNING id",
            (queue, state, holders),
        )
        return row

    async def story(bench: Bench) -> int:
        await bench.report()
        return await bench.store.prune({State(state): LONG}, 100)

    theirs = {ended(queue, '["ex-1","uuid"]') for queue in ("mail", "default")}
    theirs |= {ended("mail", holders) for holders in ("[]", '["ex-1"]', "no JSON")}
    for queue, holders in (("default", "[]"), ("mail", '["a:1:x","uuid","0123456789ab"]')):
        ended(queue, holders)
    assert on(elixirs, story) == 2, "what ran here, and what never ran in a queue that is served here"
    assert {row for (row,) in beside(elixirs, "SELECT id FROM oban_jobs")} == theirs


def test_a_suspect_that_a_peer_made_available_is_one_no_more(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put()
        await bench.end([await bench.take_one()], SetAside(2))
        beside(place, "UPDATE oban_jobs SET state = 'available'")
        (claim,) = await bench.take()
        assert claim.job.deaths == 0
        await bench.store.leave(OWNER)
        assert await bench.number(State.AVAILABLE) == 1

    on(place, story)


def test_a_bulk_insert_with_one_bad_job_inserts_none(place: SqliteFile) -> None:
    async def story(bench: Bench) -> int:
        bad = NewJob(name="w", queue="default", args=b"[1]", max_attempts=1)
        with pytest.raises(ArgumentError, match="JSON object"):
            await bench.store.insert([bench.job(), bad, bench.job()])
        far = NewJob(name="w", queue="default", args=b"{}", max_attempts=1, at=1e12)
        with pytest.raises(ArgumentError, match="year"):
            await bench.store.insert([bench.job(), far])
        return await bench.number(State.AVAILABLE)

    assert on(place, story) == 0


def test_inserts_that_wait_together_keep_their_own_ids(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        inserting = [asyncio.ensure_future(bench.put(count)) for count in (1, 3, 0, 700, 600, 2)]
        inserted = [job_id for future in inserting for job_id in await future]
        assert inserted == [str(number) for number in range(1, 1_307)]
        assert await bench.number(State.AVAILABLE) == 1_306

    on(place, story)


def test_a_wish_to_cancel_outlives_the_worker(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(3)
        left, failed, untouched = await bench.take()
        for claim in (left, failed):
            await bench.store.act("cancel", bench.one(claim.job.id))
        assert await bench.end([failed], Retried(1, FAILURE)) == ["applied"]
        assert await bench.end([failed], Retried(1, FAILURE)) == ["repeated"]
        assert await bench.store.leave(OWNER) == 2
        states = {view.id: view.state for view in await bench.store.find(JobQuery())}
        wanted = {left.job.id: State.CANCELLED, failed.job.id: State.CANCELLED, untouched.job.id: State.AVAILABLE}
        assert states == wanted

    on(place, story)


def test_the_reason_of_a_cancel_is_told(place: SqliteFile) -> None:
    async def story(bench: Bench) -> Result | None:
        (job_id,) = await bench.put()
        await bench.end([await bench.take_one()], Cancelled("no longer wanted"))
        return await bench.store.result(job_id)

    ended = on(place, story)
    assert ended
    assert (ended.state, ended.error) == (State.CANCELLED, "no longer wanted")


def test_a_result_outlives_its_pruned_job_for_a_day(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        (job_id,) = await bench.put()
        await bench.store.settle(OWNER, [Settlement(await bench.take_one(), Completed(b"7"))])
        place.clock.advance(3600)
        assert await bench.store.prune({State.COMPLETED: 60}, 10) == 1
        ended = await bench.store.result(job_id)
        assert ended
        assert ended.value == b"7"
        place.clock.advance(86_400)
        await bench.store.prune({}, 10)
        assert await bench.store.result(job_id) is None

    on(place, story)


def test_a_step_of_the_wall_clock_kills_nobody(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        for step in (7_200.0, -14_400.0):
            place.clock.step(step)
            assert (await bench.store.rescue(10)).owners == ()
        place.clock.advance(2 * LONG)
        assert (await bench.store.rescue(10)).owners == (OWNER,)

    on(place, story)


def test_an_owner_of_another_boot_is_dead(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put()
        await bench.take()
        beside(place, "UPDATE treadle_owners SET boot = 'another'")
        assert list((await bench.store.work([OTHER], ["default"])).others) == [OWNER]
        rescued = await bench.store.rescue(10)
        assert (rescued.owners, rescued.claims) == ((OWNER,), 1)

    on(place, story)


def test_a_steady_clock_that_began_again_is_another_boot(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        beside(place, "UPDATE treadle_owners SET beat = beat + 100")
        assert (await bench.store.rescue(10)).owners == (OWNER,)

    on(place, story)


def test_claims_of_an_owner_that_nobody_knows_come_back(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        await bench.put(2)
        claims = await bench.take()
        beside(place, "DELETE FROM treadle_owners")
        assert (await bench.store.rescue(1)).claims == 1
        assert (await bench.store.rescue(10)).claims == 1
        assert await bench.end(claims) == ["gone"] * 2

    on(place, story)


def test_an_id_of_another_store_finds_nothing(place: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        for strange in ("", "b4a577edbccf1d805744efa9", "-1", "1" * 40, "\u0661"):
            assert list(await bench.store.find(bench.one(strange))) == []
            assert await bench.store.result(strange) is None
            assert await bench.store.act("delete", bench.one(strange)) == 0

    on(place, story)


def test_no_outcome_keeps_its_neighbours_from_being_settled(place: SqliteFile) -> None:
    wild: list[Outcome] = [Snoozed(1e300), Snoozed(float("nan")), Released(1e15), Retried(float("inf"), FAILURE)]
    told: list[Outcome] = [Cancelled("\ud800 \x00"), Retried(1, Failure("E", "\ud800", "\x00" * 100_000))]

    async def story(bench: Bench) -> None:
        await bench.put(7)
        outcomes = [*wild, *told, Completed()]
        settlements = [Settlement(*pair) for pair in zip(await bench.take(), outcomes, strict=True)]
        answers = await bench.store.settle(OWNER, settlements)
        assert [answer.answer for answer in answers] == ["applied"] * 7
        assert len(await bench.store.find(JobQuery())) == 7

    on(place, story)
