"""`app.work()`: worker processes of a script, which find the script's app again and end with it."""

import asyncio
import gc
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.servers import free_port, until, wait_until
from treadle import Treadle
from treadle.app.load import load_app
from treadle.app.settings import SETTINGS
from treadle.core.options import WorkSettings
from treadle.errors import BlockingCall, ConfigError, StoreUnavailable

LONG = 30.0

APP = """
import os
from treadle import Treadle

app = Treadle()

@app.job(record=True)
def pid() -> int:
    return os.getpid()

@app.job(record=True, executor="process")
def apart() -> int:
    return os.getpid()
"""
MAIN = """
def main() -> None:
    handles = app.enqueue_all([pid.new(), apart.new()])
    counts = app.work(processes=2, drain=True)
    pids = {os.getpid(), *(handle.result(timeout=5) for handle in handles)}
    print(counts["completed"], counts["discarded"], len(pids))

if __name__ == "__main__":
"""
RIGHT = "2 0 3\n"


class Scripts:
    """A project's folder, in which programs are started as users start them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._stack = stack
        (folder / "pyproject.toml").touch()

    def write(self, name: str, *parts: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(parts))

    def start(self, *arguments: str, folder: str = ".") -> "subprocess.Popen[str]":
        """Start a program; what it logs stands in `log`."""
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", *arguments],
                cwd=self.folder / folder,
                env={"TREADLE_URL": f"sqlite:///{self.folder}/jobs.db", "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._stack.callback(_end, process)
        return process

    def run(self, *arguments: str, folder: str = ".", typed: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a program to its end; `typed` is its stdin."""
        process = self.start(*arguments, folder=folder)
        output, _ = process.communicate(typed, timeout=LONG)
        return subprocess.CompletedProcess(arguments, process.returncode, output, self.log.read_text())


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    with ExitStack() as stack:
        yield Scripts(tmp_path, stack)


# Where the app is


SPAWN = "import multiprocessing; multiprocessing.set_start_method('spawn'); main()"
BELOW = """import multiprocessing
    process = multiprocessing.get_context('{}').Process(target=main)
    process.start()
    process.join()"""
THREAD = "import threading; thread = threading.Thread(target=main); thread.start(); thread.join()"


@pytest.mark.parametrize(
    "begin",
    ["main()", SPAWN, BELOW.format("spawn"), BELOW.format("fork"), THREAD],
    ids=["plainly", "with the start method spawn", "spawned", "forked", "in a thread"],
)
def test_a_script_runs_the_jobs_of_its_own_file(scripts: Scripts, begin: str) -> None:
    scripts.write("shop.py", APP, MAIN, f"    {begin}\n")
    done = scripts.run("shop.py")
    assert (done.stdout, done.stderr, done.returncode) == (RIGHT, "", 0)


def test_a_script_may_have_any_name_and_be_started_from_any_folder(scripts: Scripts) -> None:
    scripts.write("bin/1-shop.py", APP, MAIN, "    main()\n")
    scripts.write("elsewhere/empty", "")
    done = scripts.run("../bin/1-shop.py", folder="elsewhere")
    assert (done.stdout, done.stderr) == (RIGHT, "")


def test_a_module_beside_the_script_is_found(scripts: Scripts) -> None:
    scripts.write("bin/jobs.py", APP)
    scripts.write("bin/run.py", "import os\nfrom jobs import app, apart, pid\n", MAIN, "    main()\n")
    assert scripts.run("bin/run.py").stdout == RIGHT


def test_a_module_that_is_run_by_its_name_is_found(scripts: Scripts) -> None:
    scripts.write("shop/__init__.py", "")
    scripts.write("shop/jobs.py", APP, MAIN, "    main()\n")
    assert scripts.run("-m", "shop.jobs").stdout == RIGHT


@pytest.mark.parametrize("arguments", [("-c", f"{APP}app.work()"), ("-",)])
def test_an_app_that_no_file_holds_is_refused_with_the_remedy(scripts: Scripts, arguments: tuple[str, ...]) -> None:
    done = scripts.run(*arguments, typed=f"{APP}app.work()")
    assert "ConfigError: expected an app that worker processes can import" in done.stderr
    assert "put it into a file, and import it from there" in done.stderr


