"""A real oban-py 0.7 and a real `treadle work` on one database, and what they left there."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.interop.program import PATIENCE, PeerError, Program
from tests.servers import wait_until

ROOT = Path(__file__).parent.parent.parent.parent
ENVIRONMENT = ROOT / ".venv-oban"
APPS = ROOT / "tests" / "apps"

RUNS = """
CREATE TABLE interop_runs (
  number bigserial PRIMARY KEY, job_id bigint NOT NULL, program text NOT NULL, args jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

Row = dict[str, Any]


def oban_python() -> str:
    """The Python that has oban-py. Its lack fails a test: a run without this peer would prove nothing."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.fail(f"expected oban-py in {ENVIRONMENT}, got none: `make setup` makes it where it finds a Python 3.12")
    return str(python)


def oban_install(url: str, prefix: str = "public") -> None:
    """What `oban install` does."""
    command = [str(Path(oban_python()).with_name("oban")), "install", "--dsn", url, "--prefix", prefix]
    subprocess.run(command, check=True, capture_output=True)


class Database:
    """What stands in the database that the programs share."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        self.rows(RUNS)

    def close(self) -> None:
        self._connection.close()

    def rows(self, text: str, *values: object) -> list[Row]:
        cursor = self._connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def job(self, job_id: int | str) -> Row:
        [row] = self.rows("SELECT *, state::text AS state FROM oban_jobs WHERE id = %s", int(job_id))
        return row

    def runs(self, job_id: int | str) -> list[str]:
        """The programs that ran this job, in order."""
        found = self.rows("SELECT program FROM interop_runs WHERE job_id = %s ORDER BY number", int(job_id))
        return [row["program"] for row in found]

    def wait_for(self, job_id: int | str, state: str) -> Row:
        """Wait until a job is in this state; its row."""
        wait_until(lambda: self.job(job_id)["state"] == state, PATIENCE, f"job {job_id} is {state}")
        return self.job(job_id)

    def wait_for_run(self, job_id: int | str, number: int = 1) -> None:
        wait_until(lambda: len(self.runs(job_id)) >= number, PATIENCE, f"job {job_id} has run {number} times")


class ObanPeer:
    """A real oban-py, ready once it has started. `options` are those of its class Oban."""

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        self._options = options

    def __enter__(self) -> Self:
        given = json.dumps({"dsn": self._url, **self._options})
        command = [oban_python(), "-c", "import asyncio, peer; asyncio.run(peer.main())", given]
        self._program = Program(command, {"PYTHONPATH": str(Path(__file__).parent)}, answers=True)
        self._program.boot(lambda: self._program.answer(str))
        return self

    def __exit__(self, *_error: object) -> None:
        self._program.close()

    def ask(self, do: str, **request: Any) -> Any:  # noqa: ANN401 - any JSON
        return self._program.ask({"do": do, **request}, object)

    def enqueue(self, worker: str, queue: str, args: Mapping[str, Any] | None = None, **options: Any) -> int:
        job_id = self.ask("enqueue", worker=worker, queue=queue, args=args or {}, **options)["id"]
        assert isinstance(job_id, int)
        return job_id

    def log(self) -> str:
        return self._program.log()


class TreadleNode:
    """`treadle work` on the jobs of tests/apps/oban_peer.py, ready once its worker is shown."""

    def __init__(self, database: Database, *options: str, queues: Sequence[str] = ("treadle", "narrow=1")) -> None:
        self._database = database
        self._argv = [sys.executable, "-m", "treadle.cli", "work", "oban_peer:app", *options]
        self._argv += [word for queue in queues for word in ("-q", queue)]

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="treadle-interop-")
        self._log = Path(self._folder.name) / "log"
        with self._log.open("wb") as log:
            environment = os.environ | {"TREADLE_URL": self._database.url}
            self._process = subprocess.Popen(self._argv, cwd=APPS, env=environment, stdout=log, stderr=log)
        try:
            wait_until(self._shown, PATIENCE, "treadle's worker is shown")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            children = psutil.Process(self._process.pid).children(recursive=True)
            self._process.kill()
            for child in children:
                child.kill()
            self._process.wait()
        self._folder.cleanup()

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE)

    def freeze_children(self) -> None:
        """Stop its worker processes as a body does that lets nothing else run."""
        for child in psutil.Process(self._process.pid).children(recursive=True):
            child.suspend()

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _shown(self) -> bool:
        if self._process.poll() is not None:
            raise PeerError(f"treadle ended with {self._process.returncode}; its log ends:\n{self.log()[-4000:]}")
        return bool(self._database.rows("SELECT 1 FROM treadle_serving"))
