"""Commands with one mistake each, and the files in the folder where they are called."""

from tests.misuse.case import Command

FILES = {
    "pyproject.toml": "",
    "shop.py": """
from treadle import Treadle

app = Treadle()

@app.job
def welcome(user_id: int) -> None: ...
""",
    "two.py": "from treadle import Treadle\nmail, web = Treadle(), Treadle()\n",
    "empty.py": "",
    "idle.py": "from treadle import Treadle\napp = Treadle()\n",
    "factories.py": """
from treadle import Treadle

def create() -> Treadle:
    return Treadle()

def with_settings(settings: object) -> Treadle:
    return Treadle()
""",
    "wrong.py": """
from treadle import Treadle

app = Treadle()

@app.job(max_attempts=0)
def welcome() -> None: ...
""",
}

COMMANDS: tuple[Command, ...] = (
    Command(
        "work without an app",
        "work",
        2,
        "treadle: expected an APP such as shop.jobs:app, or TREADLE_APP, got neither (see treadle work --help)",
    ),
    Command(
        "an app in a module that is not there",
        "work shp:app",
        1,
        "treadle: expected \"shp\" to be a module in FOLDER or on the path, found no module 'shp'",
    ),
    Command(
        "an app mistyped",
        "work shop:ap",
        1,
        "treadle: expected shop:ap to be a Treadle app, found no ap in shop; the app in shop is named app",
    ),
    Command(
        "a factory mistyped",
        "work factories:creat",
        1,
        'treadle: expected factories:creat to be a Treadle app, found no creat in factories; did you mean "create"?',
    ),
    Command(
        "a module without an app",
        "work empty",
        1,
        "treadle: expected one Treadle app in module empty, got none; name it as empty:app, or as "
        "empty:create() where a function makes it",
    ),
    Command(
        "a module with two apps",
        "work two",
        1,
        "treadle: expected one Treadle app in module two, got mail and web; choose one as in two:mail",
    ),
    Command(
        "a job in place of the app",
        "work shop:welcome",
        1,
        "treadle: expected shop:welcome to be a Treadle app, got <job welcome>; the app in shop is named app",
    ),
    Command(
        "a factory that was not called",
        "work factories:create",
        1,
        "treadle: expected factories:create to be a Treadle app, got <function create at 0x…>; call it as "
        "factories:create()",
    ),
    Command(
        "a factory that wants arguments",
        "work factories:with_settings()",
        1,
        "treadle: expected factories:with_settings() to be called without arguments, got: missing a required "
        "argument: 'settings'",
    ),
    Command(
        "a file in place of a module",
        "work shop.py",
        1,
        "treadle: expected \"shop.py\" to be a module in FOLDER or on the path, found no module 'shop.py'; "
        'leave out the ".py"',
    ),
    Command(
        "a path in place of a module",
        "work ./shop.py",
        1,
        "treadle: expected an app as in shop.jobs:app or shop.jobs:create(), got './shop.py'",
    ),
    Command(
        "a URL without its option",
        "doctor postgresql://me:secret@host/jobs",
        2,
        "treadle: expected the store's URL after --url, or in TREADLE_URL for work and dev, got "
        "postgresql://me:***@host/jobs without it",
    ),
    Command(
        "a URL in place of a job's name",
        "enqueue redis://localhost/0 []",
        2,
        "treadle: expected the store's URL after --url, or in TREADLE_URL for work and dev, got "
        "redis://localhost/0 without it",
    ),
    Command(
        "no app at all in the settings",
        "work",
        1,
        "treadle: expected \"nowhere\" to be a module in FOLDER or on the path, found no module 'nowhere'",
        {"TREADLE_APP": "nowhere"},
    ),
    Command(
        "a number that is none",
        "work shop --processes many",
        2,
        "treadle: Invalid value for '--processes': expected processes to be an integer from 1 to 32767, got "
        "'many' (see treadle work --help)",
    ),
    Command(
        "a number that is too small",
        "work shop --concurrency 0",
        2,
        "treadle: Invalid value for '--concurrency': expected concurrency to be an integer from 1 to 32767, "
        "got 0 (see treadle work --help)",
    ),
    Command(
        "seconds before now",
        "work shop --grace -1",
        2,
        "treadle: Invalid value for '--grace': expected grace to be a number of seconds, at least 0, got "
        "-1.0 (see treadle work --help)",
    ),
    Command(
        "a limit that is none",
        "work shop -q mail=some",
        2,
        "treadle: Invalid value for '-q' / '--queue': expected the limit of queue \"mail\" to be an integer "
        "from 1 to 32767, got 'some' (see treadle work --help)",
    ),
    Command(
        "an address without a host",
        "work shop --listen 9100",
        2,
        "treadle: Invalid value for '--listen': expected listen to be HOST:PORT, such as 127.0.0.1:PORT or "
        "[::]:9100, got '9100' (see treadle work --help)",
    ),
    Command(
        "a format that there is none",
        "work shop --log-format xml",
        2,
        "treadle: Invalid value for '--log-format': expected log_format to be console or json, got 'xml' "
        "(see treadle work --help)",
    ),
    Command(
        "a variable with a wrong value",
        "work shop",
        1,
        "treadle: expected processes to be an integer from 1 to 32767, got 'many' (environment variable "
        "TREADLE_PROCESSES)",
        {"TREADLE_PROCESSES": "many"},
    ),
    Command(
        "a switch with a wrong value",
        "work shop",
        1,
        "treadle: expected unsafe to be True or False, got 'perhaps' (environment variable TREADLE_UNSAFE)",
        {"TREADLE_UNSAFE": "perhaps"},
    ),
    Command(
        "a variable with a wrong URL",
        "work shop",
        1,
        "treadle: expected a store URL such as sqlite:///treadle.db, postgresql://… or redis://…, got "
        "'reddis://:***@localhost'; did you mean \"redis\"? (environment variable TREADLE_URL)",
        {"TREADLE_URL": "reddis://:secret@localhost"},
    ),
    Command(
        "a key mistyped",
        "work shop",
        1,
        "treadle: expected a setting (url, app, queues, processes, concurrency, grace, lease, restamp_every, listen, "
        'recycle_after, recycle_rss, share, unsafe, log_format, log_level, log_args), got "concurency"; did '
        'you mean "concurrency"? (tool.treadle.concurency in FOLDER/pyproject.toml)',
        files={"pyproject.toml": "[tool.treadle]\nconcurency = 4\n"},
    ),
    Command(
        "a key of another type",
        "work shop",
        1,
        "treadle: expected grace to be a number of seconds, at least 0, got '25s' (grace in FOLDER/treadle.toml)",
        files={"treadle.toml": 'grace = "25s"\n'},
    ),
    Command(
        "a file of settings that is none",
        "work shop",
        1,
        "treadle: expected FOLDER/treadle.toml to be a TOML file that can be read, got: Invalid value (at "
        "line 1, column 8)",
        files={"treadle.toml": "grace =\n"},
    ),
    Command(
        "a file in a container",
        "work shop",
        1,
        "treadle: expected the URL of a store, got none: a file in a container is lost with it; name the "
        "store by TREADLE_URL, by Treadle(url), or as url in treadle.toml",
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
    ),
    Command(
        "memory for processes",
        "work shop",
        1,
        "treadle: expected a store that processes can share, got sqlite:// in memory; name a file",
        {"TREADLE_URL": "sqlite://"},
    ),
    Command(
        "a job that cannot be",
        "work wrong",
        1,
        'treadle: expected max_attempts of job "welcome" to be an integer from 1 to 32767, got 0',
    ),
    Command(
        "a worker that has nothing to do",
        "work idle",
        1,
        "treadle: expected at least one registered job or one queue, got none; declare a job, name the "
        "modules that do by include= of the app, or name a queue with -q (in code: queues=[...])",
    ),
    Command(
        "an enqueue of a job that there is none",
        "enqueue shop:app welcom [1]",
        4,
        "treadle: expected one of the jobs of shop:app (welcome), or --url in its place for any name, got "
        '"welcom"; did you mean "welcome"?',
    ),
    Command(
        "an enqueue with an argument of another type",
        "enqueue shop:app welcome '[\"one\"]'",
        1,
        'treadle: job "welcome", argument "user_id": expected int, got str \'one\'',
    ),
    Command(
        "an enqueue with an argument too many",
        "enqueue shop:app welcome '[1, 2]'",
        1,
        'treadle: job "welcome": expected at most 1 arguments, got 2',
    ),
    Command(
        "an enqueue with an argument that there is none",
        "enqueue shop:app welcome '{\"user\": 1}'",
        1,
        'treadle: job "welcome": unknown argument "user": expected "user_id"',
    ),
    Command(
        "an enqueue without its argument",
        "enqueue shop:app welcome",
        1,
        'treadle: job "welcome": argument "user_id" is missing: expected at least 1, got 0',
    ),
    Command(
        "an enqueue of what is no JSON",
        "enqueue shop:app welcome '[1'",
        2,
        "treadle: ARGS: expected JSON, got 2 bytes that are none: Expecting ',' delimiter: line 1 column 3 "
        "(char 2) (see treadle enqueue --help)",
    ),
    Command(
        "an enqueue of an app alone",
        "enqueue shop:app",
        2,
        "treadle: expected the NAME of a job after the APP shop:app, got none (see treadle enqueue --help)",
    ),
    Command(
        "a delay in words",
        "enqueue shop:app welcome [1] --delay soon",
        2,
        "treadle: Invalid value for '--delay': expected a number of seconds, at least 0, got 'soon' (see "
        "treadle enqueue --help)",
    ),
    Command(
        "an app and a URL",
        "enqueue shop:app welcome [1] --url sqlite:///jobs.db",
        2,
        "treadle: expected either APP or --url, got both: shop:app and sqlite:///jobs.db (see treadle enqueue --help)",
    ),
    Command(
        "a list by name on SQLite",
        "enqueue welcome [1] --url sqlite:///jobs.db",
        1,
        'treadle: job "welcome": expected ARGS to be a JSON object of names and values on this store, got a list',
    ),
    Command(
        "a store that is not there",
        "enqueue shop:app welcome [1]",
        1,
        "treadle: cannot reach Redis at redis://:***@127.0.0.1:PORT/N (REASON): is it running, and is the URL right?",
        {"TREADLE_URL": "redis://:secret@127.0.0.1:PORT/0"},
    ),
    Command(
        "a file that is not there",
        "jobs list --url sqlite:///job.db",
        1,
        "treadle: expected the store FOLDER/job.db to exist, got no such file: the first enqueue or worker makes it",
    ),
    Command(
        "a retry of nothing",
        "jobs retry",
        2,
        "treadle: expected IDs, a QUERY, or a filter: --state, --queue or --name; got none "
        "(see treadle jobs retry --help)",
        files={"treadle.db": ""},
    ),
    Command(
        "a job that is not there",
        "jobs show 99",
        4,
        "treadle: no such job: 99",
        files={"treadle.db": ""},
    ),
    Command(
        "a retry of a job that is not there",
        "jobs retry 99",
        4,
        "treadle: no such job: 99",
        files={"treadle.db": ""},
    ),
    Command(
        "a field that is not there",
        "jobs list queue:mail stat:retryable",
        2,
        "treadle: expected one of the fields id, state, queue, name, args, meta, tag, error, attempt, max_attempts, "
        'priority, age, due, ran, finished, owner, got "stat:retryable" at character 1 of the query; did you mean '
        '"state"? (see treadle jobs list --help)',
        files={"treadle.db": ""},
    ),
    Command(
        "an action on a query that breaks off",
        "jobs cancel 'queue:mail (name:welcome'",
        2,
        'treadle: expected ")" for the parenthesis at character 12, got its end at character 25 of the query '
        "(see treadle jobs cancel --help)",
        files={"treadle.db": ""},
    ),
    Command(
        "a place to go on that no listing gave",
        "jobs list --after there",
        2,
        "treadle: expected `after` to be the cursor of a page of this store, got 'there'",
        files={"treadle.db": ""},
    ),
    Command(
        "a listing of nothing",
        "jobs list --limit 0",
        2,
        "treadle: Invalid value for '--limit': expected a number to be an integer from 1 to 32767, got '0' "
        "(see treadle jobs list --help)",
    ),
)
