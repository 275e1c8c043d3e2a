"""What a case of the table is, and what every text in it must be."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

LONGEST = 300  # characters, which is two lines of a terminal and a bit

# The first line of every program; URL, REDIS, DEAD and FOLDER are put before it.
PRELUDE = (
    "import asyncio; from dataclasses import dataclass; from datetime import datetime, timedelta; "
    "from enum import Enum; from treadle import Inject, Job, Jobs, Snooze, Treadle, Unique, current_job; "
    "app = Treadle(URL)\n"
)

_PLACES = (
    (re.compile(r"\b0x[0-9a-f]+\b"), "0x…"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"127\.0\.0\.1:PORT/\d+"), "127.0.0.1:PORT/N"),
    (re.compile(r"/proc/\d+"), "/proc/PID"),
    # In the words of redis-py and of the kernel.
    (re.compile(r"\((?:Error \d+|\[Errno \d+\]) .*?\)+\.?\): "), "(REASON): "),
)

_FORMS = (
    r"expected .+\b(got|found|none)\b",
    # The mistake itself, and what to do.
    r"would block .+: use (await|async with) ",
    r"two jobs answer to .+; give one of them another name=",
    r"; its signature is \w+\(.*\)",
    r"unknown argument .+: expected ",
    r"cannot reach .+: is it running, and is the URL right\?",
    r"runs in another program, got a call of its body: enqueue it",
    r"[./]\w+: .+ \(SQLITE_\w+\): .+",
    r"in a password, @ : / .+ are written as",
    r"no such job: \d+",
    r"did not end within [\d.]+ s, and goes on",
    r"which no live worker serves; start one: treadle work",
    r"No such .+ Did you mean .+\? \(see treadle .*--help\)",
    r"is not one of .+ \(see treadle .*--help\)",
)


class Program(NamedTuple):
    """A program that makes one mistake: the class of its error, and the error's text with its places left out."""

    title: str
    source: str
    error: type[BaseException]
    text: str


class Command(NamedTuple):
    """A command with one mistake: its exit code, and the one line on stderr. `files` are written before it."""

    title: str
    words: str
    code: int
    text: str
    environment: Mapping[str, str] = {}
    files: Mapping[str, str] = {}


class Script(NamedTuple):
    """A program called script.py with one mistake, how it is started, and the line on stderr that tells of it."""

    title: str
    source: str
    words: str
    text: str


def placeless(text: str, folder: Path) -> str:
    """The text with names in place of what differs from run to run."""
    text = text.replace(str(folder), "FOLDER")
    for place, name in _PLACES:
        text = place.sub(name, text)
    return text


def check_form(text: str) -> None:
    """One line, short enough to be read, that says what was expected and what came, or what is wrong and what to do."""
    assert text.isprintable(), f"several lines, or what a terminal obeys: {text!r}"
    assert len(text) <= LONGEST, f"{len(text)} characters: {text}"
    assert any(re.search(form, text) for form in _FORMS), f"neither what was expected nor what to do: {text}"
