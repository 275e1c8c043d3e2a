"""`treadle demo`: the main job on real input, with a crash in the middle, and the proof that nothing was lost.

Life: 1. It enqueues one job for every file of the standard library, by default on an SQLite file of its own. 2. It
starts `treadle work` with two worker processes. 3. When two fifths are done it kills one of them with SIGKILL. 4. When
no job is left it stops the workers and compares: files with jobs, jobs with values, values with its own.
"""

import asyncio
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from treadle.cli.demo_jobs import app, measure
from treadle.cli.demo_report import Report, Start, problems, read_ledger, show_report
from treadle.cli.options import store_url
from treadle.cli.progress import Progress, progress_of
from treadle.core.printable import one_line
from treadle.core.states import FINAL
from treadle.stores.job_query import JobQuery
from treadle.stores.url import mask
from treadle.stores.views import Result
from treadle.supervise.clock import SystemClock, nonce

PROCESSES = 2
CONCURRENCY = 10
KILL_AT = 0.4
MOST = 0.95
"""The part of the jobs over which the pace is taken: the rest waits for back-off and runs alone."""
LOOK = 0.03
DEADLINE = 90.0
WORKERS_END = 10.0

_NOT_THE_LIBRARY = frozenset({"site-packages", "dist-packages"})


@click.command()
@store_url
def demo(url: str | None) -> int:
    """Run one job for every file of Python's standard library, and kill a worker process in the middle.

    The store is --url or TREADLE_URL, else an SQLite file in a temporary folder. Ends with exit code 1 unless every
    file was accounted for exactly once.
    """
    folder = Path(tempfile.mkdtemp(prefix="treadle-demo-"))
    # The workers find the store in the same way.
    os.environ["TREADLE_URL"] = url or os.environ.get("TREADLE_URL") or f"sqlite:///{folder / 'demo.db'}"
    files = standard_library()
    click.echo(f"one job for each of the {len(files):,} files of {one_line(sysconfig.get_path('stdlib'))}")
    try:
        report = asyncio.run(_Demo(files, folder).run())
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        app.close()
    click.echo()
    show_report(report)
    return _verdict(problems(report, files), len(files), folder)


def standard_library() -> list[str]:
    """Every Python file of the running interpreter's standard library."""
    root = Path(sysconfig.get_path("stdlib"))
    found = (path for path in root.rglob("*.py") if not _NOT_THE_LIBRARY.intersection(path.relative_to(root).parts))
    return sorted(str(path) for path in found if path.is_file() and os.access(path, os.R_OK))


def _verdict(found: list[str], files: int, folder: Path) -> int:
    if not found:
        click.echo(
            f"\nevery file is accounted for exactly once: {files:,} jobs ended, their values computed again here"
        )
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    click.echo("\nnot every file is accounted for exactly once:")
    for text in found:
        click.echo(f"  {one_line(text)}")
    click.echo(f"the ledger and the log of the workers are in {folder}")
    return 1


class _Demo:
    """One run."""

    def __init__(self, files: list[str], folder: Path) -> None:
        self._files = files
        self._log = folder / "workers.log"
        self._ledger = folder / "ledger"
        self._queue = f"treadle-demo-{nonce()}"
        self._clock = SystemClock()
        self._killed: int | None = None
        self._killed_at = 0.0
        self._begun = 0.0
        self._pace = 0.0
        self._seen: set[int] = set()
        self._replaced = False

    async def run(self) -> Report:
        """Enqueue, work, and gather what came of it."""
        store = await app.astore()
        ids = await self._enqueue()
        workers = await self._start()
        try:
            with _shown(len(ids)) as progress:
                await self._watch(workers, progress)
            results: dict[str, Result | None] = {job_id: await store.result(job_id) for job_id in ids}
        finally:
            await _end(workers)
            await store.act("delete", JobQuery(queue=self._queue))
            await app.aclose()
        return Report(
            jobs=dict(zip(ids, self._files, strict=True)),
            results=results,
            starts=read_ledger(self._ledger),
            pace=self._pace,
            killed=self._killed,
        )

    async def _enqueue(self) -> list[str]:
        before = self._clock.steady()
        job = measure.options(queue=self._queue)
        handles = await app.aenqueue_all([job.new(file, str(self._ledger)) for file in self._files])
        seconds = self._clock.steady() - before
        click.echo(f"enqueued in {seconds:.2f} s on {one_line(mask(app.url))}")
        return [handle.id for handle in handles]

    async def _start(self) -> asyncio.subprocess.Process:
        options = ("-q", self._queue, "--processes", str(PROCESSES), "--concurrency", str(CONCURRENCY))
        command = ("-m", "treadle.cli", "work", "treadle.cli.demo_jobs:app", *options)
        click.echo(f"started treadle work with {PROCESSES} worker processes of {CONCURRENCY} threads\n")
        with self._log.open("ab") as log:
            # In a session of its own a Ctrl-C reaches the demo alone, which then ends the workers.
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _watch(self, workers: asyncio.subprocess.Process, progress: Progress) -> None:
        """Show how far it is, kill a worker process in between, end when nothing is left or the time is up."""
        deadline = self._clock.steady() + DEADLINE
        empty = False
        while self._clock.steady() < deadline and workers.returncode is None:
            left = await self._left()
            done = len(self._files) - left
            progress.at(done)
            self._note(done, read_ledger(self._ledger), progress)
            # A job on its way from one place to another can escape a look, but not two.
            if empty and not left:
                return
            empty = not left
            await asyncio.sleep(LOOK)

    async def _left(self) -> int:
        """How many jobs have not ended."""
        counts = (await (await app.astore()).counts()).get(self._queue, {})
        return sum(number for state, number in counts.items() if state not in FINAL)

    def _note(self, done: int, starts: list[Start], progress: Progress) -> None:
        now = self._clock.steady()
        if starts and not self._begun:
            self._begun = now
        if done < len(self._files) * MOST and self._begun:
            self._pace = done / max(now - self._begun, LOOK)
        if self._killed is None and done >= len(self._files) * KILL_AT:
            self._kill(starts, progress)
        elif self._killed is not None and not self._replaced and (new := _newcomer(starts, self._seen)):
            self._replaced = True
            progress.say(f"worker process {new} ran its first job {now - self._killed_at:.1f} s after that")

    def _kill(self, starts: list[Start], progress: Progress) -> None:
        victim = starts[-1].pid
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
            self._killed, self._killed_at = victim, self._clock.steady()
            self._seen = {start.pid for start in starts}
            progress.say(f"killed worker process {victim} with SIGKILL, as a crash or a full memory would")


def _newcomer(starts: list[Start], seen: set[int]) -> int | None:
    return next((start.pid for start in starts if start.pid not in seen), None)


async def _end(workers: asyncio.subprocess.Process) -> None:
    """Stop the workers as an operator would, and then by force."""
    with suppress(ProcessLookupError):
        workers.terminate()
    try:
        async with asyncio.timeout(WORKERS_END):
            await workers.wait()
    except TimeoutError:
        # Without their parent the worker processes end by themselves.
        workers.kill()
        await workers.wait()


@contextmanager
def _shown(total: int) -> Iterator[Progress]:
    progress = progress_of(total)
    try:
        yield progress
    finally:
        progress.end()
