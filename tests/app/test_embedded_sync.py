"""`with app.worker()`: a worker on a thread with a loop of its own, in a program that has none."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.apps import runtime_jobs
from tests.servers import free_port, wait_until
from treadle import Handle, ResultHandle, Treadle
from treadle.app.registry import Registered
from treadle.core.states import State
from treadle.errors import BlockingCall, ConfigError, StoreError
from treadle.hooks.events import WorkerReady, WorkerStopped

LONG = 20.0
STARTS = 20


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        found: str = request.getfixturevalue("redis_url")
        return found
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def double(app: Treadle) -> Registered:
    @app.job(record=True)
    async def double(number: int) -> int:
        return 2 * number

    return double


def value_of(handle: Handle) -> object:
    assert isinstance(handle, ResultHandle)
    return handle.result(timeout=LONG)


def heard_by(app: Treadle) -> list[type]:
    heard: list[type] = []
    for kind in (WorkerReady, WorkerStopped):
        app.events.listen(kind, lambda event: heard.append(type(event)))
    return heard


def test_jobs_run_while_the_block_runs(app: Treadle, double: Registered) -> None:
    before = double.enqueue(1)
    with app.worker():
        assert [value_of(handle) for handle in (before, double.enqueue(2))] == [2, 4]


def test_entering_returns_when_it_claims_and_leaving_when_it_has_ended(app: Treadle, double: Registered) -> None:
    heard = heard_by(app)
    with app.worker():
        assert heard == [WorkerReady]
    assert heard == [WorkerReady, WorkerStopped]
    assert double.enqueue(1).status() is State.AVAILABLE


def test_async_jobs_share_a_loop_that_is_not_the_callers_thread(app: Treadle) -> None:
    @app.job(record=True)
    async def where() -> int:
        return threading.get_ident()

    with app.worker():
        first, second = (value_of(where.enqueue()) for _ in range(2))
    assert first == second != threading.get_ident()


def test_process_jobs_run_as_well() -> None:
    app = runtime_jobs.app
    with app.worker():
        assert value_of(app.enqueue("double", {"number": 21})) == 42
    app.close()


def test_it_works_from_any_thread_one_time_after_the_other(app: Treadle, double: Registered) -> None:
    def once(number: int) -> object:
        with app.worker():
            return value_of(double.enqueue(number))

    assert [once(1), once(2)] == [2, 4]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(once, (3, 4))) == [6, 8]


def test_a_worker_may_be_entered_again_when_it_was_left(app: Treadle, double: Registered) -> None:
    worker = app.worker()
    for number in range(2):
        with worker:
            assert value_of(double.enqueue(number)) == 2 * number


def test_a_worker_that_is_entered_twice_at_once_is_refused_and_goes_on(app: Treadle, double: Registered) -> None:
    worker = app.worker()
    with worker:
        with pytest.raises(ConfigError, match="entered once at a time, got a second entry; make another"), worker:
            pass
        assert value_of(double.enqueue(1)) == 2


def test_what_prevents_its_start_comes_through_and_leaves_no_thread() -> None:
    app = Treadle(f"redis://127.0.0.1:{free_port()}/0")
    app.job(len)
    before = threading.active_count()
    with pytest.raises(StoreError, match="cannot reach Redis"), app.worker():
        pass
    assert threading.active_count() == before


def test_a_lifespan_that_fails_comes_through(app: Treadle, double: Registered) -> None:
    @app.lifespan
    async def broken() -> AsyncIterator[None]:
        await asyncio.sleep(0)
        raise RuntimeError("no such database")
        yield  # type: ignore[unreachable]

    del double
    with pytest.raises(RuntimeError, match="no such database"), app.worker():
        pass


def test_where_a_loop_runs_it_names_its_twin(app: Treadle, double: Registered) -> None:
    async def story() -> None:
        with pytest.raises(BlockingCall, match=r"use async with app\.worker\(\) there"), app.worker():
            pass

    del double
    asyncio.run(story())


def test_where_blocking_is_allowed_a_loop_may_run(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db", sync_in_loop="allow")

    @app.job(record=True)
    def one() -> int:
        return 1

    async def story() -> object:
        with app.worker():
            return value_of(one.enqueue())

    assert asyncio.run(story()) == 1
    app.close()


def test_leaving_waits_for_what_runs_and_gives_back_what_takes_longer(app: Treadle) -> None:
    begun, release = threading.Event(), threading.Event()

    @app.job
    def hold() -> None:
        begun.set()
        release.wait(LONG)

    with app.worker(grace=LONG):
        patient = hold.enqueue()
        assert begun.wait(LONG)
        release.set()
    assert patient.status() is State.COMPLETED

    @app.job
    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    begun.clear()
    with app.worker(grace=0.0):
        hurried = hang.enqueue()
        assert begun.wait(LONG)
    assert hurried.status() is State.AVAILABLE


@pytest.mark.parametrize("inside", [True, False])
def test_an_app_that_is_closed_inside_or_outside_hinders_nobody(url: str, *, inside: bool) -> None:
    others = set(threading.enumerate())
    app = Treadle(url)

    @app.job(record=True)
    def one() -> int:
        return 1

    with app.worker(grace=0.0):
        assert value_of(one.enqueue()) == 1
        if inside:
            app.close()
            assert value_of(one.enqueue()) == 1
            app.close()
    app.close()
    ours = set(threading.enumerate()) - others
    assert not [thread.name for thread in ours if thread.name.startswith("treadle portal")]


# What is left over


def left_over() -> tuple[int, int, int]:
    """Threads, descriptors and sockets of this process."""
    process = psutil.Process()
    return threading.active_count(), process.num_fds(), len(process.net_connections())


def with_block(app: Treadle, job: Registered) -> None:
    with app.worker():
        value_of(job.enqueue())


def async_with_block(app: Treadle, job: Registered) -> None:
    async def story() -> None:
        async with app.worker():
            await (await job.aenqueue())
        left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
        assert not [name for name in left if name.startswith("treadle ")]

    asyncio.run(story())


@pytest.mark.parametrize("start", [with_block, async_with_block])
def test_starts_in_one_process_leave_nothing_over(url: str, start: Callable[[Treadle, Registered], None]) -> None:
    app = Treadle(url)

    @app.job(record=True)
    def one() -> int:
        return 1

    start(app, one)
    before = left_over()
    for _ in range(STARTS):
        start(app, one)
    wait_until(
        lambda: all(now <= then for now, then in zip(left_over(), before, strict=True)),
        what=f"{left_over()} is back at {before}",
    )
    app.close()


# Ctrl-C, in a program of its own

PROGRAM = """
import sys, threading, traceback
from pathlib import Path
from treadle import Treadle

