"""The README's scenes as a newcomer plays them: an empty folder, and of treadle nothing but the built wheel.

What it says to type is typed. Packages come from the registry that pip is set up with.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests.pages import ROOT, files
from tests.servers import answer_of, free_port, program, wait_until

README = (ROOT / "README.md").read_text("utf-8")
SCENES = files(ROOT / "README.md")

FIRST_RESULT = 60.0  # seconds, with the making of an environment and the installation
LIMIT = 60.0


@dataclass
class Newcomer:
    """Somebody in an empty folder with an environment of its own, which is active."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST_"))}
        path = os.pathsep.join([str(self.folder / ".venv" / "bin"), os.environ["PATH"]])
        return ours | {"PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def saves(self, name: str) -> None:
        """Save a block of the README under the name in its first line."""
        (self.folder / name).write_text(SCENES[name], "utf-8")

    def types(self, command: str, limit: float = LIMIT) -> str:
        """Run a command of the shell to its end; what it printed."""
        log = self.folder / "log"
        with program(["bash", "-c", command], self.folder, self.environment, log) as shell:
            try:
                code: int | None = shell.wait(limit)
            except subprocess.TimeoutExpired:
                code = None
        printed = log.read_text("utf-8", "replace")
        ended = f"ended with {code}" if code is not None else f"went on for {limit:g} s"
        hint = "; is the package registry there?" if "pip install" in command else ""
        assert code == 0, f"expected {command!r} to end well, it {ended}{hint}\n{printed}"
        return printed

    def shows(self, job: str) -> dict[str, Any]:
        """What `treadle jobs show` knows of a job of shop.py."""
        shown: dict[str, Any] = json.loads(self.types(f"treadle jobs show shop:app {job} --json"))
        return shown


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def first(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Newcomer, str]:
    """The newcomer after the first scene, and what the last line of it printed."""
    newcomer = Newcomer(tmp_path_factory.mktemp("newcomer"))
    newcomer.saves("first.py")
    start = f"'{sys.executable}' -m venv .venv && pip install --quiet '{wheel}' && python first.py"
    return newcomer, newcomer.types(start, FIRST_RESULT).splitlines()[-1]


@pytest.fixture
def newcomer(first: tuple[Newcomer, str]) -> Newcomer:
    return first[0]


# The scenes


def test_the_first_three_scenes_stand_on_the_first_page() -> None:
    assert list(SCENES)[:3] == ["first.py", "shop.py", "test_shop.py"]
    shown = README[: README.index(SCENES["test_shop.py"])] + SCENES["test_shop.py"]
    assert len(shown.splitlines()) + 1 <= 60  # and the fence


def test_the_first_scene_is_at_most_twelve_lines() -> None:
    assert len(SCENES["first.py"].splitlines()) <= 12


def test_the_readme_says_what_this_newcomer_types() -> None:
    for command in (
        "pip install treadle",
        "python first.py",
        "pip install fastapi uvicorn",
        "uvicorn shop:web",
        "treadle work shop",
        "curl -X POST localhost:8000/users/42",
        "pip install pytest",
        "pytest",
    ):
        assert command in README


def test_a_script_gives_its_result_within_a_minute_of_the_installation(first: tuple[Newcomer, str]) -> None:
    assert first[1] == "5"


@pytest.fixture
def service(newcomer: Newcomer) -> Iterator[str]:
    """The address of the web service of the second scene; a worker runs beside it."""
    newcomer.saves("shop.py")
    newcomer.types("pip install --quiet fastapi uvicorn")
    port = free_port()
    with ExitStack() as stack:
        for command in (f"uvicorn shop:web --port {port}", "treadle work shop"):
            log = newcomer.folder / f"{command.split()[0]}.log"
            stack.enter_context(program(command.split(), newcomer.folder, newcomer.environment, log))
        yield f"http://localhost:{port}"


def test_a_job_of_the_web_service_fails_once_and_is_tried_again(newcomer: Newcomer, service: str) -> None:
    job = wait_until(lambda: answer_of("POST", f"{service}/users/42"), LIMIT, "the web service answers")["job"]
    wait_until(lambda: newcomer.shows(job)["state"] == "completed", LIMIT, "the job completes")
    shown = newcomer.shows(job)
    assert (shown["attempt"], shown["value"]) == (2, "hello 42 in en")
    assert [error["attempt"] for error in shown["errors"]] == [1]
    assert "the mail server is away" in str(shown["errors"])


def test_the_test_of_the_jobs_passes(newcomer: Newcomer) -> None:
    newcomer.saves("shop.py")
    newcomer.saves("test_shop.py")
    newcomer.types("pip install --quiet fastapi pytest")
    assert "1 passed" in newcomer.types("pytest")


# The wheel


def test_the_wheel_has_every_file_of_the_package_and_the_plugin(wheel: Path) -> None:
    sources = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    inside = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == sources
    assert {"treadle/py.typed", "pytest_treadle.py"} < inside
    assert {".lua", ".sql"} < {Path(name).suffix for name in inside}


def test_treadle_is_imported_from_the_wheel_and_loads_nothing_but_msgspec(newcomer: Newcomer) -> None:
    (newcomer.folder / "loaded.py").write_text(LOADED, "utf-8")
    place, *packages = newcomer.types("python loaded.py").split()
    assert Path(place).is_relative_to(newcomer.folder / ".venv")
    assert packages == ["treadle"]


LOADED = """
import sys
import msgspec

before = set(sys.modules)
import treadle

new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(treadle.__file__, *sorted(new - sys.stdlib_module_names))
"""
