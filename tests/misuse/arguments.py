"""Arguments that do not fit the job, or no JSON."""

from tests.misuse.case import Program
from treadle.errors import ArgumentError, ConfigError

ARGUMENTS: tuple[Program, ...] = (
    Program(
        "a missing argument",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue()
""",
        ArgumentError,
        "job \"welcome\": missing a required argument: 'user_id'; its signature is welcome(user_id: int, lang: "
        "str = 'en') -> None",
    ),
    Program(
        "a surplus argument",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1, "en", 3)
""",
        ArgumentError,
        'job "welcome": too many positional arguments; its signature is welcome(user_id: int, lang: str = '
        "'en') -> None",
    ),
    Program(
        "an unknown argument",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1, language="en")
""",
        ArgumentError,
        "job \"welcome\": got an unexpected keyword argument 'language'; its signature is welcome(user_id: "
        "int, lang: str = 'en') -> None",
    ),
    Program(
        "text for a number",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue("42")
""",
        ArgumentError,
        'job "welcome", argument "user_id": expected int, got str \'42\'',
    ),
    Program(
        "an Enum's value",
        """
class Tone(Enum):
    WARM = "warm"
@app.job
def greet(tone: Tone) -> None: ...
greet.enqueue("warm")
""",
        ArgumentError,
        'job "greet", argument "tone": expected Tone, got str \'warm\', which would come back as Tone '
        "<Tone.WARM: 'warm'>",
    ),
    Program(
        "a mapping for a dataclass",
        """
@dataclass
class User:
    id: int
@app.job
def greet(user: User) -> None: ...
greet.enqueue({"id": 1})
""",
        ArgumentError,
        'job "greet", argument "user": expected User, got dict {\'id\': 1}, which would come back as User User(id=1)',
    ),
    Program(
        "a dataclass with a wrong field",
        """
@dataclass
class User:
    id: int
@app.job
def greet(user: User) -> None: ...
greet.enqueue(User("one"))
""",
        ArgumentError,
        'job "greet", argument "user": expected User, got User User(id=\'one\') (expected int, got str at .id)',
    ),
    Program(
        "NaN",
        """
@app.job
def rate(value: float) -> None: ...
rate.enqueue(float("nan"))
""",
        ArgumentError,
        'job "rate", argument "value": expected a finite number, got nan: JSON has none such',
    ),
    Program(
        "an argument given twice",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1, user_id=2)
