"""The command itself: versions, usage, and how it ends."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import pytest

from tests.cli.conftest import COMMAND, Shell


def test_the_version_is_the_package_s(shell: Shell) -> None:
    assert shell.ok("version") == f"treadle {version('treadle')} on Python {python_version()}\n"
    assert shell.json("version") == {"treadle": version("treadle"), "python": python_version()}


def test_the_console_script_is_the_same_command(shell: Shell) -> None:
    script = f"{sys.prefix}/bin/treadle"
    done = subprocess.run([script, "version"], cwd=shell.folder, capture_output=True, text=True, check=True)
    assert done.stdout == shell.ok("version")


def test_unknown_commands_and_options_end_with_2(shell: Shell) -> None:
    for arguments in ((), ("play",), ("jobs",), ("jobs", "list", "--loud"), ("jobs", "list", "--state", "lost")):
        assert shell.run(*arguments).returncode == 2, arguments


def test_help_ends_with_0_and_names_the_exit_codes(shell: Shell) -> None:
    assert "3 a job was discarded" in " ".join(shell.ok("--help").split())


def test_a_reader_that_goes_away_is_no_traceback(shell: Shell) -> None:
    done = subprocess.run(
        ["sh", "-c", 'set -o pipefail 2>/dev/null; "$@" --help | true', "sh", *COMMAND],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="expected a device that is always full")
@pytest.mark.parametrize("arguments", [("jobs", "list"), ("jobs", "list", "--json"), ("--help",)])
def test_an_output_that_has_no_room_is_one_line(shell: Shell, arguments: tuple[str, ...]) -> None:
    shell.enqueue("greet", '["Ann"]')
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=shell.folder,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=os.environ | {"TREADLE_URL": shell.url},
        )
    assert (done.returncode, done.stderr) == (1, "treadle: cannot write the output: No space left on device\n")


def test_a_terminal_that_knows_only_ascii_gets_escapes(shell: Shell) -> None:
    shell.enqueue("greet", '["Zoë"]')
    assert "Zo\\u00eb" in shell.ok("jobs", "list", PYTHONIOENCODING="ascii")
