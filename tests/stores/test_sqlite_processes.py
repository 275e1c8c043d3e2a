"""The SQLite store when processes, threads and loops compete for one file, and when they fork."""

import asyncio
import gc
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.stores.places import SqliteFile, SqliteMemory
from tests.stores.scripts import DEADLINE, rows, run, script
from treadle.core.job import NewJob
from treadle.core.states import State
from treadle.errors import StoreUnavailable
from treadle.stores.sqlite import SqliteStore
from treadle.stores.sqlite_database import Database
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import Bench, ids


@pytest.fixture
def place(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path)


def job() -> NewJob:
    return NewJob(name="work", queue="default", args=b"{}", max_attempts=20)


COMPETE = """
async def main():
    store, owner, done = make(path), f"host:{os.getpid()}:x", 0
    await store.open()
    await store.enroll(owner, 60)
    while claims := await store.claim(owner, DEMANDS):
        answers = await store.settle(owner, [Settlement(claim, COMPLETED) for claim in claims])
        assert {answer.answer for answer in answers} == {"applied"}
        await store.beat({owner: 60})
        done += len(claims)
    store.close()
    print(done)

asyncio.run(main())
"""


def test_four_processes_that_compete_never_see_it_locked(place: SqliteFile) -> None:
    store = SqliteStore(place.path, clock=SystemClock(), sync="normal")
    store.insert_now([job()] * 2_000)
    processes = [
        subprocess.Popen([*script(COMPETE), place.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    while any(process.poll() is None for process in processes):
        assert asyncio.run(store.counts())["default"]
    outputs = [process.communicate(timeout=DEADLINE) for process in processes]
    store.close()
    assert [errors for _, errors in outputs] == [""] * 4
    assert sum(int(output) for output, _ in outputs) == 2_000
    assert rows(place.path, "SELECT DISTINCT state FROM oban_jobs") == [("completed",)]


def test_many_that_open_a_new_file_at_once_all_succeed(place: SqliteFile) -> None:
    failures: list[BaseException] = []

    def begin() -> None:
        store = SqliteStore(place.path, clock=SystemClock(), sync="normal")
        try:
            store.insert_now([job()])
        except BaseException as failure:  # noqa: BLE001 - counted
            failures.append(failure)
        finally:
            store.close()

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(place.path, "SELECT count(*) FROM oban_jobs") == [(8,)]


def test_whoever_kept_the_file_locked_has_no_owner_taken_for_dead(place: SqliteFile) -> None:
    async def story() -> None:
        async with place.store() as store, place.store() as late:
            await Bench(store, "host:1:a").enroll(2.0)
            other = sqlite3.connect(place.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            rescuing = asyncio.ensure_future(store.rescue(10))
            assert await store.counts() == {}, "the rescue was asked before"
            await place.elapse(60.0)
            other.execute("ROLLBACK")
            other.close()
            assert (await rescuing).owners == ()
            assert await late.beat({"host:1:a": 2.0}) == {"host:1:a": "alive"}
            await place.elapse(60.0)
            assert (await store.rescue(10)).owners == ("host:1:a",)

    asyncio.run(story())


def test_a_loop_goes_on_while_another_process_holds_the_file(place: SqliteFile) -> None:
    async def story() -> None:
        async with place.store() as store:
            other = sqlite3.connect(place.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            inserting = asyncio.ensure_future(store.insert([job()]))
            assert await store.counts() == {}
            assert not inserting.done()
            other.execute("COMMIT")
            other.close()
            assert len(await inserting) == 1

    asyncio.run(story())


def test_a_file_that_stays_locked_is_unavailable_and_then_it_is_not(place: SqliteFile) -> None:
    database = Database(place.path, "normal", busy_timeout=0.01)
    database.open()
    other = sqlite3.connect(place.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        database.write(lambda connection: connection.execute("SELECT 1"))
    other.execute("COMMIT")
    other.close()
    assert database.write(lambda connection: connection.execute("SELECT 1").fetchone()) == (1,)
    database.close()


FORK = """
store = make(path)
store.insert_now([JOB])
written, stop = [1], threading.Event()

def write():
    while not stop.is_set():
        written[0] += len(store.insert_now([JOB] * 50))

threads = [threading.Thread(target=write) for _ in range(2)]
counted = [0, 0]

def count(n):
    while not stop.is_set():
        asyncio.run(store.counts())

threads.append(threading.Thread(target=count, args=(0,)))
total = 0
lock = threading.Lock()
for thread in threads:
    thread.start()
for _ in range(15):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for _ in range(10):
                store.insert_now([JOB])
            assert asyncio.run(store.counts())["default"]["available"] > 10
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    total += 10
child = os.fork()
if child == 0:
    sys.exit(0)  # the whole end of an interpreter, with every object of the parent
assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
store.insert_now([JOB])
print(total)
store.close()
"""


def test_a_fork_in_the_middle_of_writing_harms_neither_side(place: SqliteFile) -> None:
    forked = int(run([*script(FORK), place.path]))
    assert rows(place.path, "PRAGMA integrity_check") == [("ok",)]
    ((count,),) = rows(place.path, "SELECT count(*) FROM oban_jobs")
    assert isinstance(count, int)
    # The parent writes 50 at a time, and one before and one after; the children write what they say.
    assert forked == 150
    assert (count - forked - 2) % 50 == 0


OUTLIVE = """
store = make(path)
store.insert_now([JOB])
told, tell = os.pipe()
child = os.fork()
if child == 0:
    os.close(tell)
    os.read(told, 1)
    store.insert_now([JOB] * 10)
    os._exit(0)
store.insert_now([JOB] * 5)
store.close()
os.close(tell)
assert os.waitpid(child, 0)[1] == 0
"""


def test_what_a_child_writes_after_its_parent_closed_the_file_stays(place: SqliteFile) -> None:
    # A child that had the file from its parent holds no lock of its own: the parent would take its log for unused.
    run([*script(OUTLIVE), place.path])
    assert rows(place.path, "SELECT count(*) FROM oban_jobs") == [(16,)]


FORK_MEMORY = """
store = make(":memory:")
store.insert_now([JOB])
child = os.fork()
if child == 0:
    try:
        store.insert_now([JOB])
    except StoreError as error:
        os._exit(7 if "fork" in str(error) else 1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert asyncio.run(store.counts())["default"]["available"] == 1
print("apart")
"""


def test_a_store_in_memory_refuses_to_be_used_in_a_forked_child() -> None:
    assert run([*script(FORK_MEMORY), "-"]) == "apart\n"


INSERT_ON_DEMAND = """
store = make(path)
for line in sys.stdin:
    store.insert_now([JOB])
"""


def test_a_job_of_another_process_wakes_who_waits(place: SqliteFile) -> None:
    async def story() -> list[float]:
        loop = asyncio.get_running_loop()
        waits = []
        async with place.store() as store:
            bench = await Bench(store).enroll()
            command = [*script(INSERT_ON_DEMAND), place.path]
            process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
            assert process.stdin
            for _ in range(11):
                watch = store.watch()
                assert await bench.take() == []
                began = loop.time()
                process.stdin.write(b"\n")
                while not await bench.take():
                    await watch.wait(DEADLINE)
                waits.append(loop.time() - began)
            process.stdin.close()
            assert await process.wait() == 0
        return waits[1:]

    waits = sorted(asyncio.run(story()))
    assert waits[len(waits) // 2] < 0.2, waits


def test_who_waits_costs_next_to_nothing(place: SqliteFile) -> None:
    async def story() -> float:
        async with place.store() as store:
            bench = await Bench(store).enroll()
            await bench.take()
            before = time.process_time()
            await asyncio.gather(*(store.watch().wait(1.0) for _ in range(5)))
            return time.process_time() - before

    assert asyncio.run(story()) < 0.1


def test_a_store_serves_one_loop_after_the_other(place: SqliteFile) -> None:
    store = SqliteStore(place.path, clock=place.clock, sync="normal")
    for _ in range(3):
        asyncio.run(store.open())
        asyncio.run(store.insert([job()]))
    store.close()
    store.close()
    assert asyncio.run(store.counts())["default"] == {State.AVAILABLE: 3}
    store.close()


def test_a_call_that_is_cancelled_leaves_the_store_whole(place: SqliteFile) -> None:
    async def story() -> None:
        async with place.store() as store:
            bench = await Bench(store).enroll()
            await bench.put(5)
            claiming = asyncio.ensure_future(bench.take(5))
            await store.counts()
            claiming.cancel()
            await asyncio.wait((claiming,))
            # Claims are written on one thread and looked at on another: this one waits for the cancelled one.
            await bench.take()
            assert sorted(ids(list(await store.held(bench.owner)))) == ["1", "2", "3", "4", "5"]

    asyncio.run(story())


def test_a_store_that_nobody_closed_leaves_no_thread() -> None:
    def use() -> None:
        store = SqliteStore(":memory:", clock=SystemClock(), sync="normal")
        asyncio.run(store.insert([job()]))
        assert asyncio.run(store.counts())

    before = threading.active_count()
    use()
    gc.collect()
    assert threading.active_count() == before


def test_memory_is_shared_by_every_thread_of_its_process() -> None:
    async def story() -> None:
        async with SqliteMemory().store() as store:
            await asyncio.gather(*(asyncio.to_thread(store.insert_now, [job()]) for _ in range(20)))
            assert (await store.counts())["default"] == {State.AVAILABLE: 20}

    asyncio.run(story())
