"""Misuse gives one line that helps: what was expected, what came, where to change it.

The cases stand in tests/misuse. A text that is to change is changed there too, and read once more as a user reads it.
"""

import logging
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.misuse.arguments import ARGUMENTS
from tests.misuse.calls import CALLS
from tests.misuse.case import PRELUDE, Command, Program, Script, check_form, placeless
from tests.misuse.commands import COMMANDS, FILES
from tests.misuse.functions import FUNCTIONS
from tests.misuse.options import OPTIONS
from tests.misuse.scripts import SCRIPTS
from tests.misuse.stores import STORES
from tests.misuse.transactions import TRANSACTIONS
from tests.misuse.uniqueness import UNIQUENESS
from tests.servers import RedisServer, free_port
from treadle import Treadle
from treadle.app.unserved import PATIENCE

PROGRAMS = (*OPTIONS, *FUNCTIONS, *ARGUMENTS, *CALLS, *STORES, *TRANSACTIONS, *UNIQUENESS)
LIMIT = 30.0
TYPOS = (("jobs lst", "list"), ("work shop --concurency 5", "--concurrency"), ("jobs list --state x", "available"))


@pytest.fixture
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Mapping[str, str]]:
    """The stores that a program names: one in a file, one on Redis, one that is not there, one that evicts."""

    def named(source: str) -> dict[str, str]:
        found = {"URL": f"sqlite:///{tmp_path}/jobs.db", "FOLDER": str(tmp_path)}
        found["DEAD"] = f"redis://:secret@127.0.0.1:{free_port()}/0"
        if "REDIS" in source:
            found["REDIS"] = request.getfixturevalue("redis_url")
        if "EVICTING" in source:
            start: Callable[..., RedisServer] = request.getfixturevalue("start_redis")
            found["EVICTING"] = start(maxmemory_policy="allkeys-lru").url
        return found

    return named


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.title)
def test_a_program_is_told_its_mistake(
    case: Program, tmp_path: Path, places: Callable[[str], Mapping[str, str]]
) -> None:
    file = tmp_path / "shop.py"
    file.write_text(PRELUDE + case.source.lstrip("\n"))
    with pytest.raises(case.error) as caught:
        runpy.run_path(str(file), init_globals=dict(places(case.source)), run_name="shop")
    close_apps(caught, file)
    text = placeless(str(caught.value), tmp_path)
    assert text == case.text
    check_form(text)
    assert "secret" not in text


def close_apps(caught: pytest.ExceptionInfo[BaseException], file: Path) -> None:
    """End what the program left open: its process goes on."""
    for entry in caught.traceback:
        if entry.path == file:
            for app in [value for value in entry.frame.f_globals.values() if isinstance(value, Treadle)]:
                app.close()


@pytest.mark.parametrize("case", COMMANDS, ids=lambda case: case.title)
def test_a_command_is_told_its_mistake(case: Command, tmp_path: Path) -> None:
    write(tmp_path, FILES, case.files)
    port = str(free_port())
    environment = {name: value.replace("PORT", port) for name, value in case.environment.items()}
    done = run(tmp_path, "-m", "treadle.cli", *shlex.split(case.words), **environment)
    assert (done.returncode, placeless(done.stderr, tmp_path)) == (case.code, f"{case.text}\n")
    check_form(case.text)
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    TYPOS,
)
def test_what_click_refuses_in_its_own_words_is_one_line_too(words: str, meant: str, tmp_path: Path) -> None:
    write(tmp_path, FILES)
    done = run(tmp_path, "-m", "treadle.cli", *words.split())
    assert done.returncode == 2
    assert re.fullmatch(rf"treadle: .*{meant}.* \(see treadle .*--help\)\n", done.stderr)
    check_form(done.stderr.rstrip("\n"))


@pytest.mark.parametrize("case", SCRIPTS, ids=lambda case: case.title)
def test_a_script_is_told_its_mistake(case: Script, tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "", "script.py": case.source.lstrip("\n")})
    done = run(tmp_path, *shlex.split(case.words))
    assert done.returncode == 1
    lines = [placeless(line, tmp_path) for line in done.stderr.splitlines()]
    assert case.text in lines
    check_form(case.text)


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(tmp_path, "-m", "treadle.cli", "work", "shop", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    text = placeless(done.stderr, tmp_path)
    assert done.returncode == 1
    assert text.endswith(
        "expected an address of this machine whose port is free, got 127.0.0.1:PORT (Address already in use); "
        "listen on another one\n"
    )
    check_form(text.rstrip("\n"))


def test_a_result_that_nobody_works_for_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")
    report = app.job(name="report", record=True, queue="reports")(lambda: 5)
    with pytest.raises(TimeoutError):
        report.enqueue().result(timeout=PATIENCE + 1.5)
    app.close()
    [text] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert text == ('job 1 (report) waits in queue "reports", which no live worker serves; start one: treadle work APP')
    check_form(text)


def write(folder: Path, *files: Mapping[str, str]) -> None:
    for each in files:
        for name, text in each.items():
            (folder / name).write_text(text)


def run(folder: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
