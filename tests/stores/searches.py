"""Jobs as rows of Oban's table, and all that a query finds among them, step by step."""

import json
from collections.abc import Mapping

from tests.core.queries import NOON
from treadle.core.job import JobView
from treadle.core.states import State
from treadle.stores import sql_search
from treadle.stores.job_query import JobQuery
from treadle.stores.oban import stamp
from treadle.stores.sql_search import Table, Where

PLAIN = JobView(
    id="1",
    state=State.AVAILABLE,
    name="w",
    queue="q",
    args={},
    attempt=0,
    max_attempts=1,
    inserted_at=NOON,
    scheduled_at=NOON,
)


def row(job: JobView) -> Mapping[str, object]:
    """The columns of a job, with JSON as text and instants as SQLite keeps them."""
    errors = [{"at": stamp(0), "attempt": 1, "error": error.error} for error in job.errors]
    owner = [] if job.owner is None else [job.owner, "producer", "claim"]
    moments = {"inserted": job.inserted_at, "scheduled": job.scheduled_at, "attempted": job.attempted_at}
    moments["completed"] = job.finished_at
    return {
        "id": int(job.id),
        "state": job.state.value,
        "queue": job.queue,
        "worker": job.name,
        "args": json.dumps(job.args),
        "meta": json.dumps(job.meta),
        "tags": json.dumps(job.tags),
        "errors": json.dumps(errors),
        "attempted_by": json.dumps(owner),
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        **{f"{name}_at": at and stamp(at.timestamp()) for name, at in moments.items()},
    }


def found(table: Table, where: Where, query: JobQuery, limit: int = 2) -> list[str]:
    """The ids that all steps together give."""
    plan, ids = sql_search.plan_of(query, where, table), list[str]()
    below = plan.below
    while below is not None:
        page, step = sql_search.matching(plan, below, limit, table)
        ids += map(str, page)
        below = step.below
    return ids
