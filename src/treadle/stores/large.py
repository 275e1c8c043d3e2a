"""Claims of large jobs that somebody in this process still holds: whoever asks what is held need not be sent them."""

import weakref
from collections.abc import Sequence

from treadle.stores.claim import Claim

LARGE = 1 << 16
"""Bytes of arguments."""


class AtHand:
    """Of one store object. A claim is forgotten when nobody holds it any more."""

    def __init__(self) -> None:
        self._claims: weakref.WeakValueDictionary[str, Claim] = weakref.WeakValueDictionary()

    def add(self, claims: Sequence[Claim]) -> None:
        """Remember the large ones among what was lent."""
        large = [claim for claim in claims if len(claim.job.args) >= LARGE]
        self._claims.update((name(*claim.key), claim) for claim in large)

    def now(self) -> dict[str, Claim]:
        """All of them by name; while the answer is kept, none is forgotten."""
        return dict(self._claims)


def name(job_id: object, receipt: str) -> str:
    """What a claim is known by."""
    return f"{job_id}/{receipt}"