app = Treadle()
folder = Path(sys.argv[1])

@app.job
def hold() -> None:
    (folder / "begun").touch()
    while not (folder / "release").exists():
        threading.Event().wait(0.01)

def tell() -> None:
    main = threading.main_thread().ident
    while "attend" not in str(traceback.extract_stack(sys._current_frames()[main])):
        threading.Event().wait(0.01)
    (folder / "leaving").touch()

if __name__ == "__main__":
    handle = hold.enqueue()
    try:
        with app.worker(grace=20):
            try:
                threading.Event().wait()
            finally:
                threading.Thread(target=tell, daemon=True).start()
    except KeyboardInterrupt:
        print("interrupted", handle.status())
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "program.py", str(tmp_path)],
        cwd=tmp_path,
        env={"TREADLE_URL": f"sqlite:///{tmp_path}/jobs.db"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until((tmp_path / "begun").exists, LONG, "the job runs")
            yield process
        finally:
            process.kill()


def test_ctrl_c_drains(program: "subprocess.Popen[str]", tmp_path: Path) -> None:
    program.send_signal(signal.SIGINT)
    (tmp_path / "release").touch()
    assert program.communicate(timeout=LONG)[0] == "interrupted completed\n"


def test_a_second_ctrl_c_gives_back_what_runs(program: "subprocess.Popen[str]", tmp_path: Path) -> None:
    program.send_signal(signal.SIGINT)
    wait_until((tmp_path / "leaving").exists, LONG, "it drains")
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=LONG)[0] == "interrupted available\n"
