"""Calls with wrong options, at a wrong place, or of something else."""

from tests.misuse.case import Program
from treadle.errors import ArgumentError, BlockingCall, ConfigError, QueryError, UnknownQueue

CALLS: tuple[Program, ...] = (
    Program(
        "a call's option that there is none",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.options(countdown=5).enqueue(1)
""",
        ConfigError,
        'expected the options of a call of job "welcome" to be among queue, max_attempts, priority, tags, '
        'meta, unique, delay, at, tx, after_commit, got "countdown"',
    ),
    Program(
        "a call's option mistyped",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.options(delays=5).enqueue(1)
""",
        ConfigError,
        'expected the options of a call of job "welcome" to be among queue, max_attempts, priority, tags, '
        'meta, unique, delay, at, tx, after_commit, got "delays"; did you mean "delay"?',
    ),
    Program(
        "a call's option among the arguments",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1, delay=5)
""",
        ArgumentError,
        "job \"welcome\": got an unexpected keyword argument 'delay'; its signature is welcome(user_id: int, "
        "lang: str = 'en') -> None; options of a call are given as in welcome.options(delay=...).enqueue(...)",
    ),
    Program(
        "a delay that is no number",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
from datetime import timedelta
welcome.options(delay=timedelta(5)).enqueue(1)
""",
        ConfigError,
        'expected delay of a call of job "welcome" to be a number of seconds, at least 0, got '
        "datetime.timedelta(days=5)",
    ),
    Program(
        "a naive datetime",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.options(at=datetime(2030, 1, 1)).enqueue(1)
""",
        ConfigError,
        'expected at of a call of job "welcome" to be an aware datetime, got the naive 2030-01-01T00:00:00',
    ),
    Program(
        "both delay and at",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.options(at=1e9, delay=5).enqueue(1)
""",
        ConfigError,
        'expected either delay or at of a call of job "welcome", got both',
    ),
    Program(
        "enqueue in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    welcome.enqueue(1)
asyncio.run(main())
""",
        BlockingCall,
        "enqueue would block the event loop that runs on this thread: use await aenqueue there",
    ),
    Program(
        "enqueue_all in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    app.enqueue_all([welcome.new(1)])
asyncio.run(main())
""",
        BlockingCall,
        "enqueue_all would block the event loop that runs on this thread: use await aenqueue_all there",
    ),
    Program(
        "result in a loop",
        """
@app.job(record=True)
def total() -> int: ...
async def main():
    handle = await total.aenqueue()
    handle.result()
asyncio.run(main())
""",
        BlockingCall,
        "result would block the event loop that runs on this thread: use await handle there",
    ),
    Program(
        "status in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    (await welcome.aenqueue(1)).status()
asyncio.run(main())
""",
        BlockingCall,
        "status would block the event loop that runs on this thread: use await handle.astatus() there",
    ),
    Program(
        "cancel in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    (await welcome.aenqueue(1)).cancel()
asyncio.run(main())
""",
        BlockingCall,
        "cancel would block the event loop that runs on this thread: use await handle.acancel() there",
    ),
    Program(
        "a worker that blocks a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    with app.worker(): ...
asyncio.run(main())
""",
        BlockingCall,
        "with app.worker() would block the event loop that runs on this thread: use async with app.worker() there",
    ),
    Program(
        "work in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    app.work(drain=True)
asyncio.run(main())
""",
        BlockingCall,
        "app.work() would block the event loop that runs on this thread: use await app.awork() there",
    ),
    Program(
        "drain in a loop",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    async with app.testing() as jobs:
        jobs.drain()
asyncio.run(main())
""",
        BlockingCall,
        "drain would block the event loop that runs on this thread: use await jobs.adrain() there",
    ),
    Program(
        "await on a plain handle",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

async def main():
    await (await welcome.aenqueue(1))
asyncio.run(main())
""",
        TypeError,
        "expected the handle of a job declared with record=True, got one whose value is not kept: it has no "
        "result, and cannot be awaited",
    ),
    Program(
        "result of a plain handle",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1).result()
""",
        AttributeError,
        "expected the handle of a job declared with record=True, got one whose value is not kept: it has no "
        "result, and cannot be awaited",
    ),
    Program(
        "a result that does not come in time",
        """
