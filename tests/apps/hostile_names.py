"""Runs jobs whose names and arguments would do harm where they were imported or unpickled; prints what happened.

A worker loads some modules late; when it has run one job of each kind, whatever is imported or executed is noted.
"""

import asyncio
import json
import sys
from typing import Any

from treadle import Treadle
from treadle.core.job import NewJob
from treadle.hooks.events import JobCompleted, JobRetried, JobUnknown

NAMES = [
    "os.system",
    "os::system",
    "builtins.eval",
    "Elixir.os.system",
    "a.b:c",
    "this",
    "antigravity",
    "xml.etree.ElementTree:parse",
    "known.__globals__",
    "__main__.known",
    "treadle.app.load:load_app",
    "__class__",
    "../../etc/passwd",
    "known; import os",
    "",
    "x" * 10_000,
]
PICKLED = {"py/object": "os.system", "__reduce__": ["os.system", "id"], "$type": "x", "!!python/object": "os.system"}
WATCHED = {"import", "pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen"}

app = Treadle("sqlite://")


@app.job
async def known(value: object = None) -> None: ...


class Ear:
    """The names of the jobs that came to an end, and a wait for so many of them."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._changed = asyncio.Event()
        for kind in (JobUnknown, JobCompleted, JobRetried):
            app.events.listen(kind, self._hear)

    async def reach(self, count: int) -> None:
        while len(self.heard) < count:
            self._changed.clear()
            await self._changed.wait()

    def _hear(self, event: Any) -> None:  # noqa: ANN401 - any event of a job
        self.heard.append(event.job.name)
        self._changed.set()


class Watch:
    """Notes what an audit hook sees, until it is told to look away."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.looks = True
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple[object, ...]) -> None:
        if self.looks and event in WATCHED:
            self.seen.append((event, str(args[0])))


async def play() -> dict[str, object]:
    ear = Ear()
    async with app.worker():
        await app.aenqueue("known")
        await app.aenqueue("warm up")
        await app.aenqueue("known", {"wrong": 1})
        await ear.reach(3)
        store = await app.astore()
        jobs = [NewJob(name=name, queue="default", args=b"{}", max_attempts=1) for name in NAMES]
        pickled = json.dumps({"value": PICKLED}).encode()
        jobs.append(NewJob(name="known", queue="default", args=pickled, max_attempts=1))
        watch = Watch()
        await store.insert(jobs)
        await ear.reach(3 + len(jobs))
        resolved = [name for name in NAMES if app.resolve(name) is not None]
        watch.looks = False
    return {"seen": watch.seen, "resolved": resolved, "missed": sorted({*NAMES, "known"} - set(ear.heard))}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play())))
