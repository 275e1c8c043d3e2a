"""The public face: what it names, what importing it loads; and that names of a store are looked up nowhere else."""

import json
import subprocess
import sys

import pytest

import treadle

OPTIONAL = {"redis", "hiredis", "uvloop", "click", "rich", "sqlite3", "_sqlite3", "psycopg", "psutil", "hypothesis"}
HEAVY = {"treadle.runtime.worker", "treadle.runtime.node", "treadle.app.embedded", "treadle.cli", "treadle.testing"}


def run_python(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_these() -> None:
    assert set(treadle.__all__) == {
        "Cancel",
        "Handle",
        "Inject",
        "Job",
        "JobContext",
        "JobFunction",
        "Jobs",
        "ResultHandle",
        "Retry",
        "Snooze",
        "Treadle",
        "TreadleError",
        "Unique",
        "current_job",
    }
    assert all(hasattr(treadle, name) for name in treadle.__all__)
    assert list(treadle.__all__) == sorted(treadle.__all__)


def test_importing_treadle_loads_no_optional_package_and_no_runtime() -> None:
    loaded = set(json.loads(run_python("import json, sys, treadle; print(json.dumps(sorted(sys.modules)))")))
    assert not OPTIONAL & loaded
    assert not HEAVY & loaded


def test_an_app_with_jobs_loads_no_driver_before_its_first_use() -> None:
    program = (
        "import json, sys, treadle\n"
        "app = treadle.Treadle('sqlite://')\n"
        "app.job(name='work')(lambda: None)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not OPTIONAL & set(json.loads(run_python(program)))


# reliability.md, rows 84 and 85: names and payloads of a store are data.


def test_names_and_arguments_from_a_store_import_and_unpickle_nothing() -> None:
    told = json.loads(run_python("import runpy; runpy.run_module('tests.apps.hostile_names', run_name='__main__')"))
    assert told == {"seen": [], "resolved": [], "missed": []}


@pytest.mark.parametrize("module", ["pickle", "shelve", "marshal", "dill"])
def test_no_module_of_treadle_needs_what_makes_objects_of_bytes(module: str) -> None:
    ours = run_python(f"import sys, treadle.app.child, treadle.stores.redis, treadle.stores.sqlite\n{told_of(module)}")
    others = run_python(f"import asyncio, redis.asyncio, sqlite3, subprocess, sys, tempfile\n{told_of(module)}")
    assert ours == others


def told_of(module: str) -> str:
    return f"print({module!r} in sys.modules)"
