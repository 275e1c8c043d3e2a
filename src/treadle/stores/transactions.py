"""What a store that shares transactions lends to the body of a job, so that its writes and its end are one."""

from typing import Any, Protocol, runtime_checkable

from treadle.errors import StoreUnavailable
from treadle.stores.claim import Settled, Settlement


class InDoubt(StoreUnavailable):
    """A commit was sent and not confirmed: `ended` tells what became of it."""


class Opened(Protocol):
    """A connection of the driver's, in a transaction, for one thread."""

    connection: Any

    def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back; the connection is closed.

        Raises ConfigError where the user has ended the transaction, StoreUnavailable where nothing was committed, and
        InDoubt.
        """
        ...

    def ended(self, settlement: Settlement) -> Settled | None:
        """After InDoubt, what became of it: None where nothing was committed, and never will be. May be repeated.

        Raises StoreUnavailable while nobody can tell.
        """
        ...

    def rollback(self) -> None:
        """Roll back, as far as there is anything, and close the connection."""
        ...


class AsyncOpened(Protocol):
    """The same for a loop."""

    connection: Any

    async def complete(self, settlement: Settlement) -> Settled:
        """See Opened."""
        ...

    async def ended(self, settlement: Settlement) -> Settled | None:
        """See Opened."""
        ...

    async def rollback(self) -> None:
        """See Opened."""
        ...


@runtime_checkable
class Transacts(Protocol):
    """A store that shares transactions."""

    def transact_now(self, owner: str) -> Opened:
        """Begin one, blocking; safe on any thread."""
        ...

    async def transact(self, owner: str) -> AsyncOpened:
        """Begin one."""
        ...
