"""What worker processes and their helper processes open and close: lifespans, and generators of providers."""

from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest

from tests.cli.conftest import Shell

APP = "lifespan_jobs:app"


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """The file of steps."""
    return tmp_path / "steps"


def of_processes(steps: Path) -> list[list[str]]:
    """The steps of each process, in the order in which the processes took their first."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in steps.read_text().splitlines():
        pid, _, words = line.partition(" ")
        found[pid].append(words)
    return list(found.values())


def test_every_worker_process_has_a_lifespan_and_its_helper_process_one_of_its_own(shell: Shell, steps: Path) -> None:
    for name in ("on_loop", "on_thread", "in_process"):
        shell.ok("enqueue", APP, name, "[]")
    done = shell.run("work", APP, "--drain", "--concurrency", "1", STEPS=str(steps))
    assert (done.returncode, done.stdout.split()) == (0, ["completed", "3"])
    worker, helper = of_processes(steps)
    assert (worker[0], worker[-1]) == ("begins", "ends")
    assert sorted(worker[1:-1]) == sorted(
        words.format(name)
        for words in ("{} runs", "{} has no users", "{} is closed")
        for name in ("on_loop", "on_thread")
    )
    assert helper == ["begins", "in_process runs", "in_process has no users", "in_process is closed", "ends"]


def test_a_lifespan_that_cannot_end_is_logged_and_ends_nothing_else(shell: Shell, steps: Path) -> None:
    shell.ok("enqueue", APP, "on_loop", "[]")
    done = shell.run("work", APP, "--drain", FAILS="end", STEPS=str(steps))
    assert (done.returncode, done.stdout.split()) == (0, ["completed", "1"])
    assert "the end of the lifespan lifespan failed" in done.stderr
    assert "RuntimeError: the database is closed" in done.stderr


def test_a_process_jobs_generators_end_before_its_outcome_is_decided(shell: Shell, steps: Path) -> None:
    shell.ok("enqueue", APP, "fails_in_process", "[]")
    shell.ok("enqueue", APP, "later_in_process", "[]")
    done = shell.run("work", APP, "--drain", STEPS=str(steps))
    assert (done.returncode, done.stdout.split()) == (3, ["completed", "1", "discarded", "1"])
    assert "SystemExit: users of fails_in_process" in done.stderr
    assert {"fails_in_process sees SystemExit", "later_in_process is closed"} <= set(chain(*of_processes(steps)))