def test_a_script_without_the_guard_ends_with_its_remedy_and_enqueues_once(scripts: Scripts) -> None:
    scripts.write("shop.py", APP, "app.work(drain=True)\n")
    done = scripts.run("shop.py")
    assert done.returncode == 1
    assert "treadle: expected app.work() to be called by the program that you start, got a call while" in done.stderr
    assert 'put it under if __name__ == "__main__":' in done.stderr
    assert "ConfigError: expected worker processes to start with" in done.stderr


@pytest.mark.parametrize(
    "action", ["pid.enqueue()", "app.worker().__enter__()", "import asyncio; asyncio.run(pid.aenqueue())"]
)
def test_what_else_a_module_does_while_it_is_imported_for_a_worker_is_refused(tmp_path: Path, action: str) -> None:
    app = APP.replace("Treadle()", "Treadle('sqlite://')")
    (tmp_path / "rash_shop.py").write_text(f"{app}\n{action}\n")
    before = list(sys.path)
    try:
        with pytest.raises(ConfigError, match=r"while treadle imports rash_shop\.py .* put it under if __name__"):
            load_app(f"{tmp_path}/rash_shop.py:app")
    finally:
        sys.path[:] = before


# Its end


def test_jobs_that_fail_for_good_are_counted_and_those_for_later_stay(scripts: Scripts) -> None:
    scripts.write(
        "shop.py",
        APP,
        "@app.job(max_attempts=1)\ndef fail() -> None:\n    raise ValueError('no such user')\n",
        "if __name__ == '__main__':\n"
        "    fail.enqueue(), pid.enqueue(), pid.options(delay=3600).enqueue()\n"
        "    print(sorted(app.work(drain=True).items()))\n",
    )
    done = scripts.run("shop.py")
    assert done.stdout == "[('completed', 1), ('discarded', 1), ('scheduled', 1)]\n"
    assert "ValueError: no such user" in done.stderr


def test_a_log_is_written_where_it_is_asked_for(scripts: Scripts) -> None:
    scripts.write("shop.py", APP, "if __name__ == '__main__':\n    app.work(drain=True, log_level='info')\n")
    assert "works on default" in scripts.run("shop.py").stderr


HOLD = """
import threading
from pathlib import Path

folder = Path(__file__).parent

@app.job
def hold() -> None:
    (folder / "begun").touch()
    while not (folder / "release").exists():
        threading.Event().wait(0.01)

if __name__ == "__main__":
    handle = hold.enqueue()
    try:
        app.work(log_format="console")
    except BaseException as error:
        print(type(error).__name__, error, handle.status())
"""


@pytest.fixture
def holding(scripts: Scripts) -> "subprocess.Popen[str]":
    """A script whose job waits for a file."""
    scripts.write("shop.py", APP, HOLD)
    process = scripts.start("shop.py")
    wait_until((scripts.folder / "begun").exists, LONG, "the job runs")
    return process


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, "KeyboardInterrupt "), (signal.SIGTERM, "SystemExit 143")]
)
def test_a_signal_drains_and_is_raised_then(
    scripts: Scripts, holding: "subprocess.Popen[str]", number: signal.Signals, raised: str
) -> None:
    holding.send_signal(number)
    (scripts.folder / "release").touch()
    assert holding.communicate(timeout=LONG)[0] == f"{raised} completed\n"


def test_a_second_signal_gives_back_what_runs(scripts: Scripts, holding: "subprocess.Popen[str]") -> None:
    holding.send_signal(signal.SIGINT)
    wait_until(lambda: "told to stop: draining" in scripts.log.read_text(), LONG, "it drains")
    holding.send_signal(signal.SIGINT)
    assert holding.communicate(timeout=LONG)[0] == "KeyboardInterrupt  available\n"


def test_the_death_of_the_script_ends_its_worker_processes(holding: "subprocess.Popen[str]", scripts: Scripts) -> None:
    children = psutil.Process(holding.pid).children(recursive=True)
    assert children
    holding.kill()
    (scripts.folder / "release").touch()
    assert psutil.wait_procs(children, timeout=LONG)[1] == []


