"""Which store a command is for, and that a command which only looks makes none."""

from pathlib import Path

import pytest

from tests.cli.conftest import SHOP, Shell

LOOKING = (
    ("doctor",),
    ("doctor", SHOP),
    ("queues", "list"),
    ("jobs", "list"),
    ("jobs", "show", "1"),
    ("jobs", "cancel", "--queue", "mail"),
)


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_a_command_that_only_looks_makes_no_file(shell: Shell, words: tuple[str, ...]) -> None:
    done = shell.run(*words)
    assert done.returncode == 1
    assert done.stderr == (
        f"treadle: expected the store {shell.folder}/jobs.db to exist, got no such file: "
        f"the first enqueue or worker makes it\n"
    )
    assert not (shell.folder / "jobs.db").exists()


def test_an_enqueue_makes_the_file(shell: Shell) -> None:
    shell.ok("enqueue", "HardWorker")
    assert (shell.folder / "jobs.db").exists()


def test_a_worker_makes_the_file(shell: Shell) -> None:
    shell.ok("work", SHOP, "--drain")
    assert (shell.folder / "jobs.db").exists()


@pytest.mark.parametrize(
    "command", [("enqueue", "treadle_found:create()", "pack"), ("enqueue", "treadle_found", "pack")]
)
def test_an_enqueue_finds_the_jobs_that_an_app_includes(
    shell: Shell, app_folder: Path, command: tuple[str, ...]
) -> None:
    done = shell.run(*command, PYTHONPATH=str(app_folder))
    assert done.returncode == 0, done.stderr


def test_a_worker_finds_the_jobs_that_an_app_includes(shell: Shell, app_folder: Path) -> None:
    shell.ok("enqueue", "pack")
    done = shell.run("work", "treadle_found:create()", "--drain", PYTHONPATH=str(app_folder))
    assert (done.returncode, done.stdout.split()) == (0, ["completed", "1"]), done.stderr


def test_an_included_module_that_fails_shows_its_traceback(shell: Shell, app_folder: Path) -> None:
    (app_folder / "treadle_found_jobs.py").write_text("raise RuntimeError('the shop is closed')\n")
    for words in (("work", "treadle_found:app", "--drain"), ("enqueue", "treadle_found:app", "pack")):
        done = shell.run(*words, PYTHONPATH=str(app_folder))
        assert done.returncode == 1
        assert "treadle_found_jobs.py" in done.stderr
        assert done.stderr.endswith("RuntimeError: the shop is closed\n")


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """A folder with an app, a factory that gives it, and a module with its one job."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "treadle_found.py").write_text(
        "from treadle import Treadle\n\n"
        "app = Treadle(include=['treadle_found_jobs'])\n\n"
        "def create():\n    return app\n"
    )
    (folder / "treadle_found_jobs.py").write_text("from treadle_found import app\n\n@app.job\ndef pack(): ...\n")
    return folder
