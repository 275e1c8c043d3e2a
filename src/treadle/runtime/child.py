"""A worker process as its parent sees it: started, made ready, watched, and buried.

It runs in a session of its own, so that a terminal's signals reach the parent alone and that its whole group, helper
processes with it, can be killed.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from treadle.core.cron_entry import CronEntry
from treadle.runtime.channel import Channel
from treadle.runtime.page import Page, new_page
from treadle.runtime.plan import Plan
from treadle.runtime.pulses import Kept
from treadle.runtime.slots import Group

MARGIN = 5.0
"""Seconds that a process may take to end when the grace of its jobs is over."""


class Ready(msgspec.Struct, frozen=True):
    """What a child says when it has imported its app: the store's URL, the queues that its jobs name, its crontab.

    `tells` are the names of the jobs that have an `on_discard`.
    """

    url: str
    queues: tuple[str, ...]
    crons: tuple[CronEntry, ...] = ()
    tells: frozenset[str] = frozenset()


class Child:
    """One worker process. `owner` is set when it is enrolled; `killed` says why we killed it, if we did.

    `served` counts how often it was told what to serve. `leaving` is set when it was told to end, `recycled` when it
    asked to be replaced, `outgoing` when another is to take its place.
    """

    def __init__(self, index: int, plan: Plan, *, alone: bool) -> None:
        self.index = index
        self.alone = alone
        self.owner: str | None = None
        self.tells: frozenset[str] = frozenset()
        self.killed: str | None = None
        self.overdue_mark = 0
        self.leaving = False
        self.recycled = False
        self.outgoing = False
        self.served = 0
        self._plan = plan
        self.slots = 1 if alone else plan.slots(index)
        self.page: Page = new_page(self.slots)
        self.pulses = Kept()
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running.pid

    async def start(self, command: Sequence[str]) -> None:
        """Start the process; it finds its end of the line and the page by their descriptors' numbers."""
        ours, theirs = socket.socketpair()
        with theirs:
            fds = (theirs.fileno(), self.page.fd)
            self._process = await asyncio.create_subprocess_exec(
                *command,
                *map(str, fds),
                pass_fds=fds,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel = await Channel.over(ours)
        self._channel.send(
            "plan", index=self.index, alone=self.alone, slots=self.page.slots, plan=msgspec.to_builtins(self._plan)
        )

    async def ready(self) -> Ready | None:
        """Wait until it has imported its app; None where it ended instead."""
        message = await self.receive()
        if message is None:
            return None
        ready = msgspec.convert(message, Ready)
        self.tells = ready.tells
        return ready

    def go(self, owner: str, node: str, *, apart: bool, quiet: bool) -> None:
        """Let it claim as this owner, which is enrolled, what it was told to serve.

        `apart` until `join` nothing under a limit of the node, `quiet` nothing at all.
        """
        self.owner = owner
        self.send("go", owner=owner, node=node, apart=apart, quiet=quiet)

    def serve(self, groups: Sequence[Group], paused: Collection[str]) -> None:
        """Let it claim for these groups from now on, but nothing of the queues that are paused.

        It answers "held" with the claims that it holds of the queues that are `own`, and again with each that it gives
        back while it holds more of one than its part.
        """
        self.slots = sum(group.limit for group in groups)
        self.page.grow(self.slots)
        self.served += 1
        self.send("serve", number=self.served, groups=msgspec.to_builtins(groups), paused=sorted(paused))

    def join(self) -> None:
        """Let it claim everything: the one that it succeeds has ended."""
        self.send("join")

    def send(self, kind: str, **values: Any) -> None:
        """Send it a message."""
        if self._channel is not None:
            self._channel.send(kind, **values)

    async def receive(self) -> dict[str, Any] | None:
        """Its next message; None when it has ended."""
        return None if self._channel is None else await self._channel.receive()

    async def exited(self) -> int:
        """Wait for its end; its exit code, negative for a signal. What is left of its group is killed."""
        code = await self._running.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._channel is not None:
            await self._channel.close()
        return code

    def dismiss(self, grace: float | None = None) -> None:
        """Let it drain for so many seconds, as its plan says with None; it is killed where it takes longer."""
        self.leaving = True
        allowed = self._plan.grace if grace is None else grace
        self.send("drain", grace=allowed)
        asyncio.get_running_loop().call_later(allowed + MARGIN, self._lose_patience)

    def kill(self, reason: str) -> None:
        """Kill it and everything that it started."""
        self.killed = self.killed or reason
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def overdue(self, now: float) -> int:
        """The mark of a job whose deadline passed so long ago that its process must be stuck; 0 where there is none."""
        deadline, mark = self.page.overdue
        return mark if deadline and now > deadline + self._plan.overrun else 0

    def _lose_patience(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self.kill("it did not end within its grace")

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the child was not started")
        return self._process
