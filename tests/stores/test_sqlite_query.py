"""Queries as SQLite answers them: the same jobs as the pure evaluator says, by the index where there is one."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.core.queries import NOON, queries, views
from tests.stores.places import SqliteFile, beside, on
from tests.stores.searches import PLAIN, found, row
from treadle.core.job import JobView
from treadle.core.query import Where
from treadle.core.query_match import matches
from treadle.core.query_parser import parse
from treadle.core.states import State
from treadle.errors import QueryError
from treadle.stores import sql_search
from treadle.stores.job_query import JobQuery
from treadle.stores.sql_search import CHUNK, WINDOW, Table
from treadle.stores.sqlite_jobs import act
from treadle.stores.sqlite_query import SqliteTable, where_of
from treadle.stores.statements import statement
from treadle.testing.checks.bench import Bench

T = TypeVar("T")

NOW = NOON.timestamp()

COLUMNS = (*row(PLAIN),)
INSERT = f"INSERT INTO oban_jobs ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


def database(jobs: Sequence[JobView]) -> sqlite3.Connection:
    """These jobs as rows."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(statement("sqlite/schema"))
    connection.executemany(INSERT, [(*row(job).values(),) for job in jobs])
    return connection


def ids_of(connection: sqlite3.Connection, asked: str | Where) -> list[str]:
    """What is found, as of noon."""
    query = JobQuery(where=parse(asked) if isinstance(asked, str) else asked)
    return found(SqliteTable(connection), where_of(query.whole, NOW), query)


@settings(max_examples=400, deadline=None)
@given(st.lists(views, min_size=1, max_size=4), queries)
@example([], parse("state:available"))
def test_a_query_finds_the_same_jobs_as_the_pure_evaluator(jobs: list[JobView], where: Where) -> None:
    jobs = [msgspec.structs.replace(job, id=str(number)) for number, job in enumerate(jobs, 1)]
    wanted = [job.id for job in reversed(jobs) if matches(job, where, NOW)]
    connection = database(jobs)
    try:
        assert ids_of(connection, where) == wanted
    finally:
        connection.close()


STRANGE = (
    "",
    "x",
    "null",
    "5",
    '"text"',
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "[5]",
    '[{"error": 5}]',
    '["{}"]',
    '["x"]',
    '[{"error": "Timeout"}, "{\\"error\\": \\"late\\"}"]',
    "[" * 3000,
    '{"a": ' * 3000,
    b"\xff\xfe",
    b"[1]",
    7,
    1.5,
)
ASKED = (
    "error:late",
    "-error:late",
    "error:*",
    "args.a.b:1",
    "-args.a:*",
    "args.0:>1",
    "meta.x:null",
    "tag:*",
    "-tag:x*",
    "owner:*",
    "attempt:>0",
    "priority:0",
    "age:>1d",
    "-age:<1d",
    "due:<1h",
    "ran:>1h",
    "finished:>1h",
    "name:*",
    "x*y",
)


@pytest.mark.parametrize("text", ASKED)
def test_no_row_of_another_program_makes_a_query_fail(text: str) -> None:
    connection = database([])
    for column in COLUMNS[3:]:
        rows = [{**row(PLAIN), "id": None, column: value} for value in STRANGE]
        connection.executemany(INSERT, [(*values.values(),) for values in rows])
    both = [*ids_of(connection, text), *ids_of(connection, f"-({text})")]
    connection.close()
    assert len(both) == len(set(both)) == len(COLUMNS[3:]) * len(STRANGE)


def test_the_latest_error_is_asked_for_in_both_forms_of_it() -> None:
    connection = database([])
    for errors in STRANGE[10:14]:
        connection.execute("INSERT INTO oban_jobs (worker, errors) VALUES ('w', ?)", (errors,))
    assert ids_of(connection, "error:LATE") == ["4"]
    assert ids_of(connection, "error:Timeout") == []
    connection.close()


FORMS = (
    "2026-11-22T11:00:00.000000Z",
    "2026-11-22T11:00:00Z",
    "2026-11-22T11:00:00.000Z",
    "2026-11-22 11:00:00",
    "2026-11-22 11:00:00.000000",
    "2026-11-22T12:00:00+01:00",
)


