"""How the body of a job reaches the transaction that completes it: through whoever runs it."""

from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol


class Completing(Protocol):
    """A transaction of the store's, `with` it in a thread and `async with` it on a loop; it gives its connection.

    At the end of the block what was written there is committed, and the job with it is completed. `result` is the value
    of a recorded job, to be set within the block.
    """

    result: Any

    def __enter__(self) -> Any: ...  # noqa: ANN401 - a connection of the store's driver
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    async def __aenter__(self) -> Any: ...  # noqa: ANN401 - as above
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


opening: ContextVar[Callable[[], Completing]] = ContextVar("treadle_transaction")
"""Set by what runs a job, where that can be completed in a transaction."""
