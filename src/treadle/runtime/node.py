"""The parent of worker processes: it runs no user code, beats for its children, and buries those that die.

Life: 1. It starts its children; until one of them was ready, a child that dies ends the node. 2. A child that has
imported its app is enrolled in the store, and only then claims. 3. The node beats for all of them, and kills one that
was fenced or that let a job's deadline pass by 10 s. 4. A child that dies by itself is buried: its group is killed, the
jobs that it ran are set aside, its other claims go back, and a new child takes its place. 5. Jobs that were set aside
run one at a time in a child that takes nothing else. 6. A child that is worn gives way to a new one. 7. A stop drains
the children; a second one kills them.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import inf

import msgspec

from treadle.core.clock import Clock
from treadle.core.cron_entry import CronEntry
from treadle.errors import StoreError, StoreUnavailable, TreadleError
from treadle.hooks.events import ChildKilled, ChildRecycled, Events, NodeFailed
from treadle.runtime.burial import bury
from treadle.runtime.child import Child, Ready
from treadle.runtime.courier import Courier
from treadle.runtime.drain import Drain
from treadle.runtime.front import Front
from treadle.runtime.heart import BEATS_PER_LEASE, Heart
from treadle.runtime.notify import Notifier
from treadle.runtime.patience import Patience
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan
from treadle.runtime.recycling import Recycling
from treadle.runtime.safety import check_company, check_store
from treadle.runtime.serving import Serving
from treadle.stores.contract import Store
from treadle.supervise.periodic import OnError, Periodic

WATCH = 0.2
MARGIN = 5.0
UNHURRIED = 10 * 365 * 86_400.0
"""Seconds that no job outlives: a worn child drains as long as its jobs take."""


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is given by whoever puts it together.

    `node` is what it is called, `host:pid`; `command` starts a child; `open_store` opens the store that a URL names;
    `services` makes what runs beside.
    """

    node: str
    command: Sequence[str]
    open_store: Callable[[str], Store]
    services: Callable[[Store, Sequence[CronEntry]], list[Periodic]]
    name_owner: Callable[[int], str]
    events: Events
    clock: Clock
    jitter: Callable[[], float]
    on_error: OnError
    notifier: Notifier


