"""Records name the job in which they were written, whichever executor runs it."""

import asyncio
import contextvars
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.talk import Talk
from treadle import JobContext, Treadle
from treadle.core.job import Job
from treadle.hooks.current import enter
from treadle.hooks.records import Console, Json

JOB = Job("7", "welcome", "mail", b"[42]", 2, 5)
LOGGER = logging.getLogger("tests.hooks.records")


class Lines:
    """A handler as a user sets it up, and what it wrote."""

    def __init__(self, formatter: logging.Formatter) -> None:
        self._out = io.StringIO()
        self.handler = logging.StreamHandler(self._out)
        self.handler.setFormatter(formatter)
        self.handler.addFilter(JobContext())

    @property
    def text(self) -> str:
        return self._out.getvalue()


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Iterator[Lines]:
    lines = Lines(getattr(request, "param", logging.Formatter(USERS_OWN)))
    LOGGER.addHandler(lines.handler)
    LOGGER.setLevel(logging.DEBUG)
    yield lines
    LOGGER.removeHandler(lines.handler)


USERS_OWN = "%(treadle_job_name)s %(treadle_queue)s %(treadle_attempt)s: %(message)s"


def within_a_job(text: str) -> None:
    context = contextvars.copy_context()
    context.run(enter, JOB)
    context.run(LOGGER.info, "%s", text)


def test_a_users_own_handler_shows_the_job(lines: Lines) -> None:
    within_a_job("hello")
    LOGGER.info("outside")
    assert lines.text == "welcome mail 2: hello\nNone None None: outside\n"


def test_a_job_of_each_executor_is_shown(lines: Lines) -> None:
    app = Treadle("sqlite://")

    @app.job(record=True)
    async def later() -> None:
        await asyncio.sleep(0)
        LOGGER.info("on the loop")
        await asyncio.to_thread(LOGGER.info, "in a thread of its own")

    @app.job(record=True, queue="slow")
    def at_once() -> None:
        LOGGER.info("in a thread")

    async def story() -> None:
        async with app.worker():
            await (await later.aenqueue())
            await (await at_once.aenqueue())
        await app.aclose()

    asyncio.run(story())
    assert lines.text.splitlines() == [
        "later default 1: on the loop",
        "later default 1: in a thread of its own",
        "at_once slow 1: in a thread",
    ]


@pytest.mark.parametrize("lines", [Console()], indirect=True)
def test_our_text_shows_the_job_and_indents_what_follows_the_first_line(lines: Lines) -> None:
    within_a_job("hello\nworld\r\x1b[0m")
    LOGGER.info("outside")
    first, second, third = lines.text.splitlines()
    assert first.endswith(" INFO    tests.hooks.records [welcome 7, mail, attempt 2]: hello")
    assert second == "    world\\r\\x1b[0m"
    assert third.endswith(" INFO    tests.hooks.records: outside")


@pytest.mark.parametrize("lines", [Json()], indirect=True)
def test_our_json_shows_the_job(lines: Lines) -> None:
    within_a_job("hello\nworld")
    (line,) = lines.text.splitlines()
    assert '"job": {"id": "7", "name": "welcome", "queue": "mail", "attempt": 2}' in line
    assert '"message": "hello\\nworld"' in line


def test_the_log_of_a_worker_names_the_job_in_every_kind_of_process(tmp_path: Path) -> None:
    talk = Talk(f"sqlite:///{tmp_path}/jobs.db")
    names = ("on_the_loop", "in_a_thread", "in_a_process", "outside")
    ids = {name: talk.insert(name, text=f"said by {name}") for name in names}
    log = [json.loads(line) for line in talk.work("--log-format", "json", "--log-level", "debug").splitlines()]
    said = {line["message"]: line["job"] for line in log if line["logger"] == "shop.mail"}
    jobs = {name: {"id": ids[name], "name": name, "queue": "default", "attempt": 1} for name in names}
    # A thread that the job starts itself has a context of its own.
    assert said == {f"said by {name}": None if name == "outside" else jobs[name] for name in names}
    told = [line["job"]["name"] for line in log if line["logger"] == "treadle.jobs"]
    assert sorted(told) == sorted(names * 2)


@pytest.mark.parametrize("lines", [Console(colours=True)], indirect=True)
def test_on_a_terminal_levels_have_colours(lines: Lines) -> None:
    LOGGER.warning("WARNING of a storm")
    LOGGER.debug("no colour")
    first, second = lines.text.splitlines()
    assert first.endswith(" \x1b[33mWARNING\x1b[0m tests.hooks.records: WARNING of a storm")
    assert second.endswith(" DEBUG   tests.hooks.records: no colour")
