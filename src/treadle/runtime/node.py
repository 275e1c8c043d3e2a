"""The parent of worker processes: it runs no user code, beats for its children, and buries those that die.

Life: 1. It starts its children; until one of them was ready, a child that dies ends the node. 2. A child that has
imported its app is enrolled in the store, and only then claims. 3. The node beats for all of them, and kills one that
was fenced or that let a job's deadline pass by 10 s. 4. A child that dies by itself is buried: its group is killed, the
jobs that it ran are set aside, its other claims go back, and a new child takes its place. 5. Jobs that were set aside
run one at a time in a child that takes nothing else. 6. A child that is worn gives way to a new one. 7. A stop drains
the children; a second one kills them.
"""

import asyncio

from treadle.errors import StoreError, StoreUnavailable, TreadleError
from treadle.hooks.events import ChildKilled, ChildRecycled, NodeFailed
from treadle.runtime.burial import bury
from treadle.runtime.child import MARGIN, Child, Ready
from treadle.runtime.front import Front
from treadle.runtime.heart import BEATS_PER_LEASE
from treadle.runtime.patience import Patience
from treadle.runtime.place import Place
from treadle.runtime.plan import Plan
from treadle.runtime.recycling import Recycling
from treadle.runtime.serving import Serving
from treadle.runtime.staff import Staff
from treadle.runtime.stopping import Stopping
from treadle.runtime.upkeep import Upkeep
from treadle.stores.contract import Store

WATCH = 0.2
"""Seconds between two looks at the children."""

UNHURRIED = 10 * 365 * 86_400.0
"""Seconds that no job outlives: a worn child drains as long as its jobs take."""


class Node:
    """Runs a plan until it is stopped or, with `plan.drain`, until nothing is left to do. `run` gives the exit code."""

    def __init__(self, plan: Plan, staff: Staff) -> None:
        self._plan = plan
        self._staff = staff
        self._children: set[Child] = set()
        self._serving = Serving(plan, staff.node, self._children, staff.events)
        self._places: set[Place] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # None until a first child was ready.
        self._upkeep: Upkeep | None = None
        self._alone: asyncio.Task[None] | None = None
        self._next_look = 0.0
        self._quiet = False
        self._stopping = Stopping(staff.clock)
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
        return None if self._upkeep is None else self._upkeep.store

    async def run(self) -> int:
        """Start, and return when all has ended: 0, or 1 where no child could be made ready.

        Raises ConfigError where it cannot listen.
        """
        await self._front.open(self._staff.events)
        for index in range(self._plan.processes):
            self._keep(index)
        await self._ended.wait()
        await self._front.close()
        if self._upkeep is not None:
            await self._upkeep.close()
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
        self._stopping.begin(self._plan.grace + MARGIN)
        self._front.stopping()
        for child in self._children:
            child.dismiss()
        self._end_if_empty()

    def stop_now(self) -> None:
        """Stop what runs at once; it goes back untouched."""
        self._stopping.begin(0.0)
        self._front.stopping()
        for child in self._children:
            child.dismiss(0.0)
        self._end_if_empty()

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
            while not self._stopping.begun:
                again = await self._one(place)
                if not again or (place.alone and not await self._any_set_aside(unknown=True)):
                    return
                await self._stopping.rest(place.rest())
        finally:
            self._places.discard(place)

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
            if self._upkeep is None:
                raise
            self._staff.on_error(f"worker process {place.index}", error)
            return True

    async def _life(self, child: Child) -> bool:
        """One child from start to burial; whether its place shall be filled again."""
        await child.start(self._staff.command)
        self._children.add(child)
        if self._stopping.begun:
            child.dismiss(0.0)
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
            upkeep = self._upkeep or await self._open(ready)
        owner = self._staff.name_owner(child.pid)
        while True:
            try:
                await upkeep.heart.add(owner, child.page)
            except StoreError as error:
                if self._stopping.begun:
                    return False
                await self._patience.wait(error)
            else:
                self._patience.reset()
                self._serving.welcome(child, owner, quiet=self._quiet)
                self._front.ready()
                return True

    async def _open(self, ready: Ready) -> Upkeep:
        """The first child told us where the store is."""
        store = self._staff.open_store(ready.url)
        upkeep = Upkeep(store, self._plan, self._staff, self._serving, fenced=self._fenced, forgotten=self._forgotten)
        try:
            steps = [("watch", self._watch, WATCH), *self._front.steps()]
            await upkeep.open(self._serving.open(ready), ready.crons, steps)
        except BaseException:
            await upkeep.close()
            store.close()
            raise
        self._upkeep = upkeep
        self._front.opened(store)
        return upkeep

    async def _listen(self, child: Child) -> None:
        while (message := await child.receive()) is not None:
            match message["kind"]:
                case "attempts":
                    self._front.attempts(message["delta"])
                case "pulse":
                    child.pulses.heard(message["pulse"])
                case "recycle":
                    child.recycled = True
                    child.dismiss()
                case "leave":
                    child.leaving = True
                    child.dismiss()
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
        if self._upkeep is None:
            self.code = 1
            self.stop()
        elif child.owner is not None:
            self._upkeep.heart.remove(child.owner)
            discarded = await bury(
                self._upkeep.store,
                child,
                code,
                events=self._staff.events,
                patience=self._patience,
                jitter=self._staff.jitter,
                give_up=self._stopping.no_time_left,
            )
        self._serving.left(child)
        self._next_look = 0.0
        before, more = self.tally, child.page.tally
        self.tally = before[0] + more[0], before[1] + more[1], before[2] + more[2] + discarded

    def _fill_again(self, child: Child, code: int) -> bool:
        if self._stopping.begun or child.outgoing or (child.leaving and not child.recycled):
            return False
        return not child.alone or code != 0

    async def _any_set_aside(self, *, unknown: bool) -> bool:
        return self._upkeep is not None and await self._upkeep.any_set_aside(unknown=unknown)

    async def _watch(self) -> float | None:
        now = self._staff.clock.steady()
        for child in self._children:
            mark = child.overdue(now)
            if mark and not child.killed:
                child.overdue_mark = mark
                self._kill(child, "a job let its time-out pass and could not be stopped")
        if self._stopping.begun or self._upkeep is None:
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
                child.dismiss()
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
        if self._upkeep is None or len(owners) < len(self._children):
            return False
        return await self._upkeep.drained(owners)
