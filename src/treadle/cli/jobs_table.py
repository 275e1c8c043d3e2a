"""Jobs as the rows of a table."""

from collections.abc import Sequence
from datetime import datetime

from treadle.cli.show import json_text, moment, short, show_table
from treadle.core.job import JobView
from treadle.core.states import FINAL, State

_ARGS_WIDTH = 60


def show_jobs(found: Sequence[JobView]) -> None:
    """Print jobs, each with the instant that matters in its state."""
    show_table(["id", "state", "name", "queue", "attempt", "when (UTC)", "args"], [_row(job) for job in found])


def _row(view: JobView) -> list[str]:
    attempt = f"{view.attempt}/{view.max_attempts}"
    when = moment(_when(view))
    return [view.id, view.state.value, view.name, view.queue, attempt, when, short(json_text(view.args), _ARGS_WIDTH)]


def _when(view: JobView) -> datetime | None:
    if view.state in FINAL:
        return view.finished_at
    return view.attempted_at if view.state is State.EXECUTING else view.scheduled_at or view.inserted_at
