"""Row 88: no name, argument, error or log record commands a terminal, or forges a line."""

import json

import pytest

from tests.reliability.bench import on_every_store
from tests.reliability.talk import APP, Talk

EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\r\n2026-01-01 00:00:00,000 1 INFO    root: forged\x00"


def put_evil(talk: Talk) -> list[str]:
    """Jobs whose every part is evil; their ids."""
    # PostgreSQL keeps no NUL: a job with one is refused.
    evil = EVIL.rstrip("\0") if talk.url.startswith("postgresql") else EVIL
    return [
        talk.insert(f"name {evil}", text=evil),
        talk.insert("on_the_loop", text=evil, queue=f"queue {evil}"),
        *(talk.insert(name, text=evil) for name in ("on_the_loop", "in_a_process", "fail", "give_up")),
    ]


def is_tame(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


@on_every_store
def test_a_log_in_text_obeys_nobody(url: str) -> None:
    talk = Talk(url)
    put_evil(talk)
    log = talk.work("--log-args", "--log-level", "debug")
    assert log.count("pwned") > 4
    assert is_tame(log)
    assert not [line for line in log.splitlines() if line.startswith("2026-01-01")]


def test_a_log_in_json_has_one_object_a_line_whatever_it_says(url: str) -> None:
    talk = Talk(url)
    put_evil(talk)
    log = talk.work("--log-args", "--log-level", "debug", "--log-format", "json")
    assert is_tame(log)
    assert {json.loads(line)["level"] for line in log.splitlines()} >= {"DEBUG", "INFO", "WARNING", "ERROR"}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_command_line_obeys_nobody(url: str, form: tuple[str, ...]) -> None:
    talk = Talk(url)
    ids = put_evil(talk)
    talk.work()
    told = talk.says("jobs", "list", APP, *form) + talk.says("queues", "list", APP, *form)
    told += "".join(talk.says("jobs", "show", APP, one, *form) for one in ids[:2])
    assert told.count("pwned") >= 3
    assert is_tame(told)
    assert not [line for line in told.splitlines() if line.startswith("2026-01-01")]
