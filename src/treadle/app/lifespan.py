"""What an app opens before a worker process runs its jobs, and closes after them."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import AsyncGeneratorType
from typing import Any

from treadle.errors import ConfigError
from treadle.log import Log

_log = Log("treadle.worker")

# An async generator that yields once, or what `asynccontextmanager` makes of one; takes the app, or nothing.
Lifespan = Callable[..., AsyncIterator[Any] | AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def living(lifespan: Lifespan | None, app: object) -> AsyncIterator[None]:
    """Within the block what `lifespan` opens is open.

    What it raises at its start comes through; what it raises at its end is logged, for the jobs have been settled.
    """
    if lifespan is None:
        yield
        return
    manager = _manager(lifespan, app)
    await manager.__aenter__()
    try:
        yield
    finally:
        try:
            # Like a web framework's: however the worker ended, this is told nothing, and need not write `finally`.
            await manager.__aexit__(None, None, None)
        except Exception:  # noqa: BLE001 - user code
            _log.exception("the end of the lifespan %s failed", _name(lifespan))


def _manager(lifespan: Lifespan, app: object) -> AbstractAsyncContextManager[Any]:
    made: Any = lifespan(app) if inspect.signature(lifespan).parameters else lifespan()
    if isinstance(made, AsyncGeneratorType):
        return asynccontextmanager(lambda: made)()
    if isinstance(made, AbstractAsyncContextManager):
        return made
    if inspect.iscoroutine(made):
        made.close()
    raise ConfigError(
        f"expected the lifespan {_name(lifespan)} to be an async generator, got {made!r:.80}; let it yield once"
    )


def _name(lifespan: Lifespan) -> str:
    return getattr(lifespan, "__qualname__", None) or f"{lifespan!r:.80}"