""",
        ArgumentError,
        "job \"welcome\": multiple values for argument 'user_id'; its signature is welcome(user_id: int, lang: "
        "str = 'en') -> None",
    ),
    Program(
        "a bool for a number",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(True)
""",
        ArgumentError,
        'job "welcome", argument "user_id": expected int, got bool True',
    ),
    Program(
        "None for a number",
        """
@app.job
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(None)
""",
        ArgumentError,
        'job "welcome", argument "user_id": expected int, got NoneType None',
    ),
    Program(
        "text for a datetime",
        """
@app.job
def remind(at: datetime) -> None: ...
remind.enqueue("2026-01-01")
""",
        ArgumentError,
        'job "remind", argument "at": expected datetime, got str \'2026-01-01\' (invalid RFC3339 encoded datetime)',
    ),
    Program(
        "a row of a database",
        """
class User:
    __table__ = "users"
    def __repr__(self):
        return "<User 42>"
@app.job
def greet(user) -> None: ...
greet.enqueue(User())
""",
        ArgumentError,
        'job "greet", argument "user": expected a value that JSON has (text, number, bool, None, list, '
        "dict), got User <User 42>; pass its primary key, and load it in the job",
    ),
    Program(
        "an annotation that is a row",
        """
class User:
    __table__ = "users"
@app.job
def greet(user: User) -> None: ...
greet.enqueue(User())
""",
        ConfigError,
        'job "greet", parameter "user": expected a type that JSON can carry, got User; pass its primary key, '
        "and load it in the job",
    ),
    Program(
        "an open file",
        """
@app.job
def read(file) -> None: ...
with open("/dev/null", "rb") as file:
    read.enqueue(file)
""",
        ArgumentError,
        'job "read", argument "file": expected a value that JSON has (text, number, bool, None, list, dict), '
        "got BufferedReader <_io.BufferedReader name='/dev/null'>; pass its path, and open it "
        "in the job",
    ),
    Program(
        "a data frame, which is shown in lines",
        r"""
class DataFrame:
    __module__ = "pandas"
    def __repr__(self):
        return "   a  b\n0  1  2\n1  3  4"
@app.job
def total(table) -> None: ...
total.enqueue(DataFrame())
""",
        ArgumentError,
        'job "total", argument "table": expected a value that JSON has (text, number, bool, None, list, '
        "dict), got DataFrame    a  b 0  1  2 1  3  4; pass the path of its file, or its plain values",
    ),
    Program(
        "a session",
        """
class Session:
    def execute(self): ...
    def __repr__(self):
        return "<Session>"
@app.job
def load(db) -> None: ...
load.enqueue(Session())
""",
        ArgumentError,
        'job "load", argument "db": expected a value that JSON has (text, number, bool, None, list, dict), '
        "got Session <Session>; let the worker make it: a keyword-only parameter = Inject(provider)",
    ),
    Program(
        "a generator as an argument",
        """
@app.job
def run(f) -> None: ...
run.enqueue(x for x in [1])
""",
        ArgumentError,
        'job "run", argument "f": expected a value that JSON has (text, number, bool, None, list, dict), got '
        "generator <generator object <genexpr> at 0x…>; pass a list or a dict instead",
    ),
    Program(
        "bytes without an annotation",
        """
@app.job
def run(f) -> None: ...
run.enqueue(b"x")
""",
        ArgumentError,
        'job "run", argument "f": expected a value that JSON has (text, number, bool, None, list, dict), got '
        "bytes b'x'; annotate the parameter with its type, and it is converted",
    ),
    Program(
        "infinity in a list",
        """
@app.job
def rate(value: list) -> None: ...
rate.enqueue([{"a": [1.0, float("inf")]}])
""",
        ArgumentError,
        'job "rate", argument "value"[0][\'a\'][1]: expected a finite number, got inf: JSON has none such',
    ),
    Program(
        "half of a character",
        r"""
@app.job
def rate(value: str) -> None: ...
rate.enqueue("\ud800")
""",
        ArgumentError,
        'job "rate", argument "value": expected text, got a lone surrogate at position 0, which UTF-8 cannot carry',
    ),
    Program(
        "keys that are no text",
        """
@app.job
def rate(value: dict) -> None: ...
rate.enqueue({1: 2})
""",
        ArgumentError,
        'job "rate", argument "value": expected keys that are text, got int 1',
    ),
    Program(
        "arguments that are too large",
        """
@app.job
def store(text: str) -> None: ...
store.enqueue("x" * 2_000_000)
""",
        ArgumentError,
        'job "store": expected arguments of at most 1,048,576 bytes of JSON, got 2,000,011; keep the data '
        "elsewhere and pass where it is, or raise max_payload of the app",
    ),
    Program(
        "arguments that are nested too deep",
        """
nested = []
for _ in range(100):
    nested = [nested]
@app.job
def store(value: list) -> None: ...
store.enqueue(nested)
""",
        ArgumentError,
        'job "store", argument "value": expected at most 90 levels of nesting, got more',
    ),
    Program(
        "an injected parameter given",
        """
def session() -> int: ...
@app.job
def welcome(user_id: int, *, db: int = Inject(session)) -> None: ...
welcome.enqueue(1, db=2)
""",
        ArgumentError,
        "job \"welcome\": got an unexpected keyword argument 'db'; its signature is welcome(user_id: int) -> "
        'None, and "db" is injected by the worker',
    ),
    Program(
        "an injected parameter given by position",
        """
@app.job
def welcome(user_id: int, *, job: Job = Inject()) -> None: ...
welcome.enqueue(1, 2)
""",
        ArgumentError,
        'job "welcome": too many positional arguments; its signature is welcome(user_id: int) -> None',
    ),
    Program(
        "a plain call without what is injected",
        """
def session() -> int: ...
@app.job
def welcome(user_id: int, *, db: int = Inject(session)) -> None: ...
welcome(1)
""",
        ArgumentError,
        'job "welcome": expected db= in a plain call, got none: only a worker injects it',
    ),
)
