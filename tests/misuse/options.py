"""Options and names of jobs that cannot be."""

from tests.misuse.case import Program
from treadle.errors import ArgumentError, ConfigError, UnknownCron

OPTIONS: tuple[Program, ...] = (
    Program(
        "a decorator's option that there is none",
        """
@app.job(retries=3)
def welcome() -> None: ...
""",
        ConfigError,
        'expected the options of job "welcome" to be among name, queue, max_attempts, priority, tags, meta, unique, '
        "redact, timeout, backoff, retry_on, discard_on, expires, rerun, aliases, executor, record, got "
        '"retries"',
    ),
    Program(
        "a decorator's option mistyped",
        """
@app.job(max_attempt=3)
def welcome() -> None: ...
""",
        ConfigError,
        'expected the options of job "welcome" to be among name, queue, max_attempts, priority, tags, meta, unique, '
        "redact, timeout, backoff, retry_on, discard_on, expires, rerun, aliases, executor, record, got "
        '"max_attempt"; did you mean "max_attempts"?',
    ),
    Program(
        "max_attempts of nothing",
        """
@app.job(max_attempts=0)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected max_attempts of job "welcome" to be an integer from 1 to 32767, got 0',
    ),
    Program(
        "a timeout in words",
        """
@app.job(timeout="30s")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected timeout of job \"welcome\" to be a number of seconds, more than 0, got '30s'",
    ),
    Program(
        "a queue that is no name",
        """
@app.job(queue="mail;urgent")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected queue of job "welcome" to be 1 to 127 letters, digits, blanks or any of _ . - : /, got '
        "'mail;urgent'",
    ),
    Program(
        "a priority beyond the last",
        """
@app.job(priority=10)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected priority of job "welcome" to be an integer from 0 to 9, got 10',
    ),
    Program(
        "a back-off that is a number",
        """
@app.job(backoff=60)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected backoff of job "welcome" to be a function of the attempt, got 60',
    ),
    Program(
        "record that merely counts as true",
        """
@app.job(record="yes")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected record of job \"welcome\" to be True or False, got 'yes'",
    ),
    Program(
        "retry_on by name",
        """
@app.job(retry_on=["ConnectionError"])
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected retry_on of job \"welcome\" to be an exception class or a tuple of them, got ['ConnectionError']",
    ),
    Program(
        "one tag without its list",
        """
@app.job(tags="mail")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected tags of job \"welcome\" to be a list of words of 1 to 127 characters, got 'mail'",
    ),
    Program(
        "meta that is no mapping",
        """
@app.job(meta=["a"])
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected meta of job \"welcome\" to be a mapping of names to values, got ['a']",
    ),
    Program(
        "an executor that there is none",
        """
@app.job(executor="threads")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        "expected executor of job \"welcome\" to be one of loop, thread, process, got 'threads'",
    ),
    Program(
        "a sync function on the loop",
        """
@app.job(executor="loop")
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected executor of job "welcome" to be "thread" or "process" for the sync function welcome, got '
        '"loop": it would block every other job; or write it with async def',
    ),
    Program(
        "an async function in a thread",
        """
@app.job(executor="thread")
async def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected executor of job "welcome" to be "loop" or "process" for the async function welcome, got '
        '"thread": calling it there would run nothing; or write it with def',
    ),
    Program(
        "a time after which nothing would ever start",
        """
@app.job(expires=-1)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected expires of job "welcome" to be a number of seconds, more than 0, got -1',
    ),
    Program(
        "redact that is one text",
        """
@app.job(redact="iban")
def welcome(iban: str) -> None: ...
welcome.enqueue("x")
""",
        ConfigError,
        "expected redact of job \"welcome\" to be a list of words of 1 to 127 characters, got 'iban'",
    ),
    Program(
        "aliases that are one text",
        """
@app.job(aliases="A")
def welcome() -> None: ...
""",
        ConfigError,
        "expected aliases of job \"welcome\" to be a list of names, got 'A'",
    ),
    Program(
        "two jobs of one name",
        """
@app.job
def welcome() -> None: ...
@app.job(name="welcome")
def greet() -> None: ...
""",
        ConfigError,
        'two jobs answer to "welcome": shop.welcome (FOLDER/shop.py:2) and shop.greet (FOLDER/shop.py:4); '
        "give one of them another name=",
    ),
    Program(
        "an alias that another job has",
        """
@app.job
def welcome() -> None: ...
@app.job(aliases=["welcome"])
def greet() -> None: ...
""",
        ConfigError,
        'two jobs answer to "welcome": shop.welcome (FOLDER/shop.py:2) and shop.greet (FOLDER/shop.py:4); '
        "give one of them another name=",
    ),
    Program(
        "a job of a collection named as one of the app",
        """
jobs = Jobs()
@jobs.job
def welcome() -> None: ...
@app.job(name="welcome")
def greet() -> None: ...
app.include(jobs)
""",
        ConfigError,
        'two jobs answer to "welcome": shop.greet (FOLDER/shop.py:5) and shop.welcome (FOLDER/shop.py:3); '
        "give one of them another name=",
    ),
    Program(
        "a function without a name",
        "app.job(lambda: None)",
        ConfigError,
        "expected a function that has a name, got <function <lambda> at 0x…>; give the job a name=",
    ),
    Program(
        "a name where the function goes",
        'app.job("welcome")',
        ConfigError,
        "expected a function, got 'welcome'; options are named, as in job(name=...)",
    ),
    Program(
        "a name that no store takes",
        """
@app.job(name="wélcome;")
def welcome() -> None: ...
""",
        ConfigError,
        "expected the name of a job to be 1 to 127 letters, digits, blanks or any of _ . - : /, got 'wélcome;'",
    ),
    Program(
        "a cron expression with a wrong field",
        """
@app.cron("0 25 * * *")
@app.job
def report() -> None: ...
""",
        ConfigError,
        'cron expression "0 25 * * *": expected hour to be * or numbers from 0 to 23, got "25"; did you mean "23"?',
    ),
    Program(
        "a cron expression that never comes",
        """
@app.cron("0 0 30 2 *")
@app.job
def report() -> None: ...
""",
        ConfigError,
        'cron expression "0 0 30 2 *": expected a day of month that one of its months has, got 30 in FEB: it would '
        "never come",
    ),
    Program(
        "a cron decorator at a function that is no job",
        """
@app.cron("@daily")
def report() -> None: ...
with app.worker(): ...
""",
        ConfigError,
        "expected a job of this app under @app.cron, got report; decorate it with @app.job too",
    ),
    Program(
        "a cron decorator that is given the job",
        """
@app.job
def report() -> None: ...
app.cron("@daily")("report")
""",
        ConfigError,
        "expected a job or a function under @app.cron(\"@daily\"), got 'report'; what the job is given is named, as in "
        "cron(..., args=[42])",
    ),
    Program(
        "two cron entries of one job without names",
        """
@app.cron("@daily")
@app.cron("@hourly")
@app.job
def report() -> None: ...
app.crons.list()
""",
        ConfigError,
        'expected cron entries of different names, got two of "report", at "@hourly" and at "@daily"; give one of them '
        "another name=",
    ),
    Program(
        "an unknown time zone",
        """
@app.cron("@daily", tz="Europe/Pariss")
@app.job
def report() -> None: ...
app.crons.list()
""",
        ConfigError,
        'expected tz of the cron entry "report" to be the name of a time zone such as "Europe/Paris", got '
        "'Europe/Pariss'; did you mean \"Europe/Paris\"?",
    ),
    Program(
        "arguments of a cron entry that do not bind",
        """
@app.cron("@daily", args={"usr_id": 42})
@app.job
def report(user_id: int) -> None: ...
app.crons.list()
""",
        ArgumentError,
        "job \"report\": missing a required argument: 'user_id'; its signature is report(user_id: int) -> None",
    ),
    Program(
        "one value for the arguments of a cron entry",
        """
@app.cron("@daily", args="users")
@app.job
def report(table: str) -> None: ...
""",
        ConfigError,
        "expected args of the cron entry \"report\" to be a mapping of names to values, or a list, got 'users'",
    ),
    Program(
        "a policy for missed ticks that is none",
        """
@app.cron("@daily", catch_up="none")
@app.job
def report() -> None: ...
""",
        ConfigError,
        "expected catch_up of the cron entry \"report\" to be skip or last or all, got 'none'",
    ),
    Program(
        "a function for a cron entry that is added",
        """
def report() -> None: ...
app.crons.add("@daily", report)
""",
        ConfigError,
        "expected a job for a cron entry, or a call as in welcome.new(42), got <function report at 0x…>",
    ),
    Program(
        "an instant for a cron entry",
        """
@app.job
def report() -> None: ...
app.crons.add("@daily", report.options(at=1_800_000_000))
""",
        ConfigError,
        'expected the job of the cron entry "report" to come with its ticks, got one with at=; leave it out',
    ),
    Program(
        "an unknown cron entry",
        """
@app.cron("@daily")
@app.job
def report() -> None: ...
app.crons.pause("reprot")
""",
        UnknownCron,
        'expected the name of a cron entry (report), got "reprot"; did you mean "report"?',
    ),
)
