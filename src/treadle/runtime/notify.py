"""Tells systemd how a service does, over the socket that NOTIFY_SOCKET names; without it nothing is told.

Type=notify then knows when the node works, and WatchdogSec= when it stands still.
"""

import os
import socket
from collections.abc import MutableMapping

from treadle.log import Log

_log = Log("treadle.processes")


class Notifier:
    """`watchdog` is how many seconds of silence systemd takes for death; None where it does not watch."""

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        # A socket of the abstract namespace begins with a zero byte, which is written as @.
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self.watchdog = watchdog
        self._ready = False

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """Take the variables out, so that no process that jobs start speaks for the node."""
        address = environment.pop("NOTIFY_SOCKET", None)
        microseconds = environment.pop("WATCHDOG_USEC", "")
        ours = environment.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = ours and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, int(microseconds) / 1_000_000 if watched else None)

    def ready(self) -> None:
        """The node takes jobs; told once."""
        if not self._ready:
            self._ready = True
            self._tell(f"READY=1\nMAINPID={os.getpid()}")

    def alive(self) -> None:
        """The node makes progress."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The node has begun to end."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.setblocking(False)
                line.sendto(text.encode(), self._address)
        except OSError as error:
            _log.warning("could not tell systemd %s: %s", text.partition("\n")[0], error)
