"""A worker on a disk that fills up and is freed again. `python -m tests.apps.faulty_disk DISK FOLDER`."""

import sys
from contextlib import ExitStack
from pathlib import Path

from tests.reliability.bench import Bench
from treadle.runtime.plan import Plan

JOBS = 300


def main() -> None:
    """Print `whole` where no job was lost and none ran twice."""
    disk, folder = map(Path, sys.argv[1:])
    with ExitStack() as stack:
        bench = Bench(f"sqlite:///{disk / 'jobs.db'}", folder, stack)
        bench.fill("tick", range(JOBS), seconds=0.05)
        node = bench.start(Plan(lease=5.0)).works()
        bench.done(JOBS // 6)
        _fill(disk / "filler")
        bench.appear("StoreLost")
        (disk / "filler").unlink()
        bench.done(JOBS)
        assert node.stops() == 0
        assert bench.book.events("ChildDied") == bench.book.events("WorkerFenced") == []
        bench.accounted(JOBS)
    print("whole")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


if __name__ == "__main__":
    main()
