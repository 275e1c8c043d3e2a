"""The conformance suite: what any store must do, as checks that a store's author runs on his own.

    from treadle.testing.conformance import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check):
        asyncio.run(check(MyPlace()))

where MyPlace is an empty `Place`. A check returns, or raises BrokenPromise with the promise that was not kept. Owners
of a few tenths of a second are enrolled, so a place whose clock cannot be moved waits about that long in `elapse`.
"""

from collections.abc import Callable, Coroutine
from inspect import getmembers, iscoroutinefunction
from types import ModuleType

from treadle.testing.checks import (
    activity,
    borrowing,
    claiming,
    controlling,
    crons,
    finding,
    inspecting,
    once,
    owning,
    producing,
    settling,
    uniqueness,
)
from treadle.testing.checks.bench import BrokenPromise, Place

__all__ = ["CHECKS", "BrokenPromise", "Check", "Place"]

Check = Callable[[Place], Coroutine[None, None, None]]


def _checks_of(module: ModuleType) -> list[Check]:
    return [
        function
        for name, function in getmembers(module, iscoroutinefunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    ]


CHECKS: tuple[Check, ...] = tuple(
    check
    for module in (
        producing,
        borrowing,
        claiming,
        settling,
        owning,
        once,
        inspecting,
        finding,
        activity,
        controlling,
        crons,
        uniqueness,
    )
    for check in _checks_of(module)
)
"""Every promise, each on a place of its own."""
