"""Functions, providers and apps that cannot be."""

from tests.misuse.case import Program
from treadle.errors import ConfigError

FUNCTIONS: tuple[Program, ...] = (
    Program(
        "a generator as a job",
        """
@app.job
def welcome():
    yield
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected a function, got a generator: to call it runs nothing',
    ),
    Program(
        "a job as a job of another app",
        """
@app.job
@Treadle(URL).job
def welcome() -> None: ...
""",
        ConfigError,
        "expected a function, got <job welcome>, a job already; give another app a function of its own",
    ),
    Program(
        "a class as a job",
        """
@app.job
class Welcome: ...
Welcome.enqueue()
""",
        ConfigError,
        "job \"Welcome\": expected a function, got <class 'shop.Welcome'>",
    ),
    Program(
        "a method as a job",
        """
class Shop:
    @app.job
    def open(self, day: int) -> None: ...
Shop().open.enqueue(1)
""",
        ConfigError,
        'job "open": expected a function, got the method Shop.open: a worker has no object to call it on; '
        "write a function, and pass what it needs",
    ),
    Program(
        "**kwargs",
        """
@app.job
def welcome(**names: str) -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected named parameters, got **names: stores that keep arguments as a list cannot '
        "carry it; take one dict parameter instead",
    ),
    Program(
        "*args with keyword-only",
        """
@app.job
def welcome(*names: str, lang: str = "en") -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected *names to come last, got the keyword-only parameter "lang" after it; make '
        "one of them an ordinary parameter",
    ),
    Program(
        "an annotation under TYPE_CHECKING",
        """
@app.job
def welcome(user: "User") -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        'job "welcome", parameter "user": expected an annotation whose names exist when the program runs, '
        'got User, and "User" is not defined there; import it outside of `if TYPE_CHECKING:`, or define it '
        "at the top of its module",
    ),
    Program(
        "an annotation that JSON cannot carry",
        """
from io import StringIO
@app.job
def welcome(file: StringIO) -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        'job "welcome", parameter "file": expected a type that JSON can carry, got StringIO; pass its path, '
        "and open it in the job",
    ),
    Program(
        "an annotation that is no type",
        """
@app.job
def welcome(user: 5) -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        'job "welcome", parameter "user": expected a type that JSON can carry, got 5: type \'5\' is not supported',
    ),
    Program(
        "an injected parameter that can be given by position",
        """
@app.job
def welcome(job: Job = Inject()) -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected the injected parameter "job" to be keyword-only, got one that can be given '
        "by position; put a * before it",
    ),
    Program(
        "a provider that was called",
        """
def session():
    return 1
@app.job
def welcome(*, db: int = Inject(session())) -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected a provider to be a function, got 1; give the function itself, without '
        "calling it, as in Inject(session)",
    ),
    Program(
        "a provider that takes a Request",
        """
class Request: ...
def session(request: Request) -> int:
    return 1
@app.job
def welcome(*, db: int = Inject(session)) -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected the parameters of the provider session to have defaults or to be injected, '
        'got "request", which nobody fills in: a job belongs to no request',
    ),
    Program(
        "providers that need each other",
        """
def session(*, user: int = Inject(lambda: user_of)) -> int: ...
def user(*, db: int = Inject(session)) -> int: ...
session.__kwdefaults__["user"] = Inject(user)
@app.job
def welcome(*, db: int = Inject(session)) -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'job "welcome": expected providers that do not need themselves, got session needs user needs session',
    ),
    Program(
        "a second lifespan",
        """
@app.lifespan
async def first():
    yield
@app.lifespan
async def second():
    yield
""",
        ConfigError,
        "expected one lifespan of an app, got a second one: open what both open in one of them",
    ),
    Program(
        "a lifespan that yields nothing",
        """
@app.lifespan
async def opened() -> None: ...
with app.worker(queues=["default"]): ...
""",
        ConfigError,
        "expected the lifespan opened to be an async generator, got <coroutine object opened at 0x…>; let it "
        "yield once",
    ),
    Program(
        "a default of the app that there is none",
        'Treadle(URL, defaults={"max_retries": 3})',
        ConfigError,
        "expected the options in defaults of an app to be among queue, max_attempts, priority, tags, meta, unique, "
        'redact, timeout, backoff, retry_on, discard_on, expires, rerun, got "max_retries"; did you mean '
        '"max_attempts"?',
    ),
    Program(
        "a default of the app with a wrong value",
        'Treadle(URL, defaults={"timeout": 0})',
        ConfigError,
        "expected timeout in defaults of an app to be a number of seconds, more than 0, got 0",
    ),
    Program(
        "a payload beyond what any store takes",
        "Treadle(URL, max_payload=1_000_000_000)",
        ConfigError,
        "expected max_payload of an app to be an integer from 1 to 67108864, got 1000000000",
    ),
    Program(
        "include= that is one text",
        'Treadle(URL, include="shop.jobs")',
        ConfigError,
        "expected include= of an app to be a list such as [\"shop.*.jobs\"], got 'shop.jobs'",
    ),
    Program(
        "include= that is a path",
        'Treadle(URL, include=["shop/jobs.py"])',
        ConfigError,
        'expected include= of an app to name modules as in "shop.jobs" or "shop.*.jobs", got \'shop/jobs.py\'',
    ),
    Program(
        "include= of a module that is not there",
        'Treadle(URL, include=["shop.jobs"]).load()',
        ConfigError,
        "expected \"shop.jobs\" in include= of the app to name a module, found no module 'shop.jobs'",
    ),
    Program(
        "include= that matches nothing",
        'Treadle(URL, include=["email.*.jobs"]).load()',
        ConfigError,
        'expected "email.*.jobs" in include= of the app to match a module, found none below email',
    ),
    Program(
        "unknown= that there is none",
        'Treadle(URL, unknown="retry")',
        ConfigError,
        "expected unknown of an app to be release or fail, got 'retry'",
    ),
    Program(
        "sync_in_loop= that is no word",
        "Treadle(URL, sync_in_loop=True)",
        ConfigError,
        "expected sync_in_loop of an app to be refuse or allow, got True",
    ),
    Program(
        "a path in place of a URL",
        """
from pathlib import Path
Treadle(Path("/tmp/a.db")).store
""",
        ConfigError,
        "expected url to be the text of a URL such as sqlite:///treadle.db, got PosixPath('/tmp/a.db')",
    ),
    Program(
        "a collection in two apps",
        """
jobs = Jobs()
app.include(jobs)
Treadle(URL).include(jobs)
""",
        ConfigError,
        "expected a collection of jobs that nobody took yet, got one that belongs to another; make one for each",
    ),
    Program(
        "an app included in another",
        "app.include(Treadle(URL))",
        ConfigError,
        "expected a collection made by Jobs(), got <treadle.app.treadle.Treadle object at 0x…>; declare the "
        "jobs on one, and include that",
    ),
    Program(
        "a collection that no app took",
        """
jobs = Jobs()
@jobs.job
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected these jobs to belong to an app, got none: take them with app.include(jobs)",
    ),
    Program(
        "an option that no other program could heed",
        """
@app.external("A", timeout=5)
def welcome() -> None: ...
""",
        ConfigError,
        'expected the options of external job "A" to be among queue, max_attempts, priority, tags, meta, unique, '
        'redact, got "timeout"',
    ),
    Program(
        "an external job without its name",
        """
@app.external
def mailer(id: int) -> None: ...
mailer.enqueue(1)
""",
        ConfigError,
        'expected external() to be given a name, as in external("MyApp.Mailer"), got <function mailer at 0x…>',
    ),
    Program(
        "a listener for the name of an event",
        """
@app.on("JobCompleted")
def f(e): ...
""",
        ConfigError,
        "expected a kind of event, such as treadle.hooks.events.JobCompleted, got 'JobCompleted'",
    ),
)
