"""Queries as PostgreSQL answers them: the same jobs as the pure evaluator says, by plans that end."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.core.queries import NOON, queries, views
from tests.stores.searches import PLAIN, found, row
from treadle.core.job import JobView
from treadle.core.query import Where
from treadle.core.query_match import matches
from treadle.core.query_parser import parse
from treadle.stores import migrations
from treadle.stores.job_query import JobQuery
from treadle.stores.postgres_connection import Link, Session
from treadle.stores.postgres_query import PostgresTable, where_of
from treadle.stores.sql_search import Window
from treadle.stores.statements import statement_in

CASTS = {
    "state": "::oban_job_state",
    "args": "::jsonb",
    "meta": "::jsonb",
    "tags": "::text[]",
    "attempted_by": "::text[]",
    "errors": "::jsonb[]",
}
STRANGE = (
    '{"a": 1}', "null", "5", '"text"', "[]", "[[1]]", '[{"0": 1}]', '{"a": {"b": 1e400}}', '{"x": null}',
)  # fmt: skip
ASKED = (
    "error:late", "-error:late", "error:*", "args.a.b:1", "args.a.b:>1", "-args.a:*", "args.0:>1", "args.-1:*",
    "meta.x:null", "tag:*", "-tag:x*", "owner:*", "attempt:>0", "age:>1d", "due:<1h", "ran:>1h", "finished:>1h", "x*y",
)  # fmt: skip


@pytest.fixture
def link(postgres_url: str) -> Iterator[Link]:
    with Link.connect(postgres_url, autocommit=True) as link:
        migrations.install(link, "public")
        yield link


def put(link: Link, jobs: Sequence[JobView]) -> None:
    """These jobs as rows; times are counted from the transaction's own."""
    for job in jobs:
        values: dict[str, Any] = dict(row(job))
        values["tags"], values["attempted_by"] = list(job.tags), json.loads(values["attempted_by"])
        values["errors"] = [json.dumps(error) for error in json.loads(values["errors"])]
        values |= {name: value and value.removesuffix("Z") for name, value in values.items() if name.endswith("_at")}
        columns = ", ".join(f'"{name}"' for name in values)
        places = ", ".join(f"%({name})s{CASTS.get(name, '')}" for name in values)
        text = f"INSERT INTO oban_jobs ({columns}) OVERRIDING SYSTEM VALUE VALUES ({places})"  # noqa: S608
        link.execute(text.encode(), values)


def ids_of(link: Link, asked: str | Where) -> list[str]:
    query = JobQuery(where=parse(asked) if isinstance(asked, str) else asked)
    return found(PostgresTable(Session(link, "public")), where_of(query.whole), query)


def clock(link: Link) -> float:
    """The server's, which stands within a transaction."""
    [[now]] = link.execute(b"SELECT extract(epoch FROM now())::float8").fetchall()
    return float(now)


def at_this_time(job: JobView, number: int, now: float) -> JobView:
    """A job as of noon, as of now; with values that the table takes."""
    moved = timedelta(seconds=now - NOON.timestamp())
    moments = {name: getattr(job, name) for name in ("inserted_at", "scheduled_at", "attempted_at", "finished_at")}
    shifted = {name: at and at + moved for name, at in moments.items()}
    return msgspec.structs.replace(job, id=str(number), **shifted)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(views, min_size=1, max_size=4), queries)
@example([PLAIN], parse("state:available age:>59m"))
def test_a_query_finds_the_same_jobs_as_the_pure_evaluator(link: Link, jobs: list[JobView], where: Where) -> None:
    with link.transaction(force_rollback=True):
        now = clock(link)
        kept = [at_this_time(job, number, now) for number, job in enumerate(jobs, 1)]
        put(link, kept)
        assert ids_of(link, where) == [job.id for job in reversed(kept) if matches(job, where, now)]


def test_no_row_of_another_program_makes_a_query_fail(link: Link) -> None:
    for value in STRANGE:
        link.execute(b"INSERT INTO oban_jobs (worker, args) VALUES ('w', %s::jsonb)", (value,))
        link.execute(b"INSERT INTO oban_jobs (worker, meta) VALUES ('w', %s::jsonb)", (value,))
        link.execute(b"INSERT INTO oban_jobs (worker, errors) VALUES ('w', ARRAY[%s::jsonb])", (value,))
    link.execute(
        b"INSERT INTO oban_jobs (worker, attempted_by, tags) VALUES ('w', ARRAY[NULL::text], ARRAY[NULL::text])"
    )
    for text in ASKED:
        both = [*ids_of(link, text), *ids_of(link, f"-({text})")]
        assert len(both) == len(set(both)) == 3 * len(STRANGE) + 1, text


def test_a_step_reads_its_own_rows_alone(link: Link) -> None:
    link.execute(
        b"INSERT INTO oban_jobs (worker, queue, state) SELECT 'w', 'q' || (i % 50), CASE WHEN i % 500 = 0 THEN "
        b"'retryable'::oban_job_state ELSE 'completed' END FROM generate_series(1, 50000) AS i"
    )
    link.execute(b"ANALYZE oban_jobs")
    where = where_of(parse("args.a:1 OR error:x OR tag:y"))
    values = {"states": ["retryable"], "queues": ["q0"], "most": 100, "ids": [1, 2, 3], "low": 40_000, "below": 41_000}
    values |= {"limit": 50, "size": 1_000, **where.values}
    for name in ("of_states", "of_queues", "match", "match_ids", "match_still", "tally", "tally_ids", "window"):
        text = statement_in("public", name).replace(b"{where}", where.text.encode())
        plan = "\n".join(str(line[0]) for line in link.execute(b"EXPLAIN " + text, values).fetchall())
        assert "Seq Scan on oban_jobs" not in plan, plan
        assert "oban_jobs" in plan, plan


def test_a_row_that_moved_on_is_left_alone(link: Link) -> None:
    put(link, [msgspec.structs.replace(PLAIN, id=str(number)) for number in (1, 2)])
    table, where = PostgresTable(Session(link, "public")), where_of(parse("state:available"))
    assert table.match(where, Window(0, 10), 5) == [2, 1]
    link.execute(b"UPDATE oban_jobs SET state = 'executing' WHERE id = 2")
    assert table.still(where, [1, 2]) == [1]
