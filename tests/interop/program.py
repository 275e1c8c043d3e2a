"""A foreign program as a child process: started, asked, ended, with its log for the error messages."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from tests.servers import ProgramMissingError

# Booting and answering take well under a second; a loaded machine gets this many.
PATIENCE = 20.0

T = TypeVar("T")


class PeerError(Exception):
    """A foreign program refused a request, ended early, or did not answer in time."""


class Program:
    """One child process in a temporary folder.

    It is ended by its own process id, and ends by itself when the test run dies: each of our
    programs watches its stdin.  With `answers`, stdout carries one JSON object a line, {"result": …}
    or {"error": "…"}; without, it goes to the log, as stderr always does.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], *, answers: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="treadle-interop-")
        self._log = Path(self._folder.name) / "log"
        self._unread = b""
        # Not the caller's environment: RUBYOPT, BUNDLE_*, REDIS_PROVIDER or LANG=C would change a program's ways.
        fixed = {"PATH": os.environ["PATH"], "HOME": self._folder.name, "LANG": "C.UTF-8"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [_found(argv[0]), *argv[1:]],
                cwd=self._folder.name,
                env={**fixed, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if answers else log,
                stderr=log,
                bufsize=0,
            )

    def boot(self, ready: Callable[[], T]) -> T:
        """Give what `ready` returns; close if it raises."""
        try:
            return ready()
        except BaseException:
            self.close()
            raise

    def ask(self, request: Mapping[str, object], kind: type[T]) -> T:
        """Send one JSON line and give the answer's result."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        return self.answer(kind)

    def answer(self, kind: type[T]) -> T:
        """The next line's result.  Raises PeerError for an error, an end, or silence."""
        reply: dict[str, object] = json.loads(self._line())
        if "error" in reply:
            raise PeerError(reply["error"])
        return msgspec.convert(reply["result"], kind)

    def check_running(self) -> None:
        """Raise PeerError with the log if it has ended."""
        if self.process.poll() is not None:
            raise self._failure(f"ended with {self.process.returncode}")

    def end(self, number: signal.Signals) -> int:
        """Send the signal and wait for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """Kill it if it is still there and remove its folder; may be called again."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self._folder.cleanup()

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            chunk = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            if not chunk:
                raise self._failure("ended" if readable else f"did not answer within {PATIENCE:.0f} s")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _failure(self, what: str) -> PeerError:
        return PeerError(f"{self.process.args!r} {what}; its log ends:\n{self.log()[-4000:]}")


def _found(command: str) -> str:
    path = shutil.which(command)
    if path is None:
        raise ProgramMissingError(f"expected {command} on PATH, got none; run `make setup`")
    return path
