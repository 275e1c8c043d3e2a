"""The names of the keys that the Redis store reads and writes: Sidekiq's, and our own below `treadle:`."""

# Completions are counted by so many seconds, each in one of so many keys that are used in turn.
DONE_SLOT = 10
_DONE_KEYS = 8


def encode(name: str) -> bytes:
    """A name's bytes; foreign names that are no UTF-8 come through unchanged."""
    return name.encode("utf-8", "surrogateescape")


def decode(name: bytes) -> str:
    """The name that `encode` takes back."""
    return name.decode("utf-8", "surrogateescape")


class Keys:
    """Every key of one store, with its namespace before it as the redis-namespace gem and Exq put it."""

    def __init__(self, namespace: str) -> None:
        self._prefix = encode(f"{namespace}:") if namespace else b""
        self.queues = self._prefix + b"queues"
        self.schedule = self._prefix + b"schedule"
        self.retry = self._prefix + b"retry"
        self.dead = self._prefix + b"dead"
        # The queues of which nobody takes jobs: Sidekiq Pro's set, which Sidekiq 8 shows as well (api.rb, SISMEMBER).
        self.paused = self._prefix + b"paused"
        self.processes = self._prefix + b"processes"
        # What workers are told at once: a stream whose entries have one field, `order`.
        self.orders = self._prefix + b"treadle:orders"
        # Sets of processes, and what their hashes' keys begin with. Without a namespace Exq's begin with a colon.
        self.shown = [(self.processes, self._prefix), *([] if namespace else [(b":processes", b":")])]
        # How many jobs of each queue were completed, by queue, in the ten seconds that are this key's turn.
        self.done = [self._prefix + b"treadle:done:%d" % number for number in range(_DONE_KEYS)]
        self.owners = self._prefix + b"treadle:owners"
        self.fenced = self._prefix + b"treadle:fenced"
        self.leaving = self._prefix + b"treadle:leaving"
        # Every owner that enrolled and may still hold something, also where it was deleted from the others by hand.
        self.holders = self._prefix + b"treadle:holders"
        # The crontab by the entries' names: what they say, when they tick, their last tick, when code last declared
        # them; and which of them are paused, or changed by a person.
        parts = (b"", b":schedules", b":ticks", b":seen", b":paused", b":changed")
        self.crons = [self._prefix + b"treadle:crons" + part for part in parts]
        self.cron_ticks, self.cron_paused = self.crons[2], self.crons[4]
        self._queue = self._prefix + b"queue:"
        self._suspended = self._prefix + b"treadle:suspended:"
        self._settled = self._prefix + b"treadle:settled:"
        self._result = self._prefix + b"treadle:result:"
        # Only these wake a watch: a claim looks at its owner's keys too, which change with every settlement.
        self.waking = (self._queue, self._suspended, self._result, self.paused)

    def queue(self, name: str) -> bytes:
        """The list of a queue: newest at the left, next at the right."""
        return self._queue + encode(name)

    def suspended(self, name: str) -> bytes:
        """The list of a queue's jobs that run alone, as `deaths NUL payload`."""
        return self._suspended + encode(name)

    def inflight(self, owner: str) -> bytes:
        """The hash of an owner's claims: token to `queue NUL deaths NUL payload`."""
        return self._prefix + b"treadle:inflight:" + encode(owner)

    def cancel(self, owner: str) -> bytes:
        """The set of an owner's tokens whose jobs somebody wants cancelled."""
        return self._prefix + b"treadle:cancel:" + encode(owner)

    def settled(self, token: str) -> bytes:
        """The mark of the claim call that lent this token: the last digits of its tokens that were settled lately."""
        return self._settled + token[:-5].encode()

    def result(self, jid: str) -> bytes:
        """How a job ended, kept for a day."""
        return self._result + encode(jid)

    def unique(self, token: str) -> tuple[bytes, bytes]:
        """The lock of a unique job, as Exq names it; and the text of that job while it waits and may be changed."""
        return self._prefix + b"unique:" + encode(token), self._prefix + b"treadle:unique:" + encode(token)

    def operation(self, name: str) -> bytes:
        """Stands for 10 s after the insert of this name."""
        return self._prefix + b"treadle:op:" + name.encode()

    def process(self, owner: str) -> tuple[bytes, bytes, bytes, bytes]:
        """What Sidekiq's Web reads of a process: its hash, its jobs (6.5 and later, before), its signals."""
        identity = self._prefix + encode(owner)
        return identity, identity + b":work", identity + b":workers", identity + b"-signals"

    def counters(self, days: tuple[str, str]) -> list[bytes]:
        """The six counters that a settlement may touch, in the order of the scripts; days as YYYY-MM-DD."""
        names = ["", *(f":{day}" for day in days)]
        return [self._prefix + f"stat:{kind}{name}".encode() for name in names for kind in ("processed", "failed")]
