"""Jobs are registered under names, and every mistake is refused where it is made."""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from treadle import Treadle
from treadle.errors import ConfigError

KNOWN = (
    "name, queue, max_attempts, priority, tags, meta, unique, redact, timeout, backoff, retry_on, discard_on, expires, "
    "rerun, aliases, executor, record"
)
KNOWN_IN_CALLS = "queue, max_attempts, priority, tags, meta, unique, delay, at, tx, after_commit"
NAME = "1 to 127 letters, digits, blanks or any of _ . - : /"
WRONG_RETRY_ON = "expected retry_on of job \"work\" to be an exception class or a tuple of them, got 'OSError'"


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    return str(caught.value)


@pytest.fixture
def app() -> Iterator[Treadle]:
    app = Treadle("sqlite://")
    yield app
    app.close()


async def start(app: Treadle) -> None:
    async with app.worker():
        pass


def work() -> str:
    """What it does."""
    return "done"


async def work_later() -> str:
    return "done later"


def test_a_job_is_named_after_its_function_and_stays_a_function(app: Treadle) -> None:
    job = app.job(work)
    assert (job.name, repr(job), job.__doc__) == ("work", "<job work>", "What it does.")
    assert job() == "done"
    assert asyncio.run(app.job(work_later)()) == "done later"
    assert list(app.handlers) == ["work", "work_later"]


def test_a_job_may_have_another_name(app: Treadle) -> None:
    assert app.job(name="MyApp.Work")(work).name == "MyApp.Work"


def test_two_jobs_of_one_name_are_refused_with_both_places(app: Treadle) -> None:
    def other() -> None: ...

    app.job(work)
    text = refusal(lambda: app.job(name="work")(other))
    assert re.fullmatch(
        r'two jobs answer to "work": tests\.app\.test_registry\.work \(.*test_registry\.py:\d+\) and '
        r"tests\.app\.test_registry\.test_two_jobs_.*<locals>\.other \(.*test_registry\.py:\d+\); "
        r"give one of them another name=",
        text,
    )


def test_a_name_that_is_an_alias_of_another_job_is_refused_and_nothing_is_registered(app: Treadle) -> None:
    app.job(aliases=["labour"])(work)
    assert refusal(lambda: app.job(name="labour")(work_later)).startswith('two jobs answer to "labour"')
    assert refusal(lambda: app.job(aliases=["work"])(work_later)).startswith('two jobs answer to "work"')
    assert list(app.handlers) == ["work"]
    assert app.resolve("work_later") is None


def test_aliases_are_answered_to(app: Treadle) -> None:
    job = app.job(name="MyApp.Work", aliases=["labour", "MyApp.Toil"])(work)
    for name in ("MyApp.Work", "labour", "MyApp.Toil"):
        assert app.resolve(name) is job.handler


@pytest.mark.parametrize("spelling", ["A.B", "A::B", "Elixir.A.B", "A.B/1", "Elixir.A.B/2"])
def test_a_job_answers_to_its_name_in_every_peers_spelling(app: Treadle, spelling: str) -> None:
    job = app.job(name="A.B")(work)
    assert app.resolve(spelling) is job.handler


@pytest.mark.parametrize("name", ["", "a.b", "os.system", "builtins.eval", "work.__globals__", "__class__", "W", "/"])
def test_a_name_that_is_not_registered_resolves_to_nothing(app: Treadle, name: str) -> None:
    app.job(work)
    assert app.resolve(name) is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": ""}, f"expected the name of a job to be {NAME}, got ''"),
        ({"name": 5}, f"expected the name of a job to be {NAME}, got 5"),
        (
            {"aliases": ["a,b"]},
            f"expected an alias of job \"work\" to be {NAME}, got 'a,b'",
        ),
        ({"aliases": "labour"}, "expected aliases of job \"work\" to be a list of names, got 'labour'"),
        ({"aliases": None}, 'expected aliases of job "work" to be a list of names, got None'),
        (
            {"retries": 3},
            f'expected the options of job "work" to be among {KNOWN}, got "retries"',
        ),
        (
            {"ques": "mail"},
            f'expected the options of job "work" to be among {KNOWN}, got "ques"; did you mean "queue"?',
        ),
    ],
)
def test_an_option_that_there_is_not_and_a_wrong_name_are_refused_at_the_decorator(
    app: Treadle,
    options: Any,  # noqa: ANN401
    text: str,
) -> None:
    assert refusal(lambda: app.job(**options)(work)) == text
    assert app.handlers == {}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"queue": "*"},
            f"expected queue of job \"work\" to be {NAME}, got '*'",
        ),
        ({"max_attempts": 0}, 'expected max_attempts of job "work" to be an integer from 1 to 32767, got 0'),
        ({"timeout": 0}, 'expected timeout of job "work" to be a number of seconds, more than 0, got 0'),
        ({"backoff": 5}, 'expected backoff of job "work" to be a function of the attempt, got 5'),
        ({"executor": "gevent"}, "expected executor of job \"work\" to be one of loop, thread, process, got 'gevent'"),
        ({"priority": 10}, 'expected priority of job "work" to be an integer from 0 to 9, got 10'),
        ({"tags": "new"}, "expected tags of job \"work\" to be a list of words of 1 to 127 characters, got 'new'"),
        ({"meta": {1: 2}}, 'expected meta of job "work" to be a mapping of names to values, got {1: 2}'),
        ({"rerun": 0}, 'expected rerun of job "work" to be True or False, got 0'),
        ({"record": 1}, 'expected record of job "work" to be True or False, got 1'),
        ({"retry_on": "OSError"}, WRONG_RETRY_ON),
    ],
)
def test_a_wrong_value_of_an_option_is_refused_when_a_worker_starts_and_at_the_first_enqueue(
    app: Treadle,
    options: Any,  # noqa: ANN401
    text: str,
) -> None:
    job = app.job(**options)(work)
    assert refusal(job.enqueue) == text
    assert refusal(lambda: asyncio.run(start(app))) == text
    assert app.blocking("counts", app.store.counts()) == {}


