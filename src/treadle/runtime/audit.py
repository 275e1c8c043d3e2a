"""Compares what the store says this owner holds with what it holds.

An entry that the process does not know at two looks running, with no claim call open in between, is the trace of a lost
reply: it goes back. A claim that the store no longer shows was cancelled, deleted or taken: its attempt is stopped.
Where the store shows nothing at all, that has to be known of the claim itself, or to be so at several looks.
"""

from collections.abc import Callable, Sequence

from treadle.core.outcomes import Released
from treadle.runtime.claimer import Claimer
from treadle.runtime.slots import Key, Slots
from treadle.stores.claim import Claim, Settlement
from treadle.stores.contract import Consumes

EMPTY_LOOKS = 3
"""Where the store shows nothing at all, it may have lost its data; within so many beats the parent knows if it did."""
_BETWEEN_CALLS = 5.0


class Audit:
    """`lost` is called with the keys whose claims are gone, `cancel` with a claim that somebody wants cancelled."""

    def __init__(
        self,
        store: Consumes,
        owner: str,
        slots: Slots,
        claimer: Claimer,
        *,
        lost: Callable[[Key], None],
        cancel: Callable[[Claim], None],
    ) -> None:
        self._store = store
        self._owner = owner
        self._slots = slots
        self._claimer = claimer
        self._lost = lost
        self._cancel = cancel
        self._unknown: frozenset[Key] = frozenset()
        self._forgiven: set[Key] = set()
        self._empty_looks = 0
        self._open_call: int | None = None

    def forgive(self) -> None:
        """The store lost its data: what is held now it will not show again, and may run to its end all the same."""
        self._forgiven = self._slots.known()

    async def look(self, *, hastened: bool = False) -> Sequence[Claim]:
        """One look; what this owner holds. One that is `hastened` comes before its time, and counts for no beat."""
        # What a claim call is just bringing, megabytes perhaps, need not come twice at the same time.
        await self._claimer.between_calls(_BETWEEN_CALLS)
        known = self._slots.known()
        open_call = self._claimer.calls if self._claimer.calling else None
        held = await self._store.held(self._owner)
        shown = {claim.key for claim in held}
        await self._miss([key for key in known - shown if key in self._slots], bool(shown), counts=not hastened)
        for claim in held:
            if claim.cancelled:
                self._cancel(claim)
        unknown = [claim for claim in held if claim.key not in known and claim.key not in self._slots]
        # A call that was open at the last look, and still is, may yet bring what the last look did not know.
        if self._open_call is None or self._claimer.calls > self._open_call or not self._claimer.calling:
            await self._give_back([claim for claim in unknown if claim.key in self._unknown])
        self._unknown = frozenset(claim.key for claim in unknown)
        self._open_call = open_call
        return held

    async def _miss(self, missing: Sequence[Key], any_shown: bool, *, counts: bool) -> None:  # noqa: FBT001 - of a look
        self._forgiven.intersection_update(missing)
        missing = [key for key in missing if key not in self._forgiven]
        if not missing or any_shown:
            self._empty_looks = 0
        else:
            self._empty_looks += counts
            if self._empty_looks < EMPTY_LOOKS:
                missing = await self._store.taken(missing)
        for key in missing:
            self._lost(key)

    async def _give_back(self, lost: Sequence[Claim]) -> None:
        if lost:
            await self._store.settle(self._owner, [Settlement(claim, Released()) for claim in reversed(lost)])
