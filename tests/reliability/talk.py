"""Runs the app of tests/apps/talking_jobs.py as users do, and reads what is said."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from tests.reliability.bench import LIMIT, ROOT
from treadle import Treadle
from treadle.core.arguments import Shape
from treadle.core.job import JobView, NewJob
from treadle.stores.job_query import JobQuery

APP = "tests.apps.talking_jobs:app"


class Talk:
    """Jobs in a store, and a command that works them off."""

    def __init__(self, url: str) -> None:
        self.url = url

    def insert(self, name: str, *, queue: str = "default", attempts: int = 1, **named: Any) -> str:
        """Write a job into the store as a foreign program might, which knows no signature; its id."""
        return asyncio.run(self._insert(name, queue, attempts, named))

    def work(self, *options: str, stderr: Path | None = None, **environment: str) -> str:
        """Drain the store; the log, where it was not sent elsewhere."""
        command = ("work", APP, "--drain", *options)
        if stderr is None:
            done = self._run(*command, stderr=subprocess.PIPE, **environment)
        else:
            with stderr.open("wb", buffering=0) as file:
                done = self._run(*command, stderr=file, **environment)
        assert done.returncode in {0, 3}, done.stderr
        return done.stderr or ""

    def says(self, *command: str) -> str:
        """What a command prints."""
        done = self._run(*command, stderr=subprocess.PIPE)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def states(self) -> list[str]:
        """The states of all jobs that the store keeps."""
        return sorted(view.state.value for view in asyncio.run(self._views()))

    def _run(self, *command: str, stderr: int | BinaryIO, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "treadle.cli", *command],
            cwd=ROOT,
            env=os.environ | {"TREADLE_URL": self.url} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    async def _insert(self, name: str, queue: str, attempts: int, named: dict[str, Any]) -> str:
        app = Treadle(self.url)
        try:
            store = await app.astore()
            args = json.dumps(named if store.shape is Shape.MAPPING else [*named.values()]).encode()
            new = NewJob(name=name, queue=queue, args=args, max_attempts=attempts)
            return (await store.insert([new]))[0].id
        finally:
            await app.aclose()

    async def _views(self) -> list[JobView]:
        app = Treadle(self.url)
        try:
            return list(await (await app.astore()).find(JobQuery(limit=100)))
        finally:
            await app.aclose()


def entries(log: str) -> list[dict[str, Any]]:
    """The entries of a log in JSON."""
    return [json.loads(line) for line in log.splitlines()]
