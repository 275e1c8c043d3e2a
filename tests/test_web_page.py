"""What docs/web.md says of a server that reloads, with a real one; test_docs_blocks.py runs the page's blocks."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pages import DOCS, files
from tests.servers import answer_of, free_port, program, wait_until

BLOCKS = files(DOCS / "web.md")
WEB = "shop/web.py"
LIMIT = 30.0


@dataclass
class Service:
    """The page's FastAPI service, which uvicorn serves, and loads again when a file of it changes."""

    folder: Path
    address: str

    @property
    def log(self) -> str:
        return (self.folder / "uvicorn.log").read_text("utf-8")

    def completes_a_job(self) -> None:
        job = wait_until(lambda: answer_of("POST", f"{self.address}/users/42"), LIMIT, "the service answers")["job"]
        state = {"state": "completed"}
        wait_until(lambda: answer_of("GET", f"{self.address}/jobs/{job}") == state, LIMIT, "the job completes")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "shop").mkdir()
    for name in ("shop/jobs.py", WEB):
        (tmp_path / name).write_text(BLOCKS[name], "utf-8")
    port = free_port()
    command = (sys.executable, "-m", "uvicorn", "shop.web:web", "--reload", "--port", str(port))
    with program(command, tmp_path, os.environ, tmp_path / "uvicorn.log"):
        started = Service(tmp_path, f"http://localhost:{port}")
        yield started
        # A failed test shows it.
        sys.stdout.write(started.log)


def test_a_reload_ends_the_worker_inside_and_starts_another(service: Service) -> None:
    service.completes_a_job()
    (service.folder / WEB).write_text(f"{BLOCKS[WEB]}\n# changed\n", "utf-8")
    wait_until(lambda: service.log.count("Application startup complete") == 2, LIMIT, "the server has loaded again")
    service.completes_a_job()
    assert service.log.count("hello 42 in en") == 2
    assert "Traceback" not in service.log
