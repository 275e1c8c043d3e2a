"""Rules of uniqueness that cannot be."""

from tests.misuse.case import Program
from treadle.errors import ConfigError


def rule(title: str, given: str, text: str) -> Program:
    """A rule that is refused where it is made."""
    return Program(title, f"Unique({given})", ConfigError, text)


def on_redis(title: str, given: str, text: str) -> Program:
    """A rule that Redis cannot keep, refused at the first enqueue."""
    source = f"""
app = Treadle(REDIS)

@app.job(unique=Unique({given}))
def welcome(user_id: int) -> None: ...
welcome.enqueue(1)
"""
    return Program(title, source, ConfigError, text)


UNIQUENESS: tuple[Program, ...] = (
    Program(
        "unique as a flag",
        """
@app.job(unique=True)
def welcome() -> None: ...
welcome.enqueue()
""",
        ConfigError,
        'expected unique of job "welcome" to be a Unique, as in Unique(period=60), got bool True',
    ),
    rule(
        "a period of nothing",
        "period=0",
        "expected period of unique to be a number of seconds, more than 0, or None, got int 0",
    ),
    rule(
        "a period in words",
        'period="1h"',
        "expected period of unique to be a number of seconds, more than 0, or None, got str '1h'",
    ),
    rule(
        "a field mistyped",
        'fields=["arg"]',
        "expected fields of unique to be among args, queue, worker, meta, got str 'arg'; did you mean \"args\"?",
    ),
    rule(
        "no fields",
        "fields=[]",
        "expected fields of unique to be a list of args, queue, worker, meta, got list []",
    ),
    rule(
        "a field without a list",
        'fields="args"',
        "expected fields of unique to be a list of args, queue, worker, meta, got str 'args'",
    ),
    rule(
        "keys without a list",
        'keys="user_id"',
        "expected keys of unique to be a list of names, got str 'user_id'",
    ),
    rule(
        "keys of what is not compared",
        'keys=["user_id"], fields=["queue"]',
        'expected "args" or "meta" among fields of unique with keys, got queue',
    ),
    rule(
        "a group mistyped",
        'states="succesful"',
        "expected states of unique to be successful or all or incomplete or scheduled, got str 'succesful'; "
        'did you mean "successful"?',
    ),
    rule(
        "a state that there is none",
        'states=["running"]',
        "expected states of unique to be among available, scheduled, executing, retryable, completed, discarded, "
        "cancelled, suspended, got str 'running'",
    ),
    rule(
        "an end mistyped",
        'until="sucess"',
        "expected until of unique to be start or success or expiry, got str 'sucess'; did you mean \"success\"?",
    ),
    rule(
        "two ends",
        'until="start", states="all"',
        "expected either states or until of unique, got both",
    ),
    rule(
        "no end at all",
        'until="expiry", period=None',
        'expected a period of unique with until="expiry", got one without end',
    ),
    rule(
        "a timestamp mistyped",
        'timestamp="scheduled"',
        "expected timestamp of unique to be inserted_at or scheduled_at, got str 'scheduled'; "
        'did you mean "scheduled_at"?',
    ),
    rule(
        "a replacement for all states",
        'replace=["args"]',
        'expected replace of unique to be a mapping, as in {"scheduled": ["scheduled_at"]}, got list [\'args\']',
    ),
    rule(
        "a replacement in what runs",
        'replace={"executing": ["args"]}',
        "expected the states in replace of unique to be among available, scheduled, retryable, got str 'executing': "
        "what runs or has ended keeps what it had",
    ),
    rule(
        "a replacement of what there is none",
        'replace={"scheduled": ["delay"]}',
        "expected replace['scheduled'] of unique to be among args, max_attempts, meta, priority, queue, scheduled_at, "
        "tags, got str 'delay'",
    ),
    rule(
        "a replacement in a state that does not count",
        'states="scheduled", replace={"available": ["args"]}',
        "expected the states in replace of unique to be among those in which a job counts, got available",
    ),
    Program(
        "a key that is no argument",
        """
@app.job(unique=Unique(keys=["user"]))
def welcome(user_id: int, lang: str = "en") -> None: ...
welcome.enqueue(1)
""",
        ConfigError,
        'job "welcome": expected the keys of unique to be among its arguments (user_id, lang), got "user"; '
        'did you mean "user_id"?',
    ),
    on_redis(
        "a lock without end on Redis",
        "period=None",
        'job "welcome": expected a period of unique in seconds on this store, got one without end: the lock of a job '
        "that another program deletes would stay for ever",
    ),
    on_redis(
        "states that no lock keeps, on Redis",
        'states=["scheduled", "available"]',
        'job "welcome": expected states of unique to be successful, incomplete or all on this store, or until in their '
        "place, got available, scheduled",
    ),
    on_redis(
        "a replacement in a queue of Redis",
        'replace={"available": ["args"]}',
        'job "welcome": expected replace of unique to name only scheduled on this store, got available: what waits in '
        "a queue cannot be found there",
    ),
)
