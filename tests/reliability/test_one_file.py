"""Many processes on one SQLite file, and a disk that fills up under them."""

import shutil
import subprocess
import threading

import pytest

from tests.reliability.bench import Bench
from treadle import Treadle
from treadle.runtime.plan import Plan

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def test_four_workers_and_four_producers_never_hear_that_the_database_is_locked(bench: Bench) -> None:
    nodes = [bench.start(Plan(lease=5.0, processes=2)) for _ in range(2)]
    failures: list[Exception] = []

    def produce(start: int) -> None:
        app = Treadle(bench.url)
        try:
            for number in range(start, start + 500):
                app.insert([bench.new("tick", number=number)])
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        finally:
            app.close()

    producers = [threading.Thread(target=produce, args=(start,)) for start in range(0, 2000, 500)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    assert failures == []
    bench.done(2000)
    assert [node.stops() for node in nodes] == [0, 0]
    assert bench.book.events("ServiceFailed") == bench.book.events("StoreLost") == []
    assert not any("locked" in node.log for node in nodes)
    bench.accounted(2000)


def test_a_disk_that_fills_up_holds_a_worker_up_and_costs_no_job(bench: Bench) -> None:
    within = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"')
    disk = bench.folder / "disk"
    disk.mkdir()
    if (
        shutil.which("unshare") is None
        or subprocess.run([*within, str(disk), "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the right to mount a small file system (unshare --mount, as root)")
    story = bench.run("tests.apps.faulty_disk", str(disk), str(bench.folder), prefix=(*within, str(disk)))
    assert story.ends(90) == 0, story.log
    assert "whole" in story.log
