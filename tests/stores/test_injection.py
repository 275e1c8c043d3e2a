"""Names that would be code where they were pasted into a statement: values are bound, and identifiers are checked."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import sqlglot
from sqlglot import exp

from tests.postgres_proxy import PostgresProxy
from treadle import Treadle
from treadle.app.function import NewCall
from treadle.core.arguments import Shape
from treadle.core.job import NewJob
from treadle.errors import ArgumentError, ConfigError, UnknownCron, UnknownNode, UnknownQueue
from treadle.stores.statements import statement, statement_in

BEGINNINGS = (
    *("", "'", '"', "''", '""', "\\'", '\\"', "`", "$$", "$treadle$", ")", "')", '")', "'))", "*/", "/*", "--"),
    *("%s", "%(ids)s", "{schema}", "{where}", ":'schema'", "?1", "\u2019", "\u02bc"),
)
ENDINGS = (
    *("; DROP TABLE victims; --", "; DELETE FROM victims; --", "; UPDATE victims SET secret = 'no'; --"),
    *("\n; TRUNCATE victims; --", "\t*/; DROP TABLE victims /*", "; COPY victims TO PROGRAM 'id'; --"),
    *(" OR victims IS NULL --", " UNION SELECT secret FROM victims --", "||(SELECT secret FROM victims)||"),
    *("; ATTACH 'victims' AS x; --", "; SELECT pg_notify('victims', '')", "; SET ROLE victims; --", "; victims:=1"),
    *("'; victims('", '"; victims("', " AND victims(1)=1", "%00victims", "\\x00victims", "&victims=1", "#victims"),
)
CORPUS = [beginning + ending for beginning, ending in product(BEGINNINGS, ENDINGS)]
VICTIMS = "CREATE TABLE victims (secret text); INSERT INTO victims VALUES ('kept')"
REFUSALS = (ConfigError, ArgumentError, UnknownQueue, UnknownNode, UnknownCron)
Use = Callable[[], object]

PACKAGE = Path(__file__).parent.parent.parent / "src" / "treadle" / "stores" / "sql"
# What the parser of these tests does not know: placeholders of psql, and columns of SQLite's json_each.
UNREAD = {
    *("sqlite/at_path", "sqlite/step_of_path", "sqlite/result", "sqlite/taken", "sqlite/waiting"),
    *("sqlite/waiting_alone", "migrations/lock"),
}

# A savepoint is read as an alias.
ALLOWED = {
    "Alias",
    "Select",
    "Insert",
    "Update",
    "Delete",
    "Transaction",
    "Commit",
    "Rollback",
    "Set",
    "Command",
    "Create",
}

each_part = pytest.mark.parametrize(
    "names", [pytest.param(CORPUS[::23], id="some"), pytest.param(CORPUS, id="all", marks=pytest.mark.chaos)]
)


def test_the_corpus_is_of_five_hundred_names() -> None:
    assert len(set(CORPUS)) == 500


@pytest.mark.parametrize("folder", ["postgres", "sqlite", "migrations", "migrations/alter"])
def test_every_statement_is_read_by_a_parser_with_the_schema_as_a_name_and_nothing_else(folder: str) -> None:
    for path in (PACKAGE / folder).glob("*.sql"):
        name = f"{folder}/{path.stem}"
        text = statement_in("Jobs-2", path.stem).decode() if folder == "postgres" else statement(name)
        if name in UNREAD:
            continue
        dialect = "sqlite" if folder == "sqlite" else "postgres"
        tree = read(text.replace("{where}", "TRUE"), dialect)
        tables = [table for part in tree if part for table in part.find_all(exp.Table)]
        assert all(table.args["db"].quoted for table in tables if table.db == "Jobs-2"), name
        if folder == "postgres":
            assert len(tree) == 1, name
            bare = {table.name for table in tables if not table.db and not table.name.startswith("pg_")}
            assert bare <= {"", *defined(tree), *(table.alias for table in tables)}, name


@each_part
def test_no_name_is_a_schema(names: list[str]) -> None:
    for name in names:
        url = f"postgresql://127.0.0.1:1/none?schema={quote(name, safe='')}"
        with closing(Treadle(url)) as app, pytest.raises(ConfigError, match="expected schema to be") as caught:
            app.enqueue("work", args={})
        assert "\n" not in str(caught.value)


@each_part
def test_names_do_nothing_to_sqlite(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path)) as other:
        other.executescript(VICTIMS)
        with closing(Treadle(f"sqlite:///{path}")) as app:
            assert use_everywhere(app, names) == len(names)
        assert other.execute("SELECT secret FROM victims").fetchall() == [("kept",)]


@each_part
def test_names_do_nothing_to_redis(redis_url: str, names: list[str]) -> None:
    with closing(Treadle(f"{redis_url}?namespace={quote(CORPUS[-1], safe='')}")) as app:
        # Its keys are arguments of scripts; a queue that is found is found by a look at all of it.
        assert use_everywhere(app, names[::5]) == len(names[::5])


@each_part
def test_names_are_in_no_statement_that_postgresql_is_sent(
    postgres_url: str, postgres_proxy: PostgresProxy, names: list[str]
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(VICTIMS)
        with closing(Treadle(f"{postgres_proxy.url}&schema=Jobs-2")) as app:
            assert use_everywhere(app, names) == len(names)
        assert other.execute("SELECT secret FROM victims").fetchall() == [("kept",)]
    sent = postgres_proxy.statements
    assert not [text for text in sent if "victims" in text]
    assert len(sent) < 100, "however many names there are"
    assert {kind for text in sent for kind in kinds(text)} <= ALLOWED


def use_everywhere(app: Treadle, names: list[str]) -> int:
    """Give each name to everything that takes one; how many jobs, which other programs put there, are found by it."""
    work = app.job(name="work")(nothing)
    empty = b"[]" if app.store.shape is Shape.LIST else b"{}"
    found = 0
    for name in names:
        quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        with suppress(*REFUSALS):
            work.options(queue=name, tags=[name], meta={name: name}).enqueue()
        app.insert([NewJob(name=name, queue=name, args=empty, max_attempts=1)])
        found += len(app.jobs.find(f"queue:{quoted} name:{quoted}"))
        for use in (*_jobs(app, name, quoted), *_crons(app, work.new(), name)):
            with suppress(*REFUSALS):
                use()
        assert app.jobs.delete(f"queue:{quoted}") >= 1
    return found


def _jobs(app: Treadle, name: str, quoted: str) -> list[Use]:
    texts = (name, f"args.{name}:1", f"{quoted} OR name:{quoted} OR tag:{quoted} OR error:{quoted}")
    finds = [partial(app.jobs.find, text) for text in texts]
    return [
        *finds,
        partial(app.jobs.get, name),
        partial(app.jobs.count, f"args.user.id:{quoted} -owner:{quoted}"),
        partial(app.jobs.cancel, f"state:{quoted}"),
        partial(app.enqueue, name, args={}),
        *(partial(app.queues.pause, name), partial(app.queues.resume, name)),
    ]


def _crons(app: Treadle, job: NewCall[Any], name: str) -> list[Use]:
    crons = app.crons
    return [
        *(partial(crons.add, "@daily", job, name=name), partial(crons.add, name, job, name=name)),
        *(partial(crons.add, "@daily", job, tz=name, name=name), partial(crons.pause, name)),
        partial(crons.remove, name),
    ]


def kinds(text: str) -> list[str]:
    """What each statement of a text is."""
    return [type(part).__name__ for part in read(text) if part]


def read(text: str, dialect: str = "postgres") -> Sequence[Any]:
    """Its statements, by a parser that has never heard of some words of a standard."""
    return sqlglot.parse(text.replace("OVERRIDING SYSTEM VALUE", ""), dialect=dialect)


def defined(tree: Sequence[Any]) -> set[str]:
    """The names that a statement gives to parts of itself."""
    return {alias.alias for part in tree if part for alias in part.find_all(exp.CTE, exp.TableAlias)}


def nothing() -> None:
    """The body of a job that nobody runs."""
