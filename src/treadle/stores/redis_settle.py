"""Give claims back with their outcomes on Redis: one script for all plain completions, one for each other outcome."""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from treadle.core.outcomes import Cancelled, Completed, Discarded, Failure, Released, Retried, SetAside, Snoozed
from treadle.core.states import State
from treadle.errors import StoreError
from treadle.stores import sidekiq
from treadle.stores.claim import APPLIED, REPEATED, Claim, Settled, Settlement
from treadle.stores.exq_locks import released
from treadle.stores.redis_claims import Lent, settling
from treadle.stores.redis_client import Client
from treadle.stores.redis_scripts import Argument, ScriptCall
from treadle.stores.views import Result

GONE = Settled("gone")

_ANSWERS = {b"applied": APPLIED, b"repeated": REPEATED, b"gone": GONE}


class _Record(msgspec.Struct, omit_defaults=True):
    state: State
    value: msgspec.Raw = msgspec.Raw(b"")
    error: str | None = None


_decode = msgspec.json.Decoder(_Record).decode
_encode = msgspec.json.Encoder().encode


async def settle(client: Client, owner: str, settlements: Sequence[Settlement]) -> list[Settled]:
    """Apply each, if its claim is held; once more where the replies were lost."""
    settling = _Settling(client, owner, *await client.counters())
    plain: list[int] = []
    single: list[int] = []
    for index, settlement in enumerate(settlements):
        outcome = settlement.outcome
        simple = type(outcome) is Completed and outcome.result is None and not _unlocks(settlement.claim)
        (plain if simple else single).append(index)
    # What goes back to the head of its queue does so from the newest to the oldest, which is then the next.
    single.sort(key=lambda index: _place(settlements[index]), reverse=True)
    calls = [settling.one(settlements[index]) for index in single]
    order: list[int] = []
    if plain:
        call, order = settling.complete(plain, settlements)
        calls.append(call)
    replies = await client.back.run_all_twice(calls)
    for reply in replies:
        if isinstance(reply, StoreError):
            raise reply
    answers = [APPLIED] * len(settlements)
    for index, reply in zip(single, replies, strict=False):
        answers[index] = _ANSWERS[reply]
    missed = replies[-1] if plain else ()
    for position, answer in zip(missed[::2], missed[1::2], strict=True):
        answers[order[position]] = _ANSWERS[answer]
    if GONE in answers:
        await _tell_ends(client, settlements, answers)
    return answers


async def _tell_ends(client: Client, settlements: Sequence[Settlement], answers: list[Settled]) -> None:
    """Add how the jobs ended whose claims are gone, where that is kept."""
    gone = [index for index, answer in enumerate(answers) if answer is GONE]
    keys = [client.keys.result(settlements[index].claim.job.id) for index in gone]
    for index, kept in zip(gone, await client.back.ask_all(*[("GET", key) for key in keys]), strict=True):
        if isinstance(kept, bytes):
            answers[index] = Settled("gone", read_record(kept).state)


def _unlocks(claim: Claim) -> bool:
    return isinstance(claim, Lent) and released(claim.lock, State.COMPLETED) is not None


def _place(settlement: Settlement) -> str:
    outcome = settlement.outcome
    return settlement.claim.receipt if isinstance(outcome, Released) and outcome.after <= 0 else ""


def record(state: State, *, value: bytes | None = None, error: str | None = None) -> bytes:
    """What is kept of how a job ended."""
    return _encode(_Record(state, msgspec.Raw(value or b"null"), error))


def read_record(text: bytes) -> Result:
    """What `record` wrote."""
    kept = _decode(text)
    return Result(kept.state, bytes(kept.value) if kept.state is State.COMPLETED else None, kept.error)


