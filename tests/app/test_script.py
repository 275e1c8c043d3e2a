"""A script's app is one, also where the modules with its jobs import the script, and other processes find it."""

import subprocess
import sys
from pathlib import Path

import pytest

PIDS = """
import os
from treadle import Treadle

app = Treadle("sqlite://", include=["pids"])

def main():
    import pids
    with app.worker():
        ours, theirs = pids.here.enqueue(), pids.there.enqueue()
        assert ours.result(timeout=20) == os.getpid() != theirs.result(timeout=20)
    print("one app")

if __name__ == "__main__":
    main()
"""
JOBS = """
import os
from {script} import app

@app.job(record=True)
def here():
    return os.getpid()

@app.job(record=True, executor="process")
def there():
    return os.getpid()
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("arguments", [("shop.py",), ("-m", "shop")])
def test_modules_that_import_the_script_get_the_app_that_runs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "shop.py").write_text(PIDS.replace("    import pids\n", "    app.load()\n    import pids\n"))
    (tmp_path / "pids.py").write_text(JOBS.format(script="shop"))
    done = run(tmp_path, *arguments)
    assert done.stdout == "one app\n", done.stderr


def test_a_script_may_lie_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "shop.py").write_text(PIDS.replace("    import pids\n", "    app.load()\n    import pids\n"))
    (folder / "pids.py").write_text(JOBS.format(script="shop"))
    done = run(tmp_path, "programs/shop.py")
    assert done.stdout == "one app\n", done.stderr


def test_a_script_that_was_run_a_second_time_is_explained(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(PIDS)
    (tmp_path / "pids.py").write_text(JOBS.format(script="shop"))
    done = run(tmp_path, "shop.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"treadle.errors.ConfigError: expected one app in {tmp_path}/shop.py, got two: it runs as a script and was "
        f'imported again as shop, which has the job "here"; move the app into a module that both import'
    )


GUARDED = """
from jobs import there
from shop import app

if __name__ == "__main__":
    with app.worker():
        there.enqueue().result(timeout=20)
        print("ended")
"""


def test_process_jobs_know_the_jobs_that_the_program_imports(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("from treadle import Treadle\n\napp = Treadle('sqlite://')\n")
    (tmp_path / "jobs.py").write_text(JOBS.format(script="shop"))
    (tmp_path / "run.py").write_text(GUARDED)
    done = run(tmp_path, "run.py")
    assert done.stdout == "ended\n", done.stderr


def test_process_jobs_of_an_app_that_a_factory_made_find_it_again(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("""
import os
from treadle import Treadle

def create():
    app = Treadle("sqlite://")

    @app.job(record=True, executor="process")
    def there():
        return os.getpid()

    return app
""")
    (tmp_path / "run.py").write_text("""
import os
from treadle.app.load import load_app

app = load_app("shop:create()")
with app.worker():
    assert app.find("there").enqueue().result(timeout=20) != os.getpid()
    print("found again")
""")
    done = run(tmp_path, "run.py")
    assert done.stdout == "found again\n", done.stderr