@pytest.mark.parametrize("form", FORMS)
def test_ages_are_told_whatever_form_an_instant_has(form: str) -> None:
    connection = database([])
    connection.execute("INSERT INTO oban_jobs (worker, inserted_at) VALUES ('w', ?)", (form,))
    assert ids_of(connection, "age:>59m age:<61m") == ["1"]
    assert ids_of(connection, "age:>61m OR age:<59m") == []
    connection.close()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("of_states", {"states": '["retryable"]', "most": 10}),
        ("of_queues", {"states": '["retryable", "available"]', "queues": '["mail"]', "most": 10}),
    ],
)
def test_states_and_queues_are_looked_up_in_the_index(name: str, values: dict[str, object]) -> None:
    connection = database([])
    lines = [line[3] for line in connection.execute(f"EXPLAIN QUERY PLAN {statement(f'sqlite/{name}')}", values)]
    connection.close()
    wanted = "SEARCH oban_jobs USING COVERING INDEX oban_jobs_state_queue_priority_scheduled_at_id_index (state=?"
    assert any(line.startswith(wanted) and (("queue=?" in line) == ("queues" in values)) for line in lines), lines


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("match_ids", "SEARCH j USING INTEGER PRIMARY KEY (rowid=?)"),
        ("match", "SEARCH j USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("tally", "SEARCH j USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("window", "SEARCH oban_jobs USING INTEGER PRIMARY KEY (rowid<?)"),
    ],
)
def test_a_step_reads_its_own_rows_alone(name: str, way: str) -> None:
    connection = database([])
    values = {"states": "[]", "ids": "[]", "low": 1, "below": 2, "limit": 1, "size": 1}
    text = statement(f"sqlite/{name}").format(where="1 = 1")
    lines = [line[3] for line in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    connection.close()
    assert way in lines


def many(place: SqliteFile, number: int, *, states: str = "'completed'") -> None:
    """So many rows, numbered from 1."""
    beside(
        place,
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) INSERT INTO oban_jobs "  # noqa: S608
        f"(worker, state, queue, args) SELECT 'w' || (i % 10), {states}, 'q' || (i % 7), json_object('n', i) FROM n",
    )


def test_a_look_is_bounded_by_time_and_goes_on_where_it_ended(sqlite_file: SqliteFile) -> None:
    async def story(bench: Bench) -> list[tuple[list[str], int, bool]]:
        many(sqlite_file, 2 * WINDOW + 500)
        pages, after = list[tuple[list[str], int, bool]](), None
        while not pages or after is not None:
            query = JobQuery(where=parse("args.n:17 OR args.n:20300"), after=after, within=0)
            page = await bench.store.find(query)
            pages.append(([job.id for job in page], page.looked, page.complete))
            after = page.cursor
        return pages

    assert on(sqlite_file, story) == [(["20300"], WINDOW, False), ([], WINDOW, False), (["17"], 500, True)]


def test_a_count_is_bounded_by_time_and_goes_on_where_it_ended(sqlite_file: SqliteFile) -> None:
    async def story(bench: Bench) -> list[tuple[int, int, bool]]:
        many(sqlite_file, WINDOW + 500)
        first = await bench.store.tally(JobQuery(where=parse("args.n:>0"), within=0))
        second = await bench.store.tally(JobQuery(where=parse("args.n:>0"), after=first.cursor, within=0))
        return [(tally.states[State.COMPLETED], tally.looked, tally.cursor is None) for tally in (first, second)]

    assert on(sqlite_file, story) == [(WINDOW, WINDOW, False), (500, 500, True)]


def test_few_jobs_of_a_state_are_found_among_many_by_looking_at_them_alone(sqlite_file: SqliteFile) -> None:
    async def story(bench: Bench) -> list[tuple[list[str], int]]:
        many(sqlite_file, 3 * WINDOW, states="iif(i % 10000 = 5, 'retryable', 'completed')")
        texts = ("state:retryable", "state:retryable queue:q5", "(state:retryable OR state:executing) args.n:5", "id:7")
        pages = [await bench.store.find(JobQuery(where=parse(text))) for text in texts]
        return [([job.id for job in page], page.looked) for page in pages]

    assert on(sqlite_file, story) == [(["20005", "10005", "5"], 3), (["5"], 1), (["5"], 3), (["7"], 1)]


def test_an_action_takes_all_that_matches_page_by_page(sqlite_file: SqliteFile) -> None:
    async def story(bench: Bench) -> tuple[int, int, int]:
        many(sqlite_file, 3 * CHUNK, states="iif(i % 3 = 0, 'discarded', 'completed')")
        done = await bench.store.act("retry", JobQuery(where=parse("state:discarded")))
        again = await bench.store.act("retry", JobQuery(where=parse("state:discarded")))
        return done, again, await bench.store.act("delete", JobQuery(where=parse("args.n:>10 -state:available")))

    assert on(sqlite_file, story) == (CHUNK, 0, 2 * CHUNK - 7)


def test_a_job_that_moved_on_between_look_and_action_is_left_alone() -> None:
    connection = database([])
    connection.executemany("INSERT INTO oban_jobs (worker, state) VALUES ('w', ?)", [("discarded",)] * 3)

    table, where = SqliteTable(connection), where_of(parse("state:discarded"), NOW)

    async def read(step: Callable[[Table], T]) -> T:
        return step(table)

    async def story() -> int:
        [ids] = [page async for page in sql_search.pages(read, JobQuery(where=parse("state:discarded")), where)]
        connection.execute("UPDATE oban_jobs SET state = 'scheduled' WHERE id = 2")
        return act("retry", ids, where, NOW, connection)

    assert asyncio.run(story()) == 2
    assert connection.execute("SELECT state FROM oban_jobs WHERE id = 2").fetchone() == ("scheduled",)
    connection.close()


def test_a_cursor_that_no_page_gave_is_refused(sqlite_file: SqliteFile) -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(QueryError, match="expected `after` to be the cursor of a page of this store, got 'x'"):
            await bench.store.find(JobQuery(after="x"))

    on(sqlite_file, story)


@pytest.fixture
def sqlite_file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)
