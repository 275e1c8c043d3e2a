"""The locks of unique jobs as Exq keeps them: what a job's payload says of the lock that it may hold.

Source: exq 0.23, redis/job_queue.ex and middleware/unique.ex; `until` "successful" is ours, "expiry" to Exq.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.core.job import NewJob
from treadle.core.jsontext import dump, load_json
from treadle.core.states import State
from treadle.core.uniqueness import Policy, Unique, policy
from treadle.errors import ArgumentError

_POLICIES: Mapping[object, Policy] = {
    "start": "start",
    "success": "success",
    "expiry": "expiry",
    "successful": "successful",
}
_OUTLIVED: Mapping[Policy, frozenset[State]] = {
    "start": frozenset(),
    "success": frozenset(),
    "successful": frozenset({State.COMPLETED}),
    "expiry": frozenset({State.COMPLETED, State.DISCARDED, State.CANCELLED}),
}


class Lock(msgspec.Struct, frozen=True):
    """What a job may hold: the lock of this token, whose value is then its `jid`."""

    token: str
    jid: str
    until: Policy

    def outlives(self, state: State) -> bool:
        """Whether it stays until its time is over when the job ends like this."""
        return state in _OUTLIVED[self.until]


class _Members(msgspec.Struct):
    unique_token: Any = None
    unique_until: Any = None
    jid: Any = None
    trd_job: Any = None


_decode = msgspec.json.Decoder(_Members).decode


def lock_of(text: bytes) -> Lock | None:
    """The lock that this payload speaks of."""
    if b'"unique_token"' not in text:
        return None
    given = _read(text)
    if not isinstance(given.unique_token, str) or not isinstance(given.jid, str) or not given.jid:
        return None
    own = given.trd_job.get("unique") if isinstance(given.trd_job, dict) else None
    return Lock(given.unique_token, given.jid, _POLICIES.get(own or given.unique_until, "expiry"))


def _read(text: bytes) -> _Members:
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        value = load_json(text)
    except ArgumentError:
        return _Members()
    return (
        _Members(**{name: value.get(name) for name in _Members.__struct_fields__})
        if isinstance(value, dict)
        else _Members()
    )


def released(lock: Lock | None, state: State) -> Lock | None:
    """The lock, if it goes when its job ends in this state."""
    return None if lock is None or lock.outlives(state) else lock


def own_policy(job: NewJob) -> bytes:
    """What stands beside other data of ours in the payload where Exq has no word for it."""
    return b'"unique":"successful"' if job.unique is not None and policy(job.unique.rule) == "successful" else b""


def members(rule: Unique, token: str) -> bytes:
    """The members of the payload up to the instant at which the lock ends, which the store adds."""
    until = policy(rule) or "expiry"
    return b',"unique_for":%b,"unique_until":"%b","unique_token":%b,"unlocks_at":' % (
        dump(rule.period, "period"),
        b"expiry" if until == "successful" else until.encode(),
        dump(token, "token"),
    )
