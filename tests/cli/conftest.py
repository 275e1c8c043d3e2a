"""The command line as a shell starts it: a process of its own, on an SQLite file of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers import wait_until

APPS = Path(__file__).parent.parent / "apps"
SHOP = "cli_shop:app"
COMMAND = (sys.executable, "-m", "treadle.cli")
IN_A_TERMINAL = (
    sys.executable,
    "-c",
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
    *COMMAND,
)
LIMIT = 30.0


class Running:
    """A command that has not ended yet. `log` is what it wrote to stderr, `output` to stdout."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        self._stdout = folder / "stdout"
        self._stderr = folder / "stderr"
        with self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=APPS, env=environment
            )

    @property
    def output(self) -> str:
        return self._stdout.read_text()

    @property
    def log(self) -> str:
        return self._stderr.read_text()

    def logs(self, text: str) -> None:
        """Wait until it has written this."""
        wait_until(lambda: text in self.log, what=f"{text!r} stands in the log")

    def ends(self, timeout: float = LIMIT) -> int:
        """Wait for its exit code."""
        return self.process.wait(timeout)

    def type(self, keys: bytes) -> None:
        """Write to its stdin."""
        assert self.process.stdin is not None
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Shell:
    """Runs `treadle` in the folder of the apps, with TREADLE_URL set to a store of this test's own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'jobs.db'}"
        self._stack = stack

    def run(self, *arguments: str, timeout: float = LIMIT, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run to the end."""
        return subprocess.run(
            (*COMMAND, *arguments),
            cwd=APPS,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *arguments: str, timeout: float = LIMIT, **environment: str) -> str:
        """Run to a good end; what it printed."""
        done = self.run(*arguments, timeout=timeout, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make_store(self) -> None:
        """Make the file of the store, without a job: commands that only look do not."""
        (self.folder / "jobs.db").touch()

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
        """The document that it printed."""
        return json.loads(self.ok(*arguments, "--json"))

    def enqueue(self, *arguments: str) -> str:
        """Enqueue a job of the shop; its id."""
        return self.ok("enqueue", SHOP, *arguments).strip()

    def states(self) -> dict[str, str]:
        """The state of every job by its id."""
        return {job["id"]: job["state"] for job in self.json("jobs", "list")}

    def start(self, *arguments: str, command: tuple[str, ...] = COMMAND, **environment: str) -> Running:
        """Start, and have it ended with the test whatever happens."""
        folder = self.folder / f"run-{len(list(self.folder.glob('run-*')))}"
        folder.mkdir()
        running = Running((*command, *arguments), folder, self._environment(environment))
        self._stack.callback(_end, running.process)
        return running

    def _environment(self, given: dict[str, str]) -> dict[str, str]:
        return os.environ | {"TREADLE_URL": self.url} | given


class Held:
    """The folder through which a job that holds is watched and let go."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.args = f'["{folder}"]'
        self._started = folder / "started"
        self._release = folder / "release"

    @property
    def pids(self) -> list[int]:
        """The worker processes that began the job, in order."""
        return list(map(int, self._started.read_text().split())) if self._started.exists() else []

    def begins(self) -> int:
        """Wait until the job runs; the worker process that runs it."""
        return wait_until(lambda: self.pids, LIMIT, "the job that holds begins")[-1]

    def release(self) -> None:
        """Let it end."""
        self._release.touch()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.kill()
        process.wait()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with ExitStack() as stack:
        yield Shell(tmp_path, stack)


@pytest.fixture
def held(tmp_path: Path) -> Held:
    return Held(tmp_path / "held")
