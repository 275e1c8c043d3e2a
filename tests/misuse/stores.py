"""Stores that are not there or cannot be worked on, and workers that cannot start."""

from tests.misuse.case import Program
from treadle.errors import ArgumentError, ConfigError, StoreError, StoreUnavailable

STORES: tuple[Program, ...] = (
    Program(
        "a URL of something else",
        'Treadle("mysql://root:secret@db/shop").store',
        ConfigError,
        "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got 'mysql://root:***@db/shop'",
    ),
    Program(
        "a scheme mistyped",
        'Treadle("reddis://localhost").store',
        ConfigError,
        "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got "
        "'reddis://localhost'; did you mean \"redis\"?",
    ),
    Program(
        "a file without a scheme",
        'Treadle("treadle.db").store',
        ConfigError,
        "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got 'treadle.db'",
    ),
    Program(
        "no URL at all",
        'Treadle("").store',
        ConfigError,
        "expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got ''",
    ),
    Program(
        "a schema that would need quotes",
        """Treadle('postgresql://shop:secret@db/shop?schema=a"; drop--').store""",
        ConfigError,
        "expected schema to be a letter or _, then letters, digits, _ or -, at most 49 in all, got 'a\"; drop--'",
    ),
    Program(
        "a parameter of PostgreSQL mistyped",
        'Treadle("postgresql://localhost/shop?shema=jobs").store',
        ConfigError,
        "expected the parameters of postgresql://localhost/shop?shema=*** to be among schema, pgbouncer and "
        "those of libpq, got 'shema'; did you mean \"schema\"?",
    ),
    Program(
        "a parameter that there is none",
        'Treadle("redis://localhost?maxsize=5").store',
        ConfigError,
        "expected the parameters of redis://localhost?maxsize=*** to be among dialect, namespace, db, got 'maxsize'",
    ),
    Program(
        "a parameter mistyped",
        'Treadle("sqlite:///a.db?sinc=full").store',
        ConfigError,
        "expected the parameters of sqlite:///a.db?sinc=*** to be among sync, got 'sinc'; did you mean \"sync\"?",
    ),
    Program(
        "a parameter's value that there is none",
        'Treadle("redis://localhost?dialect=celery").store',
        ConfigError,
        "expected dialect to be sidekiq in redis://localhost?dialect=celery, got 'celery'",
    ),
    Program(
        "a host for SQLite",
        'Treadle("sqlite://treadle.db").store',
        ConfigError,
        "expected sqlite:///relative.db or sqlite:////absolute.db, got 'sqlite://treadle.db'",
    ),
    Program(
        "a database of Redis that is no number",
        'Treadle("redis://localhost/jobs").store',
        ConfigError,
        "expected the number of a database in redis://localhost/jobs, got 'jobs'",
    ),
    Program(
        "a password that cuts the URL",
        'Treadle("redis://:pa#ss@localhost").store',
        ConfigError,
        "expected a host and a port from 0 to 65535 in redis://:***@localhost; in a password, @ : / ? # [ ] "
        "are written as %40 %3A %2F %3F %23 %5B %5D",
    ),
    Program(
        "a port that is none",
        'Treadle("redis://localhost:redis").store',
        ConfigError,
        "expected a host and a port from 0 to 65535 in redis://localhost:***; in a password, @ : / ? # [ ] "
        "are written as %40 %3A %2F %3F %23 %5B %5D",
    ),
    Program(
        "a folder that is not there",
        """
app = Treadle("sqlite:////no/such/folder/jobs.db")
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        "expected the folder of the store /no/such/folder/jobs.db to exist, got none: make /no/such/folder first",
    ),
    Program(
        "a folder in place of a file",
        """
app = Treadle("sqlite:///" + FOLDER)
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        "expected the store FOLDER to be a file, got a folder: name a file in it",
    ),
    Program(
        "a file that is no database",
        """
app = Treadle("sqlite:///" + __file__)
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        StoreError,
        "FOLDER/shop.py: file is not a database (SQLITE_NOTADB): expected an SQLite database: name another "
        "file, or restore it from a copy",
    ),
    Program(
        "a folder that nobody can write to",
        """
app = Treadle("sqlite:////proc/self/jobs.db")
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        StoreError,
        "/proc/self/jobs.db: unable to open database file (SQLITE_CANTOPEN): the file and its folder must be "
        "there and writable for this user (WAL keeps two files beside it)",
    ),
    Program(
        "a table of somebody else's",
        """
import sqlite3
db = sqlite3.connect(FOLDER + "/other.db"); db.execute("create table oban_jobs (id integer)"); db.commit()
app = Treadle("sqlite:///" + FOLDER + "/other.db")
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        StoreError,
        "expected the table oban_jobs in FOLDER/other.db to be that of Oban's Lite engine, got one without "
        "args, attempt, attempted_at and 14 more: name another file, or migrate the table first",
    ),
    Program(
        "a store that is not there",
        """
app = Treadle(DEAD)
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        StoreUnavailable,
        "cannot reach Redis at redis://:***@127.0.0.1:PORT/N (REASON): is it running, and is the URL right?",
    ),
    Program(
        "a store that is not there, from a loop",
        """
app = Treadle(DEAD)
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
asyncio.run(welcome.aenqueue(1))
""",
        StoreUnavailable,
        "cannot reach Redis at redis://:***@127.0.0.1:PORT/N (REASON): is it running, and is the URL right?",
    ),
    Program(
        "a priority on Redis",
        """
app = Treadle(REDIS)
@app.job(priority=5)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected priority 0 on this store, which has none, got 5: give what is urgent a '
        "queue and slots of its own",
    ),
    Program(
        "a mapping by name on Redis",
        'Treadle(REDIS).enqueue("MyApp.Mailer", {"id": 1})',
        ArgumentError,
        'job "MyApp.Mailer": expected args to be a list of values on this store, got dict',
    ),
    Program(
        "a key of Redis that holds something else",
        """
import redis
redis.Redis.from_url(REDIS).set("queue:default", "mine")
app = Treadle(REDIS)
@app.job
def welcome() -> None: ...
welcome.enqueue()
""",
        StoreError,
        "Redis at redis://127.0.0.1:PORT/N: expected key queue:default to be a list, got a string; nothing was changed",
    ),
    Program(
        "a Redis that throws jobs away",
        """
app = Treadle(EVICTING)
with app.worker(queues=["default"]): ...
""",
        ConfigError,
        "expected maxmemory-policy noeviction, got allkeys-lru: Redis may throw jobs away when its memory is "
        "full; CONFIG SET maxmemory-policy noeviction, and in redis.conf; or start the worker with the "
        "option unsafe",
    ),
    Program(
        "a queue that a live foreign program serves",
        """
import json, redis
db = redis.Redis.from_url(REDIS)
db.sadd("processes", "web-1:7:abc")
db.hset("web-1:7:abc", "info", json.dumps({"hostname": "web-1", "pid": 7, "queues": ["default"]}))
app = Treadle(REDIS)
with app.worker(queues=["default"]): ...
""",
        ConfigError,
        'expected queue "default" to be served by treadle alone, got the live sidekiq process web-1:7:abc on '
        "it, where jobs that only this app knows would fail: name another queue, or share this one with "
        "--share NAME (in code: share=[...]) if both know its jobs",
    ),
    Program(
        "a worker that has nothing to do",
        "with app.worker(): ...",
        ConfigError,
        "expected at least one registered job or one queue, got none; declare a job, name the modules that "
        "do by include= of the app, or name a queue with -q (in code: queues=[...])",
    ),
    Program(
        "a worker entered twice",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

worker = app.worker()
with worker:
    with worker: ...
""",
        ConfigError,
        "expected this worker to be entered once at a time, got a second entry; make another by app.worker()",
    ),
    Program(
        "a worker's queues that are one text",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.worker(queues="mail")
""",
        ConfigError,
        "expected queues to be a list of names, or names with limits, got 'mail'",
    ),
    Program(
        "a limit of nothing",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.worker(queues={"mail": 0})
""",
        ConfigError,
        'expected the limit of queue "mail" to be an integer from 1 to 32767, got 0',
    ),
    Program(
        "an option of work() mistyped",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.work(process=4)
""",
        ConfigError,
        "expected the options of app.work() to be among queues, processes, concurrency, grace, lease, "
        "restamp_every, drain, listen, recycle_after, recycle_rss, share, unsafe, log_format, log_level, log_args, "
        'got "process"; '
        'did you mean "processes"?',
    ),
    Program(
        "no processes",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.work(processes=0)
""",
        ConfigError,
        "expected processes to be an integer from 1 to 32767, got 0",
    ),
    Program(
        "a level of the log that there is none",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.work(log_level="verbose")
""",
        ConfigError,
        "expected log_level to be debug or info or warning or error, got 'verbose'",
    ),
    Program(
        "memory for processes",
        """
app = Treadle("sqlite://")
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.work(drain=True)
""",
        ConfigError,
        "expected a store that processes can share, got sqlite:// in memory; name a file",
    ),
    Program(
        "a process job of an app in no module",
        """
def create() -> Treadle:
    app = Treadle(URL)
    @app.job(executor="process")
    def render() -> None: ...
    return app
with create().worker(): ...
""",
        ConfigError,
        'expected the app of the process job "render" to be a variable of a module, got one that is in none; '
        'put it into one, or set app.reference to what makes it, as in "shop:create()"',
    ),
)