class _Settling:
    """The calls of one flush."""

    def __init__(self, client: Client, owner: str, day: int, counters: Sequence[bytes]) -> None:
        self._client = client
        self._keys = client.keys
        self._owner = owner
        self._day = day
        self._counters = counters

    def complete(self, plain: Sequence[int], settlements: Sequence[Settlement]) -> tuple[ScriptCall, list[int]]:
        """The call that completes these, and which settlement each position of it is."""
        calls: dict[str, list[int]] = {}
        for index in plain:
            calls.setdefault(settlements[index].claim.receipt[:-5], []).append(index)
        args: list[Argument] = [self._day]
        for indexes in calls.values():
            receipts = [settlements[index].claim.receipt for index in indexes]
            args += [len(receipts), ",".join([receipt[-4:] for receipt in receipts]) + ",", *receipts]
        marks = [self._keys.settled(settlements[indexes[0]].claim.receipt) for indexes in calls.values()]
        order = [index for indexes in calls.values() for index in indexes]
        return ScriptCall("complete", [self._keys.inflight(self._owner), *self._counters, *marks], args), order

    def one(self, settlement: Settlement) -> ScriptCall:  # noqa: PLR0911 - one for each outcome
        """The call that applies one settlement."""
        claim, outcome = settlement.claim, settlement.outcome
        queue = claim.job.queue
        match outcome:
            case Completed():
                kept = b"" if outcome.result is None else record(State.COMPLETED, value=outcome.result)
                return self._call("finish", claim, kept, [], [0], end=State.COMPLETED)
            case Cancelled():
                return self._call("finish", claim, record(State.CANCELLED, error=outcome.reason), [], [0])
            case Discarded():
                return self._discard(claim, outcome.failure)
            case Retried():
                text = sidekiq.failed(_lent(claim).text, queue, outcome.failure)
                args: list[Argument] = [1, f"{outcome.after:.6f}", *text.arguments]
                return self._call("postpone", claim, _cancelled(outcome.failure), [self._keys.retry], args)
            case Released() if outcome.after <= 0:
                lists = [self._keys.queues, self._keys.queue(queue), self._keys.suspended(queue)]
                return self._call("release", claim, _cancelled(), lists, [])
            case Snoozed() | Released():
                stays = claim.job.deaths if isinstance(outcome, Released) and _lent(claim).alone else None
                args = [0, f"{outcome.after:.6f}", *sidekiq.moved(_lent(claim).text, queue, stays).arguments]
                return self._call("postpone", claim, _cancelled(), [self._keys.schedule], args)
            case SetAside():
                return self._call("set_aside", claim, _cancelled(), [self._keys.suspended(queue)], [outcome.deaths])
            case _:
                assert_never(outcome)

    def _discard(self, claim: Claim, failure: Failure) -> ScriptCall:
        payload, kept = _lent(claim).text, record(State.DISCARDED, error=shown(failure))
        if not sidekiq.kept_when_dead(payload):
            return self._call("finish", claim, kept, [], [1], end=State.DISCARDED)
        text = sidekiq.failed(payload, claim.job.queue, failure)
        return self._call("bury", claim, kept, [self._keys.dead], [1, *text.arguments], end=State.DISCARDED)

    def _call(
        self,
        name: str,
        claim: Claim,
        kept: bytes,
        keys: Sequence[bytes],
        args: Sequence[Argument],
        *,
        end: State = State.CANCELLED,
    ) -> ScriptCall:
        """The call of a script; `end` is the state in which the job ends, if it does."""
        lock = claim.lock if isinstance(claim, Lent) else None
        named, leading = settling(
            self._client,
            self._owner,
            claim.receipt,
            claim.job.id,
            day=self._day,
            counters=self._counters,
            kept=kept,
            lock=released(lock, end),
            more=keys,
        )
        return ScriptCall(name, named, [*leading, *args])


def _cancelled(failure: Failure | None = None) -> bytes:
    """What is kept where a job that was to come again is cancelled instead."""
    return record(State.CANCELLED, error=shown(failure) if failure else "")


def shown(failure: Failure) -> str:
    """A failure as the text of a record."""
    return f"{failure.error_class}: {failure.message}"


def _lent(claim: Claim) -> Lent:
    if isinstance(claim, Lent):
        return claim
    raise StoreError(f"expected a claim that this store lent, got one of job {claim.job.id} without its payload")
