"""Who holds what on PostgreSQL: owners and their leases; claims lent, found again and given back."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from treadle.core.job import Job
from treadle.core.jsontext import load_json
from treadle.core.outcomes import LOST
from treadle.core.states import State
from treadle.errors import Fenced, NotEnrolled
from treadle.log import Log
from treadle.stores.claim import Claim, Demand, Rescued
from treadle.stores.large import AtHand, name
from treadle.stores.oban import failure_text, marked_job, poison, producer
from treadle.stores.postgres_connection import Session
from treadle.stores.postgres_hints import Hints

_log = Log("treadle.stores.postgres")

# A claim that meets poison asks again for what it lacks, but not for ever: the next claim goes on.
_ROUNDS = 10
# More than any owner holds.
_EVERYTHING = 1_000_000


def enroll(session: Session, owner: str, lease: float) -> None:
    """Write the owner down. Raises Fenced for one that has a tombstone."""
    if not session.rows("enroll", {"owner": owner, "lease": lease}):
        raise _fenced(owner)


def beat(session: Session, owners: Mapping[str, float]) -> dict[str, Literal["alive", "fenced", "unknown"]]:
    """Renew the leases of those that are enrolled and not fenced."""
    return dict(session.rows("beat", {"owners": list(owners), "leases": list(owners.values())}))


def claim(
    session: Session,
    owner: str,
    demands: Sequence[Demand],
    *,
    receipt: str,
    turn: int,
    hints: Hints,
    large: AtHand,
) -> list[Claim]:
    """Lend what waits. Each claim begins with another queue, `turn` says which: a full queue starves no other."""
    claims: list[Claim] = []
    for _ in range(_ROUNDS):
        values = _demanded(owner, demands, receipt, turn)
        rows = session.binary_rows("claim", {**values, **hints.begin(values["queues"])}, large=6)
        if not rows:
            raise NotEnrolled(f"expected the owner {owner} to be enrolled, got one that this store does not know")
        if rows[0][0]:
            raise _fenced(owner)
        lent = [row for row in rows if row[3] is not None]
        ends = [(row[5], (row[13], row[15], row[3])) for row in lent if row[2] and not row[12]]
        hints.end(ends, rows[0][16])
        sound = _sound(session, lent, receipt)
        claims += sound
        if len(sound) == len(lent):
            break
        demands = _left(demands, sound)
    large.add(claims)
    return claims


def _demanded(owner: str, demands: Sequence[Demand], receipt: str, turn: int) -> dict[str, Any]:
    turned = [
        [demand.queues[(turn + step) % len(demand.queues)] for step in range(len(demand.queues))] for demand in demands
    ]
    queues = [queue for names in turned for queue in names]
    return {
        "owner": owner,
        "claim": receipt,
        "limits": [demand.limit for demand in demands],
        "alone": [demand.alone for demand in demands],
        "queues": queues,
        "producers": [producer(owner, queue) for queue in queues],
        "demands": [number for number, names in enumerate(turned, 1) for _ in names],
    }


def _left(demands: Sequence[Demand], claims: Sequence[Claim]) -> list[Demand]:
    """What is still wanted."""
    left = []
    for demand in demands:
        served = sum(claim.job.queue in demand.queues for claim in claims)
        left.append(Demand(demand.queues, max(demand.limit - served, 0), demand.alone))
    return left


def _sound(session: Session, rows: Sequence[Any], receipt: str) -> list[Claim]:
    """The claims of rows that can be run; the others are discarded, with one line of log each."""
    claims, reasons = [], {}
    for _, _, sound, job_id, worker, queue, args, attempt, most, deaths, tags, meta, _, _, waited, *_ in rows:
        reason = poison(args, b"{}" if meta is None else meta.encode(), attempt - sound, most)
        if reason is None:
            job = Job(str(job_id), worker, queue, args, attempt, most, "treadle", deaths, True, max(waited, 0.0))
            claims.append(Claim(_marked(job, tags, meta), receipt))
            continue
        _log.warning("job %s was discarded unread: %s", job_id, reason)
        if sound:
            reasons[job_id] = reason
    if reasons:
        values = {"ids": list(reasons), "reasons": list(reasons.values()), "claim": receipt}
        session.rows("discard_poison", values)
    return claims


def _marked(job: Job, tags: list[str] | None, meta: str | None) -> Job:
    if tags is None and meta is None:
        return job
    shown = load_json(meta.encode()) if meta else {}
    return marked_job(job, tuple(tags or ()), shown if isinstance(shown, dict) else {})


def held(session: Session, owner: str, large: AtHand) -> list[Claim]:
    """What stands as lent to this owner, oldest first. Those that the process has at hand are not read again."""
    known = large.now()
    return [_held(row, known) for row in session.binary_rows("held", {"owner": owner, "known": list(known)}, large=3)]


def _held(row: Sequence[Any], large: Mapping[str, Claim]) -> Claim:
    job_id, worker, queue, args, attempt, most, deaths, waited, tags, meta, receipt, wished = row
    if args is None:
        return msgspec.structs.replace(large[name(job_id, receipt)], cancelled=wished)
    job = Job(str(job_id), worker, queue, args, attempt, most, "treadle", deaths, True, max(waited, 0.0))
    return Claim(_marked(job, tags, meta), receipt, cancelled=wished)


def taken(session: Session, keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these claims whose rows show that they are held no more."""
    values = {"ids": [int(job_id) for job_id, _ in keys], "claims": [receipt for _, receipt in keys]}
    return [
        (str(job_id), receipt)
        for job_id, receipt, _, state, ours in session.rows("look_again", values)
        if state is not None and not (ours and state == State.EXECUTING)
    ]


def leave(session: Session, owner: str) -> int:
    """Give every claim back and forget the owner, unless it was fenced: then the tombstone stays."""
    with session.together():
        session.rows("forget_owner", {"owner": owner})
        return _give_back(session, owner, _EVERYTHING)


def rescue(session: Session, limit: int) -> Rescued:
    """Fence who is silent, then give back claims of the fenced and of owners that nobody knows, at most `limit`."""
    fenced = tuple(row[0] for row in session.rows("fence_silent"))
    return Rescued(fenced, _give_back(session, None, limit))


def restamp(session: Session, age: float) -> int:
    """Stamp anew the claims of living owners that were stamped more than `age` seconds ago; how many there were."""
    number: int = session.row("restamp", {"age": age})[0]
    return number


def _give_back(session: Session, owner: str | None, limit: int) -> int:
    number: int = session.row("give_back", {"owner": owner, "limit": limit, "lost": failure_text(LOST)})[0]
    return number


def _fenced(owner: str) -> Fenced:
    return Fenced(f"the owner {owner} was declared dead and its claims were taken back: start a new one")
