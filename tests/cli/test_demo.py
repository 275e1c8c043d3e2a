"""`treadle demo` from its start to its verdict, and that its verdict can be no."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Shell
from treadle.cli.demo_jobs import measured
from treadle.cli.demo_report import Report, Start, problems
from treadle.core.states import State
from treadle.stores.views import Result


@pytest.mark.timeout(180)
def test_it_kills_a_worker_and_accounts_for_every_file_exactly_once(shell: Shell) -> None:
    done = shell.run("demo", TREADLE_URL="", TMPDIR=str(shell.folder), timeout=150.0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"killed worker process \d+ with SIGKILL", done.stdout)
    assert "every file is accounted for exactly once" in done.stdout
    [files] = re.findall(r"one job for each of the ([\d,]+) files", done.stdout)
    assert re.search(rf"^completed +{files}$", done.stdout, re.MULTILINE)
    assert list(shell.folder.glob("treadle-demo-*")) == []


@dataclass
class Seen:
    """A run of two files of which all went well."""

    folder: Path
    files: list[str] = field(default_factory=list)

    def report(self) -> Report:
        self.files = [str(self.folder / name) for name in ("a.py", "b.py")]
        for number, file in enumerate(self.files):
            Path(file).write_text("x\n" * number)
        values = [msgspec.json.encode(measured(file)) for file in self.files]
        return Report(
            jobs={"1": self.files[0], "2": self.files[1]},
            results={str(i + 1): Result(State.COMPLETED, value=value) for i, value in enumerate(values)},
            starts=[Start(7, fails=False, path=file) for file in self.files],
            pace=1.0,
            killed=7,
        )


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    return Seen(tmp_path)


def test_a_good_run_has_no_problems(seen: Seen) -> None:
    assert problems(seen.report(), seen.files) == []


def test_a_job_that_did_not_end_is_a_problem(seen: Seen) -> None:
    report = seen.report()
    lost = msgspec.structs.replace(report, results={**report.results, "2": None})
    assert problems(lost, seen.files) == [f"{seen.files[1]} has a job that did not end"]


def test_another_value_than_the_file_has_is_a_problem(seen: Seen) -> None:
    report = seen.report()
    wrong = msgspec.structs.replace(report, results={**report.results, "2": report.results["1"]})
    [problem] = problems(wrong, seen.files)
    assert problem.startswith(f"{seen.files[1]} was recorded with another digest")


def test_a_file_with_two_jobs_or_with_none_is_a_problem(seen: Seen) -> None:
    report = seen.report()
    doubled = msgspec.structs.replace(
        report, jobs={"1": seen.files[0], "2": seen.files[0]}, results=dict.fromkeys("12", report.results["1"])
    )
    assert problems(doubled, seen.files) == [f"{seen.files[1]} has no job", f"{seen.files[0]} has more than one job"]


def test_a_run_without_a_kill_proves_nothing(seen: Seen) -> None:
    spared = msgspec.structs.replace(seen.report(), killed=None)
    assert problems(spared, seen.files) == ["no worker process could be killed in the middle"]
