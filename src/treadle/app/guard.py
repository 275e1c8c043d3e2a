"""While treadle imports the module of an app, for a worker process or a command, that module must not act."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from treadle.errors import ConfigError

_imported: ContextVar[str | None] = ContextVar("treadle_imported", default=None)


@contextmanager
def importing(module: str) -> Iterator[None]:
    """Treadle imports this module meanwhile."""
    token = _imported.set(module)
    try:
        yield
    finally:
        _imported.reset(token)


def refuse_while_importing(call: str) -> None:
    """Raise ConfigError if the calling code runs because treadle imports it: each worker process would do it again."""
    module = _imported.get()
    if module is not None:
        raise ConfigError(
            f"expected {call} to be called by the program that you start, got a call while treadle imports {module} "
            f'for a worker process or a command; put it under if __name__ == "__main__":'
        )
