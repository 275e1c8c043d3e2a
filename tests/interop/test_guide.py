"""docs/guides/sidekiq.md does what it says: its programs are run as they stand there, on a Redis of this test's own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.program import PATIENCE
from tests.servers import ProgramMissingError, wait_until

pytestmark = pytest.mark.interop

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guides" / "sidekiq.md"
ADDRESS = "redis://localhost:6379/0"


@pytest.fixture
def blocks(redis_url: str) -> dict[str, list[str]]:
    """The code of the guide by its language, with the address of this test's database in place of the usual one."""
    found: dict[str, list[str]] = {}
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(code.replace(ADDRESS, redis_url))
    return found


@pytest.fixture
def environment(tmp_path: Path, redis_url: str) -> dict[str, str]:
    if shutil.which("sidekiq") is None:
        raise ProgramMissingError("expected sidekiq on PATH, got none; `make setup` installs ruby-sidekiq")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "REDIS_URL": redis_url, "PYTHONPATH": str(tmp_path)}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_the_guide_is_read_in_minutes() -> None:
    assert len(GUIDE.read_text("utf-8").splitlines()) <= 120


def test_its_programs_give_each_other_jobs(
    tmp_path: Path, blocks: dict[str, list[str]], environment: dict[str, str], stack: ExitStack
) -> None:
    shop_py, from_python = blocks["python"]
    shop_rb, from_ruby = blocks["ruby"]
    [workers] = blocks["sh"]
    (tmp_path / "shop.py").write_text(shop_py, "utf-8")
    (tmp_path / "shop.rb").write_text(shop_rb, "utf-8")
    log = tmp_path / "log"
    with log.open("wb") as output:
        for line in workers.splitlines():
            worker = subprocess.Popen(
                line.split(), cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            stack.callback(_end, worker)
    for program, code in (([sys.executable, "-c"], from_python), (["ruby", "-r", "sidekiq", "-e"], from_ruby)):
        subprocess.run([*program, code], cwd=tmp_path, env=environment, check=True, timeout=PATIENCE)
    wait_until(lambda: "invoice 7" in log.read_text(), PATIENCE, "Ruby ran Python's job")
    wait_until(lambda: "welcome 42 in de" in log.read_text(), PATIENCE, "Python ran Ruby's job")


def _end(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(PATIENCE)
    finally:
        worker.kill()
        worker.wait()
