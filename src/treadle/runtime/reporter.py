"""Shows a worker process to dashboards, looks after its claims, and obeys what dashboards ask of it."""

from collections import Counter
from collections.abc import Callable

from treadle.runtime.worker import Worker
from treadle.stores.contract import Reports
from treadle.stores.views import OwnerReport
from treadle.supervise.periodic import OnError, Periodic


class Reporter:
    """`signalled` is called with the name of every signal that a dashboard sent: TSTP, TERM or TTIN.

    Without it the worker is embedded: what dashboards ask of the process is nothing that it could do.
    """

    def __init__(
        self, store: Reports, worker: Worker, node: str, started: float, signalled: Callable[[str], None] | None = None
    ) -> None:
        self._store = store
        self._node = node
        self._worker = worker
        self._started = started
        self._signalled = signalled
        self._told: Counter[str] = Counter()
        self._periodic: Periodic | None = None
        self._hastened = False
        self.quiet = False

    def periodic(self, every: float, jitter: Callable[[], float], on_error: OnError) -> Periodic:
        """Report now and each `every` seconds."""
        self._periodic = Periodic("reporter", self.step, every=every, jitter=jitter, on_error=on_error)
        return self._periodic

    def hasten(self) -> None:
        """Do it now: somebody wants a running job cancelled, or what is shown has changed."""
        self._hastened = True
        if self._periodic is not None:
            self._periodic.hasten()

    async def step(self) -> None:
        """Report once, audit once: a look at the claims waits for a claim call that is open, a dashboard need not."""
        hastened, self._hastened = self._hastened, False
        await self._report()
        await self._worker.audit(hastened=hastened)

    async def _report(self) -> None:
        completed, retried, discarded = self._worker.tally
        done, slots = self._worker.done - self._told, self._worker.slots
        report = OwnerReport(
            owner=self._worker.owner,
            queues=slots.queues,
            concurrency=slots.limit,
            running=self._worker.running,
            quiet=self.quiet,
            started=self._started,
            rss=self._worker.weigh(),
            completed=completed,
            failed=retried + discarded,
            embedded=self._signalled is None,
            done=done,
            node=self._node,
            limits=slots.limits,
            paused=tuple(sorted(slots.paused)),
        )
        signals = await self._store.report(report)
        self._told += done
        for signal in signals:
            if self._signalled is not None:
                self._signalled(signal)
