"""What the demo saw, and whether every file was accounted for exactly once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from treadle.cli.demo_jobs import measured
from treadle.cli.show import coloured
from treadle.core.jsontext import load_json
from treadle.core.states import State
from treadle.stores.views import Result

_SHOWN = 5
_LABEL = 18


class Start(msgspec.Struct, frozen=True):
    """One line of the ledger: a process began with a file, and whether it was to fail."""

    pid: int
    fails: bool
    path: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen, by job id: the file of each `job` and how it ended; and what the workers wrote down.

    `pace` is jobs per second while most of them waited.
    """

    jobs: Mapping[str, str]
    results: Mapping[str, Result | None]
    starts: Sequence[Start]
    pace: float
    killed: int | None


def read_ledger(path: Path) -> list[Start]:
    """Every execution that began, in order."""
    lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
    parts = (line.split(" ", 2) for line in lines)
    return [Start(int(pid), word == "fails", file) for pid, word, file in parts]


def problems(report: Report, files: Sequence[str]) -> list[str]:
    """Why not every file is accounted for exactly once; empty where it is."""
    found = [] if report.killed else ["no worker process could be killed in the middle"]
    jobs = Counter(report.jobs.values())
    found += _listed("has no job", [file for file in files if file not in jobs])
    found += _listed("has more than one job", [file for file, number in jobs.items() if number > 1])
    begun = {start.path for start in report.starts}
    found += _listed("was never begun", [file for file in files if file not in begun])
    wrong = {job_id: text for job_id, result in report.results.items() if (text := _wrong(report.jobs[job_id], result))}
    for text in dict.fromkeys(wrong.values()):
        found += _listed(text, [report.jobs[job_id] for job_id in wrong if wrong[job_id] == text])
    return found


def show_report(report: Report) -> None:
    """Print the table."""
    states = Counter(result.state if result else None for result in report.results.values())
    for state in State:
        if states[state]:
            _line(state.value, states[state])
    if states[None]:
        _line("not ended", states[None])
    failed = sum(start.fails for start in report.starts)
    _line("attempts", len(report.starts))
    _line("  made to fail", failed)
    _line("  repeats", len(report.starts) - failed - len(report.jobs), "cut short by the kill, and run again")
    _line("jobs per second", round(report.pace), "while most of them waited")


def _line(label: str, number: int, note: str = "") -> None:
    click.echo(f"{coloured(label, label.ljust(_LABEL))}{number:>8,}  {note}".rstrip())


def _wrong(path: str, result: Result | None) -> str | None:
    if result is None:
        return "has a job that did not end"
    if result.state is not State.COMPLETED:
        return f"has a job that ended {result.state}"
    recorded: Any = None if result.value is None else load_json(result.value)
    return None if recorded == measured(path) else "was recorded with another digest or number of lines than it has"


def _listed(what: str, paths: Sequence[str]) -> list[str]:
    """The first few of these paths, each with what is wrong with it."""
    more = [f"… and {len(paths) - _SHOWN} more such files"] if len(paths) > _SHOWN else []
    return [*(f"{path} {what}" for path in paths[:_SHOWN]), *more]
