"""What a store that shares transactions lends to the body of a job, so that its writes and its end are one."""

from typing import Any, Protocol, runtime_checkable

from treadle.stores.claim import Settled, Settlement


class Opened(Protocol):
    """A connection of the driver's, in a transaction, for one thread."""

    connection: Any

    def complete(self, settlement: Settlement) -> Settled:
        """Settle and commit, if the claim is still held, else roll back; the connection is closed.

        After StoreUnavailable it may have been committed: a settlement of the same claim by other ways finds that out.
        Raises ConfigError where the user has ended the transaction.
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
