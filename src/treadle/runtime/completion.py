"""The transaction in which a job's own writes and its completion are one: `current_job().transaction()`.

Life: 1. The block begins a transaction on a connection of the store's. 2. At its end the claim is settled there and all
is committed; where the claim is not held any more nothing is, and the body is stopped. 3. Where the reply to the
commit is lost, the store is asked until it tells. 4. The attempt is settled then: what the body does or raises
afterwards changes nothing. An error in the block rolls back, and the job fails by it. If the process dies before the
commit the job runs again; after it the job is completed.
"""

import asyncio
from collections.abc import Iterator
from threading import Event
from types import TracebackType
from typing import Any

from treadle.core.outcomes import Completed
from treadle.errors import ArgumentError, BlockingCall, ConfigError, StoreUnavailable
from treadle.log import Log
from treadle.runtime.attempt import Attempt, Interrupted
from treadle.runtime.patience import FIRST, MOST
from treadle.runtime.threads import shield
from treadle.stores.claim import APPLIED, Settled, Settlement
from treadle.stores.transactions import AsyncOpened, InDoubt, Opened, Transacts

_log = Log("treadle.jobs")

_UNSET = object()


class Transaction:
    """Of one attempt. `transacts` is None where the store shares no transactions."""

    def __init__(self, attempt: Attempt, owner: str, transacts: Transacts | None) -> None:
        self.result: Any = _UNSET
        self._attempt = attempt
        self._owner = owner
        self._transacts = transacts
        self._opened: Opened | None = None
        self._opened_async: AsyncOpened | None = None

    def __enter__(self) -> Any:  # noqa: ANN401 - a connection of the store's driver
        transacts = self._checked()
        _refuse_loop()
        self._opened = transacts.transact_now(self._owner)
        return self._opened.connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._opened = self._opened, None
        if opened is None:
            return
        if error is not None:
            opened.rollback()
            return
        try:
            settlement = self._settlement()
            shield(self._attempt)
        except BaseException:
            opened.rollback()
            raise
        try:
            self._attempt.settled = settlement, _complete(opened, settlement)
        finally:
            self._attempt.ending = False
            if self._lost or self._attempt.stop is not None:
                raise Interrupted

    async def __aenter__(self) -> Any:  # noqa: ANN401 - as above
        self._opened_async = await self._checked().transact(self._owner)
        return self._opened_async.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._opened_async = self._opened_async, None
        if opened is None:
            return
        if error is not None:
            await opened.rollback()
            return
        try:
            settlement = self._settlement()
        except BaseException:
            await opened.rollback()
            raise
        self._attempt.ending = True
        try:
            await _to_its_end(self._complete_async(opened, settlement))
        finally:
            self._attempt.ending = False
        if self._lost:
            raise asyncio.CancelledError

    async def _complete_async(self, opened: AsyncOpened, settlement: Settlement) -> None:
        self._attempt.settled = settlement, await _complete_async(opened, settlement)

    def _checked(self) -> Transacts:
        if self._transacts is None:
            raise ConfigError(
                "expected transaction() in a worker on PostgreSQL or on a file of SQLite, got a store that shares no "
                "transactions"
            )
        if self._attempt.settled is not None:
            raise ConfigError("expected one transaction() in a job, got another after the first has completed it")
        return self._transacts

    def _settlement(self) -> Settlement:
        handler, recorded = self._attempt.handler, self.result is not _UNSET
        if recorded != (handler.result is not None):
            wanted = "set" if handler.result is not None else "left alone, as it is not recorded"
            raise ConfigError(
                f'job "{handler.name}": expected the result of its transaction() to be {wanted}, got '
                f"{'one' if recorded else 'none'}"
            )
        outcome = handler.returned(self.result if recorded else None)
        if not isinstance(outcome, Completed):
            raise ArgumentError(f'job "{handler.name}": expected a result that can be kept, got {outcome!r:.200}')
        return Settlement(self._attempt.claim, outcome)

    @property
    def _lost(self) -> bool:
        return self._attempt.settled is not None and self._attempt.settled[1] != APPLIED


def complain(attempt: Attempt, error: BaseException | None) -> None:
    """Say that a body raised although its job is completed."""
    if error is not None and attempt.settled is not None and attempt.settled[1] == APPLIED:
        job = attempt.claim.job
        text = f"{type(error).__name__}: {error}"
        _log.warning("job %s (%s) raised after its transaction had completed it: %s", job.id, job.name, text)


def _complete(opened: Opened, settlement: Settlement) -> Settled:
    try:
        return opened.complete(settlement)
    except InDoubt as doubt:
        for pause in _pauses():
            try:
                answer = opened.ended(settlement)
            except StoreUnavailable:
                Event().wait(pause)
            else:
                return _known(answer, doubt)
        raise AssertionError("unreachable: it asks for ever") from doubt


async def _complete_async(opened: AsyncOpened, settlement: Settlement) -> Settled:
    try:
        return await opened.complete(settlement)
    except InDoubt as doubt:
        for pause in _pauses():
            try:
                answer = await opened.ended(settlement)
            except StoreUnavailable:
                await asyncio.sleep(pause)
            else:
                return _known(answer, doubt)
        raise AssertionError("unreachable: it asks for ever") from doubt


def _known(answer: Settled | None, doubt: InDoubt) -> Settled:
    if answer is None:
        raise StoreUnavailable(f"{doubt}: the block of transaction() was not committed") from doubt
    return answer


def _pauses() -> Iterator[float]:
    pause = FIRST
    while True:
        yield pause
        pause = min(2 * pause, MOST)


async def _to_its_end(step: Any) -> None:  # noqa: ANN401 - a coroutine
    """Wait for what must not be broken off, also where the waiting is."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        # Nobody else asks for it.
        task.exception()
        raise


def _refuse_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise BlockingCall(
        "with transaction() would block the event loop that runs on this thread: use async with transaction() there"
    )