# Inside a program


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Treadle]:
    """An app that this process and others can import."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    (tmp_path / "work_shop.py").write_text(APP.replace("Treadle()", f"Treadle({url!r}, sync_in_loop='allow')") + HOLD)
    before = list(sys.path)
    app = load_app(f"{tmp_path}/work_shop.py:app")
    yield app
    app.close()
    sys.path[:] = before
    del sys.modules["work_shop"]


TWICE = """
import threading
import psutil

def left_over() -> tuple[int, int, int]:
    process = psutil.Process()
    return threading.active_count(), process.num_fds(), len(process.children())

if __name__ == "__main__":
    pid.enqueue()
    # SQLite keeps the descriptors of a file that is open elsewhere in the process, and takes them again.
    for _ in range(2):
        print(app.work(drain=True), left_over())
"""


def test_it_leaves_nothing_over(scripts: Scripts) -> None:
    scripts.write("shop.py", APP, TWICE)
    first, again = scripts.run("shop.py").stdout.splitlines()
    assert first.startswith("Counter({'completed': 1}) (")
    assert again == first


def test_where_a_loop_runs_it_names_its_twin(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")

    async def story() -> None:
        with pytest.raises(BlockingCall, match=r"app\.work\(\) would block .* use await app\.awork\(\) there"):
            app.work(drain=True)

    asyncio.run(story())


def test_where_blocking_is_allowed_a_loop_may_run(shop: Treadle) -> None:
    shop.enqueue("pid")

    async def story() -> None:
        assert shop.work(drain=True) == {"completed": 1}

    asyncio.run(story())


def test_it_can_be_awaited(shop: Treadle) -> None:
    async def story() -> None:
        await shop.aenqueue("pid")
        assert await shop.awork(drain=True) == {"completed": 1}

    asyncio.run(story())


@pytest.mark.parametrize(("times", "state"), [(1, "completed"), (2, "available")])
def test_a_cancellation_drains_and_a_second_one_stops_at_once(
    shop: Treadle, tmp_path: Path, caplog: pytest.LogCaptureFixture, times: int, state: str
) -> None:
    async def story() -> None:
        handle = await shop.aenqueue("hold")
        working = asyncio.create_task(shop.awork())
        await until((tmp_path / "begun").exists, LONG, "the job runs")
        for _ in range(times):
            working.cancel()
            await until(lambda: "draining" in caplog.text, LONG, "it drains")
        if times == 1:
            (tmp_path / "release").touch()
        await asyncio.wait([working])
        assert working.cancelled()
        assert await handle.astatus() == state

    with caplog.at_level("INFO", "treadle.processes"):
        asyncio.run(story())


# What is refused


def test_a_store_in_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a store that processes can share, got sqlite:// in memory"):
        Treadle("sqlite://").work(drain=True)


def test_a_store_that_does_not_answer_is_told_and_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "away_shop.py").write_text(APP.replace("Treadle()", f"Treadle('redis://127.0.0.1:{free_port()}/0')"))
    before = list(sys.path)
    app = load_app(f"{tmp_path}/away_shop.py:app")
    try:
        with pytest.raises(StoreUnavailable, match="cannot reach Redis"):
            app.work(drain=True)
    finally:
        sys.path[:] = before
        del sys.modules["away_shop"]
    # Python complains of a line to a process that nobody closed, which pytest takes for a failure.
    gc.collect()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"process": 2}, 'got "process"; did you mean "processes"?'),
        ({"processes": 0}, "expected processes to be an integer from 1 to 32767, got 0"),
        ({"drain": 1}, "expected drain to be True or False, got 1"),
        ({"queues": ["mail", ""]}, "expected a queue of the worker to be"),
        ({"log_format": "xml"}, "expected log_format to be console or json, got 'xml'"),
    ],
)
def test_a_wrong_option_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Treadle("sqlite:///jobs.db").work(**given)
    assert text in str(caught.value)


def test_it_has_every_option_of_the_command() -> None:
    assert set(WorkSettings.__annotations__) == {name for name, setting in SETTINGS.items() if setting.flags} | {
        "drain"
    }
