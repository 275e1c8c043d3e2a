"""Who holds what on SQLite: owners and their leases; claims lent, found again and given back."""

from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection
from typing import Any, Literal

import msgspec

from treadle.core.outcomes import LOST
from treadle.errors import Fenced, NotEnrolled
from treadle.log import Log
from treadle.stores.claim import Claim, Demand, Rescued
from treadle.stores.large import name
from treadle.stores.oban import attempted_by, error_object, failure_text, instant, job_of, poison, stamp
from treadle.stores.statements import statement

_log = Log("treadle.stores.sqlite")
_listed = msgspec.json.Encoder().encode

# A claim that meets poison looks again, at more rows, but not for ever: the next claim goes on.
_ROUNDS = 10
_PAGE_AFTER_POISON = 100


class Instant(msgspec.Struct, frozen=True):
    """One look at the clocks, taken inside the transaction: the wall's seconds, and those of this boot."""

    now: float
    steady: float
    boot: str


def enroll(connection: Connection, owner: str, lease: float, at: Instant) -> None:
    """Write the owner down. Raises Fenced for one that has a tombstone."""
    if _owner_state(connection, owner) == "fenced":
        raise _fenced(owner)
    connection.execute(statement("sqlite/enroll"), (owner, at.boot, lease, at.steady))


def beat(
    connection: Connection, owners: Mapping[str, float], at: Instant
) -> dict[str, Literal["alive", "fenced", "unknown"]]:
    """Renew the leases of those that are enrolled and not fenced."""
    answers: dict[str, Literal["alive", "fenced", "unknown"]] = {}
    for owner, lease in owners.items():
        state = _owner_state(connection, owner)
        if state == "alive":
            connection.execute(statement("sqlite/beat"), (at.boot, lease, at.steady, owner))
        answers[owner] = state
    return answers


def claim(connection: Connection, owner: str, demands: Sequence[Demand], now: float, turn: int) -> list[Claim]:
    """Lend what waits. Each claim begins with another queue, `turn` says which: a full queue starves no other."""
    match _owner_state(connection, owner):
        case "fenced":
            raise _fenced(owner)
        case "unknown":
            raise NotEnrolled(f"expected the owner {owner} to be enrolled, got one that this store does not know")
        case "alive":
            taking = _Taking(connection, owner, stamp(now))
            for demand in demands:
                taking.serve(demand, turn)
            return taking.claims


class _Taking:
    """One call of `claim`. All its claims share a receipt: the fence is row and receipt together."""

    def __init__(self, connection: Connection, owner: str, now: str) -> None:
        self._connection = connection
        self._owner = owner
        self._now = now
        self._at = instant(now)
        self._receipt: str = connection.execute(statement("sqlite/draw_claim")).fetchone()[0]
        self.claims: list[Claim] = []

    def serve(self, demand: Demand, turn: int) -> None:
        """Take at most `demand.limit` jobs of its queues together."""
        most = len(self.claims) + demand.limit
        count = len(demand.queues)
        for step in range(count):
            left = most - len(self.claims)
            if left > 0:
                self._take(demand.queues[(turn + step) % count], left, alone=demand.alone)

    def _take(self, queue: str, limit: int, *, alone: bool) -> None:
        waiting = statement("sqlite/waiting_alone" if alone else "sqlite/waiting")
        page = limit
        for _ in range(_ROUNDS):
            rows = self._connection.execute(waiting, (queue, page)).fetchall()
            if alone:
                rows.sort(key=lambda row: (str(row[9]), str(row[8]), row[0]))
            sound = self._sound(rows)
            self._lend(queue, sound[:limit], alone=alone)
            limit -= len(sound)
            if limit <= 0 or len(sound) == len(rows):
                return
            page = max(limit, _PAGE_AFTER_POISON)

    def _sound(self, rows: list[Any]) -> list[Any]:
        """The rows that can be run; the others are discarded here, with one line of log each."""
        sound = []
        for row in rows:
            reason = poison(row[2], row[3], row[4], row[5])
            if reason is None:
                sound.append(row)
            else:
                _log.warning("job %s was discarded unread: %s", row[0], reason)
                error = error_object(self._now, row[4] if isinstance(row[4], int) else 0, reason)
                values = {"id": row[0], "now": self._now, "error": error}
                self._connection.execute(statement("sqlite/discard_poison"), values)
        return sound

    def _lend(self, queue: str, rows: list[Any], *, alone: bool) -> None:
        if not rows:
            return
        ids = _listed([row[0] for row in rows]).decode()
        holder = attempted_by(self._owner, queue, self._receipt)
        self._connection.execute(statement("sqlite/take"), (self._now, holder, ids))
        if not alone:
            # A job that a person or a peer made available again is no suspect any more.
            forget(self._connection, suspects=ids)
        # A row's attempts are those before this one.
        self.claims += [Claim(job_of(row, queue, row[4] + 1, self._at), self._receipt) for row in rows]