class Node:
    """Runs a plan until it is stopped or, with `plan.drain`, until nothing is left to do. `run` gives the exit code."""

    def __init__(self, plan: Plan, staff: Staff) -> None:
        self._plan = plan
        self._staff = staff
        self._children: set[Child] = set()
        self._serving = Serving(plan, staff.node, self._children)
        self._places: set[Place] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._store: Store | None = None
        self._heart: Heart | None = None
        self._courier: Courier | None = None
        self._periodics: list[Periodic] = []
        self._alone: asyncio.Task[None] | None = None
        self._next_look = 0.0
        self._drain: Drain | None = None
        self._quiet = False
        self._stopping = False
        self._stop_asked = asyncio.Event()
        self._last_chance = inf
        self._ended = asyncio.Event()
        self._first = asyncio.Lock()
        self._patience = Patience(staff.clock, staff.events, staff.jitter)
        self._recycling = Recycling(plan)
        self._front = Front(plan, staff.clock, self._places, staff.notifier)
        self.code = 0
        self.failure: BaseException | None = None
        self.tally = (0, 0, 0)

    @property
    def store(self) -> Store | None:
        """The store of its app; None until a first child was ready."""
        return self._store

    async def run(self) -> int:
        """Start, and return when all has ended: 0, or 1 where no child could be made ready.

        Raises ConfigError where it cannot listen.
        """
        await self._front.open(self._staff.events)
        for index in range(self._plan.processes):
            self._keep(index)
        await self._ended.wait()
        await self._front.close()
        if self._courier is not None:
            await self._courier.stop()
        await asyncio.gather(*(periodic.stop() for periodic in self._periodics))
        if self._store is not None:
            await self._store.aclose()
        return self.code

    def quiet(self) -> None:
        """Claim no more, nor let those claim that take the place of others; what runs goes on."""
        self._quiet = True
        for child in self._children:
            child.send("quiet")

    def show_stacks(self) -> None:
        """Have every child log the stacks of its threads and tasks."""
        for child in self._children:
            child.send("stacks")

    def stop(self) -> None:
        """Drain every child for the plan's grace; those that take longer are killed."""
        self._begin_to_stop(self._plan.grace + MARGIN)
        for child in self._children:
            self._dismiss(child)
        self._end_if_empty()

    def stop_now(self) -> None:
        """Stop what runs at once; it goes back untouched."""
        self._begin_to_stop(0.0)
        for child in self._children:
            self._dismiss(child, grace=0.0)
        self._end_if_empty()

    def _begin_to_stop(self, patience: float) -> None:
        """From now on no place is filled again, and after so many seconds no store is waited for."""
        self._stopping = True
        self._stop_asked.set()
        self._front.stopping()
        self._last_chance = min(self._last_chance, self._staff.clock.steady() + patience)

    def _no_time_left(self) -> bool:
        return self._staff.clock.steady() >= self._last_chance

    def _dismiss(self, child: Child, grace: float | None = None) -> None:
        child.leaving = True
        allowed = self._plan.grace if grace is None else grace
        child.send("drain", grace=allowed)
        asyncio.get_running_loop().call_later(allowed + MARGIN, self._lose_patience, child)

    def _lose_patience(self, child: Child) -> None:
        if child in self._children:
            child.kill("it did not end within its grace")

    def _keep(self, index: int, *, alone: bool = False) -> "asyncio.Task[None]":
        place = Place(index, self._staff.clock, alone=alone)
        task = asyncio.create_task(self._staffed(place), name=f"treadle child {index}")
        self._tasks.add(task)
        task.add_done_callback(self._left)
        return task

    def _left(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task is self._alone:
            self._alone = None
        if not task.cancelled() and (error := task.exception()) is not None:
            text = str(error) if isinstance(error, TreadleError) else f"{type(error).__name__}: {error}"
            self._staff.events.emit(NodeFailed(error=text))
            self.failure = error
            self.code = 1
            self.stop()
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if not self._tasks:
            self._ended.set()

    async def _staffed(self, place: Place) -> None:
        """Keep a place filled."""
        self._places.add(place)
        try:
            while not self._stopping:
                again = await self._one(place)
                if not again or (place.alone and not await self._any_set_aside(unknown=True)):
                    return
                await self._rest(place.rest())
        finally:
            self._places.discard(place)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop_asked.wait()
        except TimeoutError:
            return

    async def _one(self, place: Place) -> bool:
        """One child; whether its place shall be filled again."""
        try:
            child = Child(place.index, self._plan, alone=place.alone)
            if place.children:
                self._front.count("restarts")
            place.enter(child)
            try:
                return await self._life(child)
            finally:
                place.leave(child)
                child.page.close()
        except (StoreUnavailable, OSError) as error:
            # No store for its burial; or no files, processes or memory for a new one. Both may come back.
            if self._heart is None:
                raise
            self._staff.on_error(f"worker process {place.index}", error)
            return True

    async def _life(self, child: Child) -> bool:
        """One child from start to burial; whether its place shall be filled again."""
        await child.start(self._staff.command)
        self._children.add(child)
        if self._stopping:
            self._dismiss(child, grace=0.0)
        try:
            if await self._welcome(child):
                await self._listen(child)
            code = await child.exited()
        except BaseException:
            child.kill("its parent could not go on with it")
            # A script goes on, and would keep its entry and the line to it.
            await child.exited()
            raise
        finally:
            self._children.discard(child)
        await self._after(child, code)
        return self._fill_again(child, code)

    async def _welcome(self, child: Child) -> bool:
        """Wait until it is ready, enrol it and let it claim."""
        ready = await child.ready()
        if ready is None:
            return False
        async with self._first:
            heart = self._heart or await self._open(ready)
        owner = self._staff.name_owner(child.pid)
        while True:
            try:
                await heart.add(owner, child.page)
            except StoreError as error:
                if self._stopping:
                    return False
                await self._patience.wait(error)
            else:
                self._patience.reset()
                self._serving.welcome(child, owner, quiet=self._quiet)
                self._front.ready()
                return True

    async def _open(self, ready: Ready) -> Heart:
        """The first child told us where the store is."""
        self._store = self._staff.open_store(ready.url)
        await self._store.open()
        await check_store(self._store, self._staff.events, unsafe=self._plan.unsafe)
        await check_company(self._store, self._serving.open(ready), self._plan.share)
        self._courier = Courier(self._store, self._serving.obey, self._staff.on_error)
        await self._courier.open()
        self._courier.start()
        self._front.opened(self._store)
        self._heart = Heart(
            self._store,
            self._plan.lease,
            self._staff.clock,
            self._staff.events,
            fenced=self._fenced,
            forgotten=self._forgotten,
        )
        self._periodics = self._staff.services(self._store, ready.crons)
        if self._plan.drain:
            await self._store.stage(1_000_000)
            self._drain = Drain(self._store, self._plan.lease, self._staff.clock)
        every = (("heart", self._heart.beat, self._heart.every), ("watch", self._watch, WATCH))
        for name, step, seconds in (*every, *self._front.steps()):
            periodic = Periodic(name, step, every=seconds, jitter=self._staff.jitter, on_error=self._staff.on_error)
            self._periodics.append(periodic)
        for periodic in self._periodics:
            periodic.start()
        return self._heart

    async def _listen(self, child: Child) -> None:
        while (message := await child.receive()) is not None:
            match message["kind"]:
                case "attempts":
                    self._front.attempts(message["delta"])
                case "recycle":
                    child.recycled = True
                    self._dismiss(child)
                case "leave":
                    child.leaving = True
                    self._dismiss(child)
                case "held":
                    self._serving.heard(child, message["number"], message["held"])
                case "fenced":
                    self._fenced(message["owner"])

    def _fenced(self, owner: str) -> None:
        for child in self._children:
            if child.owner == owner:
                self._front.count("fenced", 0 if child.killed else 1)
                self._kill(child, "it was declared dead while it lived")

    def _forgotten(self, owner: str) -> None:
        for child in self._children:
            if child.owner == owner:
                child.send("forgotten")

    def _kill(self, child: Child, reason: str) -> None:
        self._staff.events.emit(ChildKilled(owner=child.owner or "", pid=child.pid, reason=reason))
        child.kill(reason)

    async def _after(self, child: Child, code: int) -> None:
        discarded = 0
        if child.outgoing:
            child.leaving |= code == 0
            for successor in self._serving.beside(child):
                successor.join()
        if self._store is not None and child.owner is not None and self._heart is not None:
            self._heart.remove(child.owner)
            discarded = await bury(
                self._store,
                child,
                code,
                events=self._staff.events,
                patience=self._patience,
                jitter=self._staff.jitter,
                give_up=self._no_time_left,
            )
        elif self._heart is None:
            self.code = 1
            self.stop()
        self._serving.left(child)
        self._next_look = 0.0
        before, more = self.tally, child.page.tally
        self.tally = before[0] + more[0], before[1] + more[1], before[2] + more[2] + discarded

    def _fill_again(self, child: Child, code: int) -> bool:
        if self._stopping or child.outgoing or (child.leaving and not child.recycled):
            return False
        return not child.alone or code != 0

    async def _any_set_aside(self, *, unknown: bool) -> bool:
        """Whether jobs wait to run alone; `unknown` where the store does not say."""
        try:
            return self._store is not None and await self._store.set_aside(self._serving.active) > 0
        except StoreError:
            return unknown

    async def _watch(self) -> float | None:
        now = self._staff.clock.steady()
        for child in self._children:
            mark = child.overdue(now)
            if mark and not child.killed:
                child.overdue_mark = mark
                self._kill(child, "a job let its time-out pass and could not be stopped")
        if self._stopping or self._store is None:
            return None
        self._recycle()
        if not (self._plan.drain or self._alone or now >= self._next_look):
            return None
        # Those that this node sets aside are seen at once; this is for those of others.
        self._next_look = now + 2 * self._plan.lease / BEATS_PER_LEASE
        if await self._any_set_aside(unknown=False):
            self._alone = self._alone or self._keep(self._plan.processes, alone=True)
            return None
        for child in self._children:
            if child.alone and child.owner and not child.leaving and not any(child.page.marks):
                self._dismiss(child)
        if await self._drained():
            self.stop()
        return None

    def _recycle(self) -> None:
        relieved = self._recycling.relieve(self._children)
        if relieved is not None:
            relieved.send("drain", grace=UNHURRIED)
        chosen = self._recycling.choose(self._children)
        if chosen is not None:
            child, reason = chosen
            self._staff.events.emit(ChildRecycled(owner=child.owner or "", pid=child.pid, reason=reason))
            self._front.count("restarts")
            self._keep(child.index)

    async def _drained(self) -> bool:
        owners = [child.owner for child in self._children if child.owner]
        if self._drain is None or len(owners) < len(self._children):
            return False
        return await self._drain.finished(owners, self._serving.active)
