"""What the signals of a terminal, an init system and an operator do to a node."""

import asyncio
import signal
from functools import partial
from typing import Protocol

from treadle.log import Log
from treadle.runtime.traces import stacks

_log = Log("treadle.processes")

STOPPING = ("TERM", "INT", "HUP", "QUIT")
IGNORABLE = ("INT", "HUP", "QUIT")
"""What `nohup` and a shell that starts in the background set to be ignored; it stays ignored."""


class Worked(Protocol):
    """What is told of signals: a node, or what stands for one."""

    def stop(self) -> None:
        """Drain."""
        ...

    def stop_now(self) -> None:
        """Stop what runs at once."""
        ...

    def quiet(self) -> None:
        """Claim no more."""
        ...

    def show_stacks(self) -> None:
        """Log the stacks of every process."""
        ...


class Signals:
    """Hands signals on to a node. `interrupted` is set by INT."""

    def __init__(self, node: Worked) -> None:
        self._node = node
        self._stopping = False
        self.interrupted = False

    def listen(self) -> None:
        """Take over the signals of this process, on the running loop."""
        loop = asyncio.get_running_loop()
        for name in STOPPING:
            number = signal.Signals[f"SIG{name}"]
            if name not in IGNORABLE or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, partial(self._stop, name))
        loop.add_signal_handler(signal.SIGTSTP, self._quiet)
        loop.add_signal_handler(signal.SIGTTIN, self._show_stacks)

    def _stop(self, name: str) -> None:
        self.interrupted = self.interrupted or name == "INT"
        if self._stopping:
            _log.warning("%s again: stopping now", name)
            self._node.stop_now()
            return
        self._stopping = True
        _log.info("%s: draining; once more stops now", name)
        self._node.stop()

    def _quiet(self) -> None:
        _log.info("TSTP: claiming no more")
        self._node.quiet()

    def _show_stacks(self) -> None:
        _log.warning("stacks of this process:\n%s", stacks())
        self._node.show_stacks()
