"""A store beside a plain model, driven by chance: nothing is lost, nothing is applied twice, no fence lets through."""

from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stores.machine import StoreMachine
from tests.stores.model import Model, RedisModel
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
from treadle.stores.redis import RedisStore
from treadle.stores.sqlite import SqliteStore
from treadle.stores.url import make_store
from treadle.supervise.clock import SystemClock
from treadle.testing.checks.bench import LendingPlace


class SqliteMachine(StoreMachine):
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

    def meddle(self, job_id: str) -> None:
        self.model.cancel_outside(job_id)
        beside(self.place, FOREIGN_CANCEL, (job_id,))

    def hand_out(self, job_id: str) -> None:
        self.model.hand_out(job_id)
        beside(self.place, "UPDATE oban_jobs SET state = 'available' WHERE id = ?", (job_id,))


class RedisMachine(StoreMachine):
    """A database of its own. The server's one clock judges leases and due times alike."""

    model: RedisModel
    url: ClassVar[str]

    def __init__(self) -> None:
        self.peer = peer(self.url)
        self.peer.flushdb()
        super().__init__(RedisStore(self.url, clock=SystemClock()), RedisModel(NOON, NOON))

    def teardown(self) -> None:
        super().teardown()
        self.peer.close()

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


class PostgresMachine(StoreMachine):
    """A database of its own. The server's one clock judges leases and due times alike."""

    place: ClassVar[Postgres]

    def __init__(self) -> None:
        self.peer = psycopg.connect(self.place.url, autocommit=True)
        self.peer.execute("DROP SCHEMA public CASCADE")
        super().__init__(make_store(self.place.url, SystemClock()), Model(NOON, NOON))

    def teardown(self) -> None:
        super().teardown()
        self.peer.close()

    def place_that_lends(self) -> LendingPlace:
        return self.place

    def move(self, seconds: float) -> None:
        make_older(self.peer, seconds)
        self.model.now += seconds
        self.model.steady += seconds

    step = move

    def delete_owner(self, owner: str) -> None:
        self.peer.execute("DELETE FROM treadle_owners WHERE owner = %s", (owner,))

    def meddle(self, job_id: str) -> None:
        self.model.cancel_outside(job_id)
        self.peer.execute(FOREIGN_CANCEL.replace("?", "%s").encode(), (job_id,))

    def hand_out(self, job_id: str) -> None:
        self.model.hand_out(job_id)
        self.peer.execute("UPDATE oban_jobs SET state = 'available' WHERE id = %s", (job_id,))


EACH_RUN = settings(max_examples=60, stateful_step_count=40, deadline=None)
# A server answers after a round trip, a file at once.
ON_A_SERVER = settings(EACH_RUN, max_examples=30)


@pytest.mark.timeout(300)
def test_sqlite_does_what_the_model_does(tmp_path: Path) -> None:
    class Machine(SqliteMachine):
        folder = tmp_path

    run_state_machine_as_test(Machine, settings=EACH_RUN)


@pytest.mark.timeout(300)
def test_redis_does_what_the_model_does(redis_url: str) -> None:
    class Machine(RedisMachine):
        url = redis_url

    run_state_machine_as_test(Machine, settings=ON_A_SERVER)


@pytest.mark.timeout(300)
def test_postgresql_does_what_the_model_does(postgres_url: str) -> None:
    class Machine(PostgresMachine):
        place = Postgres(postgres_url)

    run_state_machine_as_test(Machine, settings=ON_A_SERVER)