@app.job(record=True)
def total() -> int: ...
total.enqueue().result(timeout=0.01)
""",
        TimeoutError,
        "job 1 did not end within 0.01 s, and goes on",
    ),
    Program(
        "a query that is a number",
        "app.jobs.find(42)",
        QueryError,
        "expected a query to be text, got 42",
    ),
    Program(
        "a query with a state that is none",
        """app.jobs.count("state:failed")""",
        QueryError,
        "expected one of the states available, scheduled, executing, retryable, completed, discarded, cancelled, "
        'suspended, got "failed" at character 7 of the query',
    ),
    Program(
        "a duration without a comparison",
        """app.jobs.find("age:5m")""",
        QueryError,
        'expected after age: >, >=, < or <= and a duration such as 5m, 2h or 1d12h, got "5m" at character 5 of the '
        "query",
    ),
    Program(
        "an action on every job by mistake",
        """app.jobs.delete("")""",
        QueryError,
        "expected a query that says which jobs to delete, got none: name:* means every job",
    ),
    Program(
        "an argument by a name that no job has, on Redis",
        """
app = Treadle(REDIS)
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.jobs.find("args.userid:42")
""",
        QueryError,
        "expected args. to be followed by a position, as in args.0, or by an argument of a registered job on this "
        'store, which keeps arguments as lists, got "userid"; did you mean "user_id"?',
    ),
    Program(
        "an id that is a number",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.jobs.get(42)
""",
        ConfigError,
        "expected the id of a job to be text, got 42",
    ),
    Program(
        "current_job() outside of a job",
        "current_job()",
        ConfigError,
        "expected current_job() to be called while a job runs, got a call outside of one",
    ),
    Program(
        "an external job called",
        """
@app.external("MyApp.Mailer")
def mailer(id: int) -> None: ...
mailer(1)
""",
        ConfigError,
        'job "MyApp.Mailer" runs in another program, got a call of its body: enqueue it',
    ),
    Program(
        "a bulk of jobs that were not called",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.enqueue_all([welcome])
""",
        ConfigError,
        "expected calls as in welcome.new(42) in a bulk of them, got <job welcome>",
    ),
    Program(
        "a function where a name goes",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.enqueue(welcome, {"user_id": 1})
""",
        ConfigError,
        "expected the name of a job to be 1 to 127 letters, digits, blanks or any of _ . - : /, got <job welcome>",
    ),
    Program(
        "a list by name on SQLite",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
app.enqueue("welcome", [1])
""",
        ArgumentError,
        'job "welcome": expected args to be a mapping of names to values on this store, got list',
    ),
    Program(
        "a middleware that swallows the ids",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

@app.around_insert
async def f(jobs, call_next): await call_next(jobs)
welcome.enqueue(1)
""",
        ConfigError,
        "expected the middleware around insert to give one Inserted for each of 1 jobs, got None; let it return what "
        "call_next gives",
    ),
    Program(
        "a second testing() at once",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

with app.testing():
    with app.testing(): ...
""",
        ConfigError,
        "expected one app.testing() at a time, got a second one while the first lasts",
    ),
    Program(
        "a test that asks for an argument that there is none",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

with app.testing() as jobs:
    jobs.enqueued(welcome, user=1)
""",
        ArgumentError,
        'job "welcome": expected one of its arguments (user_id, lang), got "user"',
    ),
    Program(
        "a test that runs a plain function",
        """
def f(): ...
with app.testing() as jobs:
    jobs.run(f)
""",
        ConfigError,
        "expected a job, got <function f at 0x…>; a function becomes one by the decorator @app.job",
    ),
    Program(
        "a test that runs what another program does",
        """
@app.external("Mailer")
def mailer(id: int) -> None: ...
with app.testing() as jobs:
    jobs.run(mailer, 1)
""",
        ConfigError,
        'expected a job that this app runs, got "Mailer", which another program does',
    ),
    Program(
        "a test that turns the clock back",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...

with app.testing() as jobs:
    jobs.advance(-1)
""",
        ConfigError,
        "expected the seconds to advance to be a number of seconds, at least 0, got -1",
    ),
    Program(
        "a job of other arguments, at the worker",
        """
@app.job
def greet(user_id: int) -> None: ...
with app.testing(inline=True):
    app.enqueue("greet", {"user_id": "many"})
""",
        ArgumentError,
        'job "greet", argument "user_id": expected int, got str \'many\'',
    ),
    Program(
        "a newer producer's argument, at the worker",
        """
@app.job
def greet(user_id: int) -> None: ...
with app.testing(inline=True):
    app.enqueue("greet", {"user_id": 1, "lang": "en"})
""",
        ArgumentError,
        'job "greet": unknown argument "lang": expected "user_id"',
    ),
    Program(
        "a queue that is not there",
        """
@app.job(queue="mail")
def welcome(user_id: int) -> None: ...
app.queues.pause("mial")
""",
        UnknownQueue,
        'expected one of mail, got "mial"; did you mean "mail"?',
    ),
    Program(
        "a queue where there is none",
        """
app.queues.resume("mail")
""",
        UnknownQueue,
        'expected a queue that has jobs or is served, got "mail"',
    ),
)
