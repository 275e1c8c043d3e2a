"""A real `treadle work` beside Sidekiq, running the jobs of tests/apps/sidekiq_peer.py."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit, urlunsplit

import psutil
from redis import Redis

from tests.interop.entries import text
from tests.interop.program import PATIENCE, PeerError
from tests.servers import wait_until
from treadle import Treadle
from treadle.app.registry import Registered

APPS = Path(__file__).parent.parent / "apps"


def external(app: Treadle, name: str, **options: Any) -> Registered:
    """A job that this app enqueues and another program runs; asked for again, it is the one of before."""

    def body(*args: Any) -> None:
        raise NotImplementedError

    known = app.find(name)
    return known or app.job(name=name, **options)(body)


class TreadleProcess:
    """`treadle work` as a shell starts it, ready once its worker processes are on Sidekiq's Busy page.

    url: the store, with `?namespace=` where there is one.
    lease: seconds of silence after which a worker is dead; it beats and reports six times in it.
    grace: seconds that running jobs get after `stop()` before they are given back.
    share: queues that Sidekiq may serve too.
    app: what to work for, in `folder`.
    """

    def __init__(  # noqa: PLR0913 - what a shell can say
        self,
        url: str,
        *,
        queues: Sequence[str] = ("default",),
        processes: int = 1,
        concurrency: int = 5,
        lease: float = 3.0,
        grace: float = 5.0,
        share: Sequence[str] = (),
        app: str = "sidekiq_peer:app",
        folder: Path = APPS,
    ) -> None:
        parts = urlsplit(url)
        self._redis = Redis.from_url(urlunsplit(parts._replace(query="")))
        namespace = parse_qs(parts.query).get("namespace", [""])[0]
        self._prefix = f"{namespace}:" if namespace else ""
        self._url = url
        self._cwd = folder
        self._processes = processes
        self._argv = [
            *(sys.executable, "-m", "treadle.cli", "work", app, "--processes", str(processes)),
            *("--concurrency", str(concurrency), "--lease", str(lease), "--grace", str(grace)),
            *(word for queue in queues for word in ("-q", queue)),
            *(word for queue in share for word in ("--share", queue)),
        ]
        self.identities: list[str] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="treadle-interop-")
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            environment = os.environ | {"TREADLE_URL": self._url}
            self._process = subprocess.Popen(
                self._argv, cwd=self._cwd, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.identities = wait_until(self._registered, PATIENCE, "treadle's worker processes are in `processes`")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self._folder.cleanup()
        self._redis.close()

    @property
    def identity(self) -> str:
        """The name of its only worker process."""
        [identity] = self.identities
        return identity

    def heartbeat(self) -> Mapping[str, str]:
        """The fields of the worker process's hash, {} when it is gone."""
        return {text(name): text(value) for name, value in self._redis.hgetall(self._prefix + self.identity).items()}

    def wait_for_beats(self, number: int) -> None:
        """Wait until it reported so many times more."""
        for _ in range(number):
            before = self.heartbeat()["beat"]
            wait_until(partial(self._beat_again, before), PATIENCE, "treadle reports")

    def stop(self) -> int:
        """End it as an operator does (TERM) and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ended by itself, for example by the Web's Stop button; its exit code."""
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """End parent and workers as a fault of their host does: nothing is given back."""
        if self._process.poll() is None:
            children = self._children()
            self._process.kill()
            for child in children:
                child.kill()
            self._process.wait()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _beat_again(self, before: str) -> bool:
        return self.heartbeat()["beat"] != before

    def _children(self) -> list[psutil.Process]:
        return psutil.Process(self._process.pid).children(recursive=True)

    def _registered(self) -> list[str]:
        if self._process.poll() is not None:
            raise PeerError(f"treadle ended with {self._process.returncode}; its log ends:\n{self.log()[-4000:]}")
        pids = {str(child.pid) for child in self._children()}
        known = [text(member) for member in self._redis.smembers(f"{self._prefix}processes")]
        ours = [identity for identity in known if identity.split(":")[-2:-1] and identity.split(":")[-2] in pids]
        return ours if len(ours) == self._processes else []
