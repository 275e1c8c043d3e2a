"""Transactions that are none, are elsewhere, or are of the wrong kind."""

from tests.misuse.case import Program
from treadle.errors import ConfigError

_JOB = """
import sqlite3
@app.job
def welcome(user_id: int) -> None: ...
"""

TRANSACTIONS: tuple[Program, ...] = (
    Program(
        "tx= that is nothing of the kind",
        _JOB + "welcome.options(tx='session').enqueue(1)",
        ConfigError,
        'expected tx= to be "auto", or a connection, cursor or session of sqlite3, psycopg, asyncpg, SQLAlchemy or '
        "Django, got 'session'",
    ),
    Program(
        "tx= that is an engine, not a connection of it",
        _JOB
        + """
from sqlalchemy import create_engine
welcome.options(tx=create_engine(URL)).enqueue(1)
""",
        ConfigError,
        'expected tx= to be "auto", or a connection, cursor or session of sqlite3, psycopg, asyncpg, SQLAlchemy or '
        "Django, got a sqlalchemy Engine",
    ),
    Program(
        "tx= on Redis",
        _JOB
        + """
app = Treadle(REDIS)
app.enqueue("Mailer", [1], tx=sqlite3.connect(":memory:"))
""",
        ConfigError,
        "expected no tx= on this store, which shares no transactions with your data, got one: give after_commit= "
        "instead, which enqueues when yours is committed",
    ),
    Program(
        "tx= on a store in memory",
        _JOB
        + """
app = Treadle("sqlite://")
app.enqueue("Mailer", {"id": 1}, tx=sqlite3.connect(":memory:"))
""",
        ConfigError,
        "expected no tx= on this store, which shares no transactions with your data, got one: give after_commit= "
        "instead, which enqueues when yours is committed",
    ),
    Program(
        "tx= on another file",
        _JOB + 'welcome.options(tx=sqlite3.connect(FOLDER + "/other.db")).enqueue(1)',
        ConfigError,
        "expected tx= to be a connection to the store FOLDER/jobs.db, got one to FOLDER/other.db",
    ),
    Program(
        "tx= in memory",
        _JOB + 'welcome.options(tx=sqlite3.connect(":memory:")).enqueue(1)',
        ConfigError,
        "expected tx= to be a connection to the store FOLDER/jobs.db, got one to a database in memory",
    ),
    Program(
        "tx= that commits by itself",
        _JOB + 'welcome.options(tx=sqlite3.connect(FOLDER + "/jobs.db", isolation_level=None)).enqueue(1)',
        ConfigError,
        "expected tx= to be in a transaction, got a sqlite3.Connection that commits every statement by itself and is "
        "in none: begin one, or leave tx= out",
    ),
    Program(
        "tx= that is closed",
        _JOB
        + """
connection = sqlite3.connect(FOLDER + "/jobs.db")
connection.close()
welcome.options(tx=connection).enqueue(1)
""",
        ConfigError,
        "expected tx= to be open, got a sqlite3.Connection that is closed",
    ),
    Program(
        "a blocking connection in an awaited call",
        _JOB + 'asyncio.run(welcome.options(tx=sqlite3.connect(FOLDER + "/jobs.db")).aenqueue(1))',
        ConfigError,
        "expected tx= of an awaited call to be a connection of the loop, got a sqlite3.Connection, which blocks: call "
        "the blocking twin, which a coroutine may with it",
    ),
    Program(
        "a loop's session in a blocking call",
        _JOB
        + """
from sqlalchemy.ext.asyncio import AsyncSession
welcome.options(tx=AsyncSession()).enqueue(1)
""",
        ConfigError,
        "expected tx= of enqueue to be a connection of blocking code, got an AsyncSession: use await aenqueue",
    ),
    Program(
        "after_commit= of what tells nobody of its commits",
        _JOB + 'welcome.options(after_commit=sqlite3.connect(FOLDER + "/jobs.db")).enqueue(1)',
        ConfigError,
        "expected after_commit= to be a session or connection of SQLAlchemy, or a connection or alias of Django, got a "
        "sqlite3 Connection",
    ),
    Program(
        "after_commit= that names no alias",
        # Its Django has no settings.
        _JOB + "import django.db\nwelcome.options(after_commit='defualt').enqueue(1)",
        ConfigError,
        "expected after_commit= to be a session or connection of SQLAlchemy, or a connection or alias of Django, got "
        "'defualt'",
    ),
    Program(
        "tx= and after_commit=",
        _JOB
        + """
db = sqlite3.connect(FOLDER + "/jobs.db")
welcome.options(tx=db).options(after_commit=db)
""",
        ConfigError,
        'expected either tx or after_commit of a call of job "welcome", got both',
    ),
    Program(
        "tx= and after_commit= of a bulk",
        _JOB + "app.enqueue_all([welcome.new(1)], tx=1, after_commit=2)",
        ConfigError,
        "expected either tx or after_commit of a call, got both",
    ),
    Program(
        "the id of a job before its commit",
        _JOB
        + """
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
welcome.options(after_commit=Session(create_engine(URL))).enqueue(1).id
""",
        ConfigError,
        "expected the transaction of after_commit= to be committed before its job is asked for, got a job that is not "
        "enqueued yet",
    ),
    Program(
        "tx= of a call in a bulk",
        _JOB
        + """
db = sqlite3.connect(FOLDER + "/jobs.db")
app.enqueue_all([welcome.options(tx=db).new(1)])
""",
        ConfigError,
        'expected tx= to be given to enqueue_all, got it in the options of a call of job "welcome"',
    ),
)
