"""What becomes of the claims of a worker process that has ended."""

from collections.abc import Callable, Sequence

from treadle.core.names import peerless
from treadle.core.outcomes import (
    Discarded,
    Outcome,
    Released,
    Verdict,
    after_death,
    after_death_telling,
    after_overrun,
    handed_over,
)
from treadle.errors import StoreUnavailable
from treadle.hooks.events import ChildDied, Events
from treadle.runtime.child import Child
from treadle.runtime.patience import Patience
from treadle.runtime.slots import Key
from treadle.runtime.telling import tell
from treadle.stores.claim import Claim, Settlement
from treadle.stores.contract import Store


async def bury(
    store: Store,
    child: Child,
    code: int,
    *,
    events: Events,
    patience: Patience,
    jitter: Callable[[], float],
    give_up: Callable[[], bool],
) -> int:
    """Set aside what ran when it died by itself, settle what overran, give the rest back; how many were discarded.

    What must not run again ends, however its process came to its end, unless it had not begun. A job that ends here and
    has an `on_discard` is set aside with its verdict instead, for a worker process that can call it.

    If this process dies on any line of it, what is not done yet is done by a rescue, which counts no death. So it is
    where the store is away and `give_up` says that this process must end: then it raises StoreUnavailable.
    """
    owner = child.owner or ""
    settled: dict[Key, Settlement] = {}
    while True:
        try:
            claims = await store.held(owner)
            settlements = _settlements(child, claims, jitter)
            for settlement in settlements:
                if not isinstance(settlement.outcome, Released):
                    settled[settlement.claim.key] = settlement
            if settlements:
                await store.settle(owner, settlements)
            released = await store.leave(owner)
        except (StoreUnavailable, OSError) as error:
            # OSError: this process may open no more files, not even those with the statements.
            if give_up():
                raise
            await patience.wait(error)
        else:
            patience.reset()
            break
    if child.killed is None and not child.leaving:
        events.emit(ChildDied(owner=owner, pid=child.pid, code=code, released=released, suspects=len(settled)))
    for settlement in settled.values():
        tell(events, settlement.claim.job, settlement.outcome, 0.0)
    return sum(isinstance(settlement.outcome, Discarded) for settlement in settled.values())


def _settlements(child: Child, claims: Sequence[Claim], jitter: Callable[[], float]) -> list[Settlement]:
    ran = set(child.page.marks)
    outcomes = [(claim, _outcome(child, claim, jitter, ran=claim.mark in ran)) for claim in claims]
    return [Settlement(claim, _told(child, claim, outcome)) for claim, outcome in outcomes if outcome is not None]


def _told(child: Child, claim: Claim, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Discarded) and Verdict.of(claim.job) is None and peerless(claim.job.name) in child.tells:
        return handed_over(outcome.failure)
    return outcome


def _outcome(child: Child, claim: Claim, jitter: Callable[[], float], *, ran: bool) -> Outcome | None:
    """None for what goes back with its owner. That would end what must not run again, so it is told what did not run.

    The mark of a job that must not run again stands until the store has answered its settlement.
    """
    by_itself = not child.overdue_mark and child.killed is None and not child.leaving and not child.recycled
    if (verdict := Verdict.of(claim.job)) is not None:
        return after_death_telling(claim.job, verdict) if ran and by_itself else Released()
    if child.overdue_mark and claim.mark == child.overdue_mark:
        return after_overrun(claim.job, jitter=jitter())
    if not claim.job.rerun:
        return after_death(claim.job, alone=child.alone) if ran else Released()
    return after_death(claim.job, alone=child.alone) if ran and by_itself else None
