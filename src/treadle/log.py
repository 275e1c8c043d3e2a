"""Loggers whose handlers cannot break what they are told of, and whose lines no terminal obeys."""

import contextlib
import logging
import traceback
from typing import Any

from treadle.core.printable import block


class Log(logging.LoggerAdapter[logging.Logger]):
    """The logger of this name. What a handler raises is printed where Python prints it for its own handlers."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name), {})

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log; never raises. Texts and errors among `args` may be foreign: what is not printable is escaped."""
        try:
            if self.isEnabledFor(level):
                safe = (block(str(arg)) if isinstance(arg, str | BaseException) else arg for arg in args)
                self.logger.log(level, msg, *safe, stacklevel=2, **kwargs)
        except Exception:  # noqa: BLE001 - user code: a handler, a filter or a formatter
            with contextlib.suppress(Exception):
                # Standard error may be full, too.
                traceback.print_exc()
