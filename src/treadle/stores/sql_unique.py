"""What a unique job is compared with on the SQL stores where there is no key to compare: rows of other programs."""

from collections.abc import Iterable

from treadle.core.uniqueness import Uniqueness

# So many of the newest jobs of a queue in a state, or of the table, are looked at for such as have no key: what that
# takes must not grow with the backlog.
OTHERS = 200
OTHERS_ANYWHERE = 1_000

Found = tuple[int, str]
"""The id of a job and the state in which it was seen."""

Row = tuple[int, str, str, str, bytes, bytes]
"""Of a job: its id, state, worker, queue, args and meta."""


def by_key(rows: Iterable[Row], unique: Uniqueness) -> dict[str, Found]:
    """These jobs by what their key would be. What cannot be read is the same as no job."""
    found: dict[str, Found] = {}
    for job_id, state, name, queue, args, meta in rows:
        try:
            key = unique.digest(name=name, queue=queue, args=args, meta=meta)
        except (ValueError, TypeError, RecursionError):
            continue
        found[key] = job_id, state
    return found