def test_what_has_no_name_must_be_given_one(app: Treadle) -> None:
    nameless = functools.partial(work)
    assert re.fullmatch(
        r"expected a function that has a name, got functools\.partial\(.*\); give the job a name=",
        refusal(lambda: app.job(nameless)),
    )
    job = app.job(name="named")(nameless)
    assert (job.name, job()) == ("named", "done")
    assert refusal(lambda: app.job(name="named")(work)).startswith('two jobs answer to "named": functools.partial(')


def yields() -> Iterator[int]:
    yield 1


async def yields_later() -> AsyncIterator[int]:
    yield 1


class Mailer:
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("mail", "expected a function, got 'mail'; options are named, as in job(name=...)"),
        (Mailer, "job \"Mailer\": expected a function, got <class 'tests.app.test_registry.Mailer'>"),
        (yields, 'job "yields": expected a function, got a generator: to call it runs nothing'),
        (yields_later, 'job "yields_later": expected a function, got a generator: to call it runs nothing'),
    ],
)
def test_what_is_no_function_is_refused(app: Treadle, what: Any, text: str) -> None:  # noqa: ANN401
    assert refusal(lambda: app.job(what).enqueue()) == text


def test_the_executor_is_the_functions_own_unless_it_is_said(app: Treadle) -> None:
    assert app.job(work).handler.options.executor == "thread"
    assert app.job(work_later).handler.options.executor == "loop"
    assert app.job(name="apart", executor="process")(work_later).handler.options.executor == "process"


# Options of one call


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"queue": ""},
            f"expected queue of a call of job \"work\" to be {NAME}, got ''",
        ),
        (
            {"max_attempts": True},
            'expected max_attempts of a call of job "work" to be an integer from 1 to 32767, got True',
        ),
        (
            {"timeout": 5},
            f'expected the options of a call of job "work" to be among {KNOWN_IN_CALLS}, got "timeout"',
        ),
        ({"delay": -1}, 'expected delay of a call of job "work" to be a number of seconds, at least 0, got -1'),
        ({"at": "noon"}, "expected at of a call of job \"work\" to be a number of seconds, at least 0, got 'noon'"),
        ({"delay": 1, "at": 2}, 'expected either delay or at of a call of job "work", got both'),
    ],
)
def test_a_wrong_option_of_a_call_is_refused_at_the_call(app: Treadle, options: Any, text: str) -> None:  # noqa: ANN401
    assert refusal(lambda: app.job(work).options(**options)) == text


def test_a_naive_instant_is_refused(app: Treadle) -> None:
    naive = datetime(2026, 11, 22, 12)  # noqa: DTZ001 - the mistake
    assert refusal(lambda: app.job(work).options(at=naive)) == (
        'expected at of a call of job "work" to be an aware datetime, got the naive 2026-11-22T12:00:00'
    )


# Options of an app and of its worker


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"queues": ["a,b"]},
            f"expected a queue of the worker to be {NAME}, got 'a,b'",
        ),
        ({"queues": "mail"}, "expected queues to be a list of names, or names with limits, got 'mail'"),
        ({"queues": 5}, "expected queues to be a list of names, or names with limits, got 5"),
        ({"queues": {"a": 0}}, 'expected the limit of queue "a" to be an integer from 1 to 32767, got 0'),
        ({"concurrency": 0}, "expected concurrency to be an integer from 1 to 32767, got 0"),
        ({"grace": -1}, "expected grace to be a number of seconds, at least 0, got -1"),
        ({"lease": 0}, "expected lease to be a number of seconds, more than 0, got 0"),
    ],
)
def test_a_wrong_option_of_a_worker_is_refused_where_it_is_made(app: Treadle, options: Any, text: str) -> None:  # noqa: ANN401
    assert refusal(lambda: app.worker(**options)) == text


def test_a_payload_limit_beyond_the_hard_one_is_refused() -> None:
    assert refusal(lambda: Treadle(max_payload=2**27)) == (
        f"expected max_payload of an app to be an integer from 1 to {64 * 1024 * 1024}, got {2**27}"
    )