def held(connection: Connection, owner: str, large: Mapping[str, Claim]) -> list[Claim]:
    """What stands as lent to this owner, oldest first. Those that the process has at hand are not read again."""
    values = {"owner": owner, "known": _listed(list(large)).decode()}
    rows = connection.execute(statement("sqlite/held"), values).fetchall()
    rows.sort(key=lambda row: (str(row[12]), row[0]))
    return [_held(row, large) for row in rows]


def _held(row: Sequence[Any], large: Mapping[str, Claim]) -> Claim:
    cancelled = bool(row[11])
    if row[2] is None:
        return msgspec.structs.replace(large[name(row[0], row[10])], cancelled=cancelled)
    return Claim(job_of(row, row[9].decode("utf-8", "replace"), row[4], instant(row[12])), row[10], cancelled)


def taken(connection: Connection, keys: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these claims whose rows show that they are held no more."""
    return [key for key in keys if connection.execute(statement("sqlite/taken"), key).fetchone()]


def leave(connection: Connection, owner: str, now: float) -> int:
    """Give every claim back and forget the owner, unless it was fenced: then the tombstone stays."""
    ids = [row[0] for row in connection.execute(statement("sqlite/claims_of"), (owner,))]
    _give_back(connection, ids, now)
    connection.execute(statement("sqlite/forget_owner"), (owner,))
    connection.execute(statement("sqlite/forget_serving"), (owner,))
    return len(ids)


def rescue(connection: Connection, limit: int, at: Instant, *, judging: bool) -> Rescued:
    """Fence who is silent, then give back claims of the fenced and of owners that nobody knows, at most `limit`."""
    values = {"now": stamp(at.now), "boot": at.boot, "steady": at.steady}
    silent = connection.execute(statement("sqlite/fence_silent"), values).fetchall() if judging else []
    fenced = tuple(row[0] for row in silent)
    ids = [row[0] for row in connection.execute(statement("sqlite/claims_of_the_dead"), (limit,))]
    _give_back(connection, ids, at.now)
    return Rescued(fenced, len(ids))


def restamp(connection: Connection, age: float, at: Instant) -> int:
    """Stamp anew the claims of living owners that were stamped more than `age` seconds ago; how many there were."""
    values = {"now": stamp(at.now), "cut": stamp(at.now - age), "boot": at.boot, "steady": at.steady}
    return connection.execute(statement("sqlite/restamp"), values).rowcount


def forget(connection: Connection, *, suspects: str | None = None, cancels: str | None = None) -> None:
    """Delete what these jobs, a JSON list of ids, leave behind. The tables are empty nearly always."""
    any_suspects, any_cancels = connection.execute(statement("sqlite/leftovers")).fetchone()
    if any_suspects and suspects:
        connection.execute(statement("sqlite/clear_suspects"), (suspects,))
    if any_cancels and cancels:
        connection.execute(statement("sqlite/clear_cancels"), (cancels,))


def as_list(ids: Iterable[int]) -> str:
    """Row ids as the JSON that the statements take."""
    return _listed(list(ids)).decode()


def as_names(names: Iterable[str]) -> str:
    """Names as the JSON that the statements take."""
    return _listed(list(names)).decode()


def _give_back(connection: Connection, ids: list[int], now: float) -> None:
    """Those that must not run again end here; all others wait again."""
    if ids:
        values = {"ids": as_list(ids), "now": stamp(now), "error": failure_text(LOST)}
        lost = [row[0] for row in connection.execute(statement("sqlite/lose"), values).fetchall()]
        connection.execute(statement("sqlite/give_back"), values)
        forget(connection, suspects=as_list(lost), cancels=values["ids"])


def _owner_state(connection: Connection, owner: str) -> Literal["alive", "fenced", "unknown"]:
    row = connection.execute(statement("sqlite/owner_state"), (owner,)).fetchone()
    if row is None:
        return "unknown"
    return "fenced" if row[0] else "alive"


def _fenced(owner: str) -> Fenced:
    return Fenced(f"the owner {owner} was declared dead and its claims were taken back: start a new one")
