"""Jobs on PostgreSQL as services and people see them: stage, prune, count, act, results."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from treadle.core.states import FINAL, State
from treadle.stores.erlang import returned
from treadle.stores.oban import last_error, row_id, state_of
from treadle.stores.postgres_connection import Session
from treadle.stores.postgres_controls import tell_owners
from treadle.stores.postgres_query import PostgresTable
from treadle.stores.shapes import TableShape
from treadle.stores.sql_search import Where
from treadle.stores.views import Result, Work

EXACT = 256 << 20
"""Bytes of a table, about a million rows, up to which all are counted; it takes some tenths of a second."""

COUNTED = 10_000
"""So many of a queue and state are counted in a larger one; how many more there are is estimated."""

# Bytes of such a table that are read for it, here and there.
_SAMPLE = 32 << 20


def open_tables(session: Session) -> TableShape:
    """Make what lacks; of many processes that begin at once one does. How the job table was made."""
    return session.install()


def stage(session: Session, limit: int) -> int:
    """Make due jobs available, oldest first; suspects among them go back to their own place."""
    number: int = session.row("stage", {"limit": limit})[0]
    return number


def prune(session: Session, older_than: Mapping[State, float], limit: int) -> int:
    """Delete jobs that ended long ago, at most `limit`; and what is kept beside jobs for too long."""
    ages = {state.value: older_than.get(state) for state in FINAL}
    deleted: list[int] = session.row("prune_jobs", {**ages, "limit": limit})[0]
    session.rows("prune_unique", {"ids": deleted})
    session.rows("prune_beside")
    return len(deleted)


def counts(session: Session) -> dict[str, dict[State, int]]:
    """Queue → state → number, estimated where there are many. States that no version known here writes are left out."""
    size: int = session.row("size")[0]
    rows = session.rows("counts") if size <= EXACT else _estimated(session, size)
    found: dict[str, dict[State, int]] = {}
    for queue, text, number in rows:
        state = state_of(text)
        if state is not None:
            found.setdefault(queue, {})[state] = number
    return found


def _estimated(session: Session, size: int) -> list[Any]:
    with session.together():
        session.rows("by_index")
        return session.rows("counts_large", {"most": COUNTED, "share": 100 * _SAMPLE / size}, prepare=False)


def work(session: Session, owners: Sequence[str], queues: Sequence[str]) -> Work:
    """Available jobs of these queues, and who holds claims. The holders come first: what they give back is seen."""
    beats: dict[str, float] = dict(session.rows("holders"))
    others = {owner: beat for owner, beat in beats.items() if owner not in owners}
    return Work(session.row("waiting", {"queues": list(queues)})[0], len(others) < len(beats), others)


def set_aside(session: Session, queues: Sequence[str]) -> int:
    """How many jobs of these queues wait to run alone."""
    number: int = session.row("count_suspects", {"queues": list(queues)})[0]
    return number


def act(session: Session, action: Literal["retry", "cancel", "delete"], ids: Sequence[int], where: Where) -> int:
    """Do it to those of these jobs that still match and may be touched. Those that others hold suspended may not."""
    with session.together():
        row = session.row(f"act_{action}", {"ids": PostgresTable(session).still(where, ids)})
        if action == "cancel":
            tell_owners(session, row[1] or ())
    done: int = row[0]
    return done


def result(session: Session, job_id: str) -> Result | None:
    """How a job ended. A value outlives its pruned job."""
    rows = session.rows("result", {"id": row_id(job_id)})
    if not rows:
        return None
    [(text, errors, value, term)] = rows
    state = state_of(text)
    if state is State.COMPLETED:
        return Result(state, value=value if term is None else returned(term))
    if state in FINAL:
        return Result(state, error=last_error(errors))
    return None
