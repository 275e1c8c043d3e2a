"""The machine on each store: how its time is moved, and how others reach what it keeps."""

from abc import abstractmethod
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import psycopg

from tests.stores.machine.neighbours import StoreMachine
from tests.stores.model import FOREIGN, Model, RedisModel
from tests.stores.places import (
    FOREIGN_CANCEL,
    NOON,
    ManualClock,
    Postgres,
    SqliteFile,
    beside,
    make_older,
    move_time,
    take_away,
)
from tests.stores.redis_desk import peer
from treadle.stores.oban import stamp
from treadle.stores.redis import RedisStore
from treadle.stores.sqlite import SqliteStore
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import LendingPlace

# What a node of Oban's writes; when and who it is each engine says in its own way.
CLAIM = "UPDATE oban_jobs SET state = 'executing', attempt = attempt + 1"


class SqlMachine(StoreMachine):
    """Oban's table, on which others say what they do in SQL."""

    @abstractmethod
    def say(self, statement: str, *values: str) -> None:
        """Run a statement of another program's."""

    def meddle(self, job_id: str) -> None:
        self.model.cancel_outside(job_id)
        self.say(FOREIGN_CANCEL, job_id)

    def hand_out(self, job_id: str) -> None:
        self.model.hand_out(job_id)
        self.say("UPDATE oban_jobs SET state = 'available' WHERE id = ?", job_id)

    def give_up(self, job_id: str) -> None:
        self.model.give_up(job_id)
        self.say("UPDATE oban_jobs SET state = 'discarded' WHERE id = ?", job_id)

    def delete_row(self, job_id: str) -> None:
        self.model.delete_row(job_id)
        self.say("DELETE FROM oban_jobs WHERE id = ?", job_id)

    def complete_outside(self, job_id: str) -> None:
        self.model.complete_outside(job_id)
        self.say("UPDATE oban_jobs SET state = 'completed' WHERE id = ?", job_id)


class SqliteMachine(SqlMachine):
    """A file of its own, and a clock that stands until it is moved."""

    folder: ClassVar[Path]

    def __init__(self) -> None:
        self.place = SqliteFile(self.folder)
        Path(self.place.path).unlink(missing_ok=True)
        self.clock = ManualClock()
        model = Model(self.clock.now(), self.clock.steady())
        super().__init__(SqliteStore(self.place.path, clock=self.clock, sync="normal"), model)

    def place_that_lends(self) -> LendingPlace:
        return self.place

    def move(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds
        self.model.steady += seconds

    def step(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.model.now += seconds

    def delete_owner(self, owner: str) -> None:
        beside(self.place, "DELETE FROM treadle_owners WHERE owner = ?", (owner,))

    def say(self, statement: str, *values: str) -> None:
        beside(self.place, statement, values)

    def lend_outside(self, job_id: str) -> None:
        self.model.lend_outside(job_id)
        # Elixir's Lite engine writes no more of a node than its name.
        self.say(f"{CLAIM}, attempted_at = ?, attempted_by = json_array(?) WHERE id = ?", self.now, FOREIGN, job_id)

    @property
    def now(self) -> str:
        return stamp(self.clock.now())


class PostgresMachine(SqlMachine):
    """A schema of its own, made anew for each run. The server's one clock judges leases and due times alike."""

    place: ClassVar[Postgres]

    def __init__(self) -> None:
        super().__init__(make_store(self.place.store_url, SystemClock()), Model(NOON, NOON))
        self.peer = self.at_end.enter_context(closing(psycopg.connect(self.place.url, autocommit=True)))
        self.place.begin(self.peer)

    def place_that_lends(self) -> LendingPlace:
        return self.place

    def move(self, seconds: float) -> None:
        make_older(self.peer, seconds)
        self.model.now += seconds
        self.model.steady += seconds

    step = move

    def delete_owner(self, owner: str) -> None:
        self.peer.execute("DELETE FROM treadle_owners WHERE owner = %s", (owner,))

    def say(self, statement: str, *values: str) -> None:
        self.peer.execute(statement.replace("?", "%s").encode(), values)

    def lend_outside(self, job_id: str) -> None:
        self.model.lend_outside(job_id)
        stamped = "attempted_at = timezone('UTC', now()), attempted_by = ARRAY[?, gen_random_uuid()::text]"
        self.say(f"{CLAIM}, {stamped} WHERE id = ?", FOREIGN, job_id)


class RedisMachine(StoreMachine):
    """A database of its own. The server's one clock judges leases and due times alike."""

    shares_rows = False
    model: RedisModel
    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(RedisStore(self.url, clock=SystemClock()), RedisModel(NOON, NOON))
        self.peer = self.at_end.enter_context(closing(peer(self.url)))
        self.peer.flushdb()

    def move(self, seconds: float) -> None:
        move_time(self.peer, seconds)
        self.model.now += seconds
        self.model.steady += seconds

    step = move

    def delete_owner(self, owner: str) -> None:
        assert self.peer.zrem("treadle:owners", owner) == 1

    def meddle(self, job_id: str) -> None:
        self.model.delete_outside(job_id)
        take_away(self.peer, job_id)

    def hand_out(self, job_id: str) -> None:
        self.model.hand_out(job_id)
        for payload in take_away(self.peer, job_id):
            self.peer.rpush(f"queue:{self.queue}", payload)
