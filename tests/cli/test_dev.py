"""`treadle dev` in a terminal beside an editor."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import wait_until
from treadle import Treadle
from treadle.core.states import State

LONG = 30.0

SHOP = """
from treadle import Treadle
from words import greeting

app = Treadle()

@app.job
def greet(name: str) -> None:
    print(greeting, name, flush=True)

@app.job
async def hang() -> None:
    import asyncio
    print("hangs", flush=True)
    await asyncio.Event().wait()
"""


class Editor:
    """A project, `treadle dev` that runs its jobs, and somebody who edits its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = Treadle(f"sqlite:///{folder}/jobs.db")
        (folder / "pyproject.toml").touch()
        self.write("shop.py", SHOP)
        self.write("words.py", "greeting = 'hello'")
        self._stdout, self._stderr = folder / "stdout", folder / "stderr"
        with self._stdout.open("w") as out, self._stderr.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "treadle.cli", "dev", "shop"],
                cwd=folder,
                env={"TREADLE_URL": f"sqlite:///{folder}/jobs.db", "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def logs(self, text: str, times: int = 1) -> None:
        """Wait until this stands so many times in the log."""
        wait_until(lambda: self._stderr.read_text().count(text) >= times, LONG, f"{text!r} is logged {times} times")

    def prints(self, text: str) -> None:
        """Wait until a job has printed this."""
        wait_until(lambda: text in self._stdout.read_text(), LONG, f"{text!r} is printed")

    def ends(self) -> int:
        """Interrupt it; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(LONG)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.app.close()


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    editor = Editor(tmp_path)
    try:
        editor.logs("works on default")
        yield editor
    finally:
        editor.close()


def test_a_change_of_any_module_is_seen_in_the_next_job(editor: Editor) -> None:
    editor.app.enqueue("greet", {"name": "Ann"})
    editor.prints("hello Ann")
    editor.write("words.py", "greeting = 'good morning'")
    editor.logs("restarted because words.py changed")
    editor.logs("works on default", times=2)
    editor.app.enqueue("greet", {"name": "Bob"})
    editor.prints("good morning Bob")


def test_code_that_cannot_be_imported_is_shown_and_its_repair_is_waited_for(editor: Editor) -> None:
    editor.write("words.py", "greeting = (")
    editor.logs("SyntaxError")
    editor.logs("waiting for a change")
    editor.write("words.py", "greeting = 'good evening'")
    editor.logs("works on default", times=2)
    editor.app.enqueue("greet", {"name": "Cid"})
    editor.prints("good evening Cid")


def test_a_running_job_goes_back_untouched_when_it_takes_too_long(editor: Editor) -> None:
    handle = editor.app.enqueue("hang")
    editor.prints("hangs")
    editor.write("shop.py", SHOP.replace("await asyncio.Event().wait()", "print('no longer', flush=True)"))
    editor.prints("no longer")
    wait_until(lambda: handle.status() is State.COMPLETED, LONG, "the job has ended")


def test_ctrl_c_ends_it(editor: Editor) -> None:
    assert editor.ends() == 130


def test_ctrl_c_ends_it_while_it_waits_for_a_repair(editor: Editor) -> None:
    editor.write("words.py", "raise RuntimeError('the shop is closed')")
    editor.logs("waiting for a change")
    assert editor.ends() == 130


def test_without_an_app_it_says_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "treadle.cli", "dev"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert done.returncode == 2
    assert "expected an APP such as shop.jobs:app, or TREADLE_APP, got neither" in done.stderr
