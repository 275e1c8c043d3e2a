"""The pytest plugin, in runs of pytest of their own: what its fixtures give, and that it costs nothing unused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """
from treadle import Treadle

app = Treadle("redis://localhost:1/0")

@app.job
async def welcome(user_id: int) -> None: ...
"""

TEST = """
from shop import welcome

def test_one(treadle_jobs):
    welcome.enqueue(42)
    assert treadle_jobs.enqueued(welcome, user_id=42)
    assert treadle_jobs.drain() == {"completed": 1}

def test_another(treadle_jobs):
    assert not treadle_jobs.enqueued()
"""

CONFTEST = """
import pytest
import shop

@pytest.fixture
def treadle_app():
    return shop.app
"""


def run_pytest(folder: Path, *, files: dict[str, str], **environment: str) -> str:
    """What a run of pytest in this folder printed; the folder is on the path, as with `pythonpath = ["."]`."""
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_the_fixture_gives_the_jobs_of_the_app_that_conftest_names(tmp_path: Path) -> None:
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_shop.py": TEST, "conftest.py": CONFTEST})
    assert "2 passed" in told, told


def test_the_fixture_finds_the_app_that_the_environment_names(tmp_path: Path) -> None:
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_shop.py": TEST}, TREADLE_APP="shop:app")
    assert "2 passed" in told, told


def test_the_fixture_finds_the_app_that_the_project_names(tmp_path: Path) -> None:
    project = '[tool.treadle]\napp = "shop:app"\n'
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_shop.py": TEST, "pyproject.toml": project})
    assert "2 passed" in told, told


def test_jobs_of_modules_that_nobody_imported_run_too(tmp_path: Path) -> None:
    shop = 'from treadle import Treadle\n\napp = Treadle("sqlite://", include=["mail"])\n'
    mail = "from shop import app\n\n@app.job\ndef send(user_id: int) -> None: ...\n"
    test = """
from shop import app

def test_mail(treadle_jobs):
    app.enqueue("send", {"user_id": 42})
    assert treadle_jobs.drain() == {"completed": 1}
"""
    told = run_pytest(tmp_path, files={"shop.py": shop, "mail.py": mail, "test_it.py": test}, TREADLE_APP="shop:app")
    assert "1 passed" in told, told


def test_without_an_app_it_says_how_to_name_one(tmp_path: Path) -> None:
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_shop.py": TEST})
    assert "expected an app to test, got none: return it from a fixture treadle_app in conftest.py" in told
    assert "2 errors" in told


def test_a_failing_assert_shows_what_was_enqueued(tmp_path: Path) -> None:
    test = TEST.replace("user_id=42", "user_id=7")
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_shop.py": test, "conftest.py": CONFTEST})
    assert """assert [] beside welcome(user_id=42) on "default\"""" in told, told


@pytest.mark.parametrize("use", ["", "treadle_jobs"])
def test_treadle_is_imported_only_where_a_test_uses_it(tmp_path: Path, use: str) -> None:
    test = f"import sys\n\ndef test_imports({use}):\n    assert 'pytest_treadle' in sys.modules\n"
    test += f"    assert ('treadle' in sys.modules) is {bool(use)}\n"
    told = run_pytest(tmp_path, files={"shop.py": SHOP, "test_it.py": test}, TREADLE_APP="shop:app")
    assert "1 passed" in told, told
