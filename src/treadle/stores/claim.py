"""Jobs that a store lends: what is asked for, what is lent, and how it comes back."""

import zlib
from typing import Literal

import msgspec

from treadle.core.job import Job
from treadle.core.outcomes import Outcome
from treadle.core.states import State


class Claim(msgspec.Struct, frozen=True, weakref=True):
    """A job lent to an owner. `receipt` means something only to the store; job and receipt together name a claim.

    A receipt is new with every call of `claim`; claims that came by one call may share it.

    `cancelled` is set by `held` where somebody asked for this running job to be cancelled.
    """

    job: Job
    receipt: str
    cancelled: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What names this claim and no other."""
        return self.job.id, self.receipt

    @property
    def mark(self) -> int:
        """A number that names this claim's job in a process's shared page; never 0."""
        return zlib.crc32(self.job.id.encode()) or 1


class Demand(msgspec.Struct, frozen=True):
    """At most `limit` jobs of `queues` together. `alone` asks for jobs that were set aside, and for no others."""

    queues: tuple[str, ...]
    limit: int
    alone: bool = False


class Settlement(msgspec.Struct, frozen=True):
    """A claim and what is to become of it: one atomic step, applied only if that claim is still held."""

    claim: Claim
    outcome: Outcome


class Settled(msgspec.Struct, frozen=True):
    """How a settlement was answered: applied now, applied before (its reply was lost), or the claim was not held."""

    answer: Literal["applied", "repeated", "gone"]
    state: State | None = None


APPLIED = Settled("applied")
REPEATED = Settled("repeated")


class Rescued(msgspec.Struct, frozen=True):
    """What a rescue did: the owners that it fenced, and how many claims it gave back."""

    owners: tuple[str, ...]
    claims: int
