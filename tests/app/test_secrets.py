"""The password of a store's URL is nowhere to be read, whatever fails and whoever tells (row 90)."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer, free_port

CANARY = "c4n4ry"
PROGRAM = """
import asyncio, logging, traceback
from treadle import Treadle
from treadle.cli.main import treadle

COMMANDS = (
    ["doctor"],
    ["doctor", "--json"],
    ["queues", "list"],
    ["jobs", "list", "--json"],
    ["enqueue", "HardWorker"],
)

logging.basicConfig(level=logging.DEBUG)
app = Treadle()

@app.job
def work(): ...

def tell(call):
    try:
        call()
    except Exception as error:
        traceback.print_exc()
        print(str(error), repr(error), error.args, error.__context__)

async def in_a_loop():
    await work.aenqueue()

async def worker():
    async with app.worker():
        pass

if __name__ == "__main__":
    tell(work.enqueue)
    tell(lambda: asyncio.run(in_a_loop()))
    tell(lambda: asyncio.run(worker()))
    tell(lambda: print(repr(app), repr(app.store), vars(app.store)))
    tell(lambda: print(repr(work), repr(app.worker())))
    for command in COMMANDS:
        tell(lambda: treadle.main(command, standalone_mode=False))
    tell(app.close)
"""


@pytest.fixture(scope="module")
def protected() -> Iterator[RedisServer]:
    """A server that has another password."""
    with RedisServer(requirepass="another") as server:
        yield server


def refused(_: RedisServer) -> str:
    return f"127.0.0.1:{free_port()}"


def wrong(server: RedisServer) -> str:
    return f"127.0.0.1:{server.port}"


PLACES: tuple[tuple[str, Callable[[RedisServer], str]], ...] = (
    (f"redis://:{CANARY}@{{}}/0", refused),
    (f"redis://:{CANARY}@{{}}/0", wrong),
    (f"valkey://user:{CANARY}@{{}}/0?namespace=shop", wrong),
    (f"rediss://:{CANARY}@{{}}", refused),
    (f"rediss://:{CANARY}@{{}}", wrong),
    (f"redis://{CANARY}@{{}}/0", wrong),
    (f"unix://:{CANARY}@/no/such/redis.sock", refused),
    (f"redis://{{}}/0?password={CANARY}", wrong),
    (f"redis://:{CANARY}@{{}}/none", refused),
    (f"redis://:{CANARY}/@{{}}/0", refused),
    (f"redis://host:{CANARY}", refused),
    (f"postgresql+asyncpg://user:{CANARY}@{{}}/shop", refused),
    (f"mysql://user:{CANARY}@{{}}/shop", refused),
    (f"sqlite://user:{CANARY}@host/jobs.db", refused),
    (f"host=db password={CANARY}", refused),
)


@pytest.mark.parametrize(("url", "place"), PLACES, ids=lambda part: getattr(part, "__name__", None))
def test_no_failure_tells_the_password(
    protected: RedisServer, tmp_path: Path, url: str, place: Callable[[RedisServer], str]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = os.environ | {"TREADLE_URL": url.format(place(protected))}
    told = run(tmp_path, environment, "program.py")
    assert told.count("Traceback") >= 5
    assert CANARY not in told


def test_a_worker_that_cannot_start_does_not_tell_it(protected: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    for url in (f"redis://:{CANARY}@127.0.0.1:{protected.port}/0", f"redis://host/0?password={CANARY}"):
        told = run(tmp_path, os.environ | {"TREADLE_URL": url}, "-m", "treadle.cli", "work", "program:app")
        assert "expected" in told or "refuses" in told
        assert CANARY not in told


def test_a_file_of_settings_does_not_tell_it_either(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "treadle.toml").write_text(f'url = "reddis://:{CANARY}@host"\n')
    told = run(tmp_path, dict(os.environ), "program.py")
    assert "url in " in told
    assert CANARY not in told


def run(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr
