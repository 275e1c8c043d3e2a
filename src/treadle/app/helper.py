"""A helper process: runs the jobs whose executor is "process", one at a time, for the worker that started it.

`python -m treadle.app.helper REFERENCE LOG_FORMAT LOG_LEVEL DESCRIPTOR`; without a format logging is left as it is.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from contextvars import copy_context
from functools import partial
from typing import Any

from treadle.app.load import load_app
from treadle.app.treadle import Treadle
from treadle.core.job import Job
from treadle.core.outcomes import Outcome
from treadle.errors import ConfigError, UnknownJob
from treadle.hooks.current import enter
from treadle.hooks.logs import setup_logging
from treadle.runtime.handler import Handler
from treadle.runtime.processes import serve
from treadle.runtime.providers import Held, Provided, run_here
from treadle.supervise.clock import jitter

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Load the app and begin its lifespan, then run jobs until the worker closes the socket."""
    reference, log_format, log_level, descriptor = sys.argv[1:]
    _die_with_parent()
    if not reference:
        raise ConfigError(
            "expected the app of a process job to be a variable of a module, found none that has it: put it into one, "
            'or set app.reference to what makes it, as in "shop:create()"'
        )
    app = load_app(reference)
    app.load()
    setup_logging(log_format, log_level)
    with socket.socket(fileno=int(descriptor)) as sock, asyncio.Runner() as runner:
        lifespan = Held(app.living())
        runner.run(lifespan.__aenter__())
        serve(sock, lambda job: _perform(app, job, runner))
        runner.run(lifespan.__aexit__(None, None, None))


def _perform(app: Treadle, job: Job, runner: asyncio.Runner) -> Outcome:
    handler = app.resolve(job.name)
    if handler is None:
        raise UnknownJob(f'job "{job.name}" is not registered in the app that the helper process imported')
    context = copy_context()
    context.run(enter, job)
    try:
        return handler.returned(context.run(_call, handler, job, runner))
    except BaseException as error:  # noqa: BLE001 - user code: SystemExit and KeyboardInterrupt are failures too
        return handler.raised(job, error, jitter())


def _call(handler: Handler, job: Job, runner: asyncio.Runner) -> object:
    args, kwargs = handler.signature.load(job.args)
    body = partial(handler.function, *args, **kwargs)
    return run_here(Provided(job, {}, partial(_run, runner)).call(body, handler.sources))


def _run(runner: asyncio.Runner, coroutine: Coroutine[Any, Any, object]) -> object:
    return runner.run(coroutine, context=copy_context())


def _die_with_parent() -> None:
    """Where the kernel can: be killed with the worker, also in the middle of a job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    main()
