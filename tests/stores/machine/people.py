"""What people do while jobs run: cancel, retry, delete, pause, scale."""

from typing import Literal

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.stores.machine.ground import ids, processes
from tests.stores.machine.lending import Lending
from treadle.core.controls import CancelRequest, QueueControl
from treadle.core.query_parser import parse
from treadle.core.states import State
from treadle.stores.job_query import JobQuery

controls = st.sampled_from(
    [
        QueueControl(action="pause", queue="default", node="a:1"),
        QueueControl(action="scale", queue="default", limit=7),
        QueueControl(action="start", queue="other", node="a:1", limit=2),
        QueueControl(action="stop", queue="other"),
    ]
)

ACTIONS: tuple[Literal["cancel", "retry", "delete"], ...] = ("cancel", "retry", "delete")


class People(Lending):
    """They act on one job, on all that match, on queues and on owners."""

    @rule()
    def somebody_pauses_the_queue_until_the_next_claim(self) -> None:
        self.control("pause")

    @rule(control=controls)
    def somebody_tells_the_nodes(self, control: QueueControl) -> None:
        self.tell(control)

    @precondition(lambda self: self.model.told or self.model.asked)
    @invariant()
    def workers_hear_what_they_are_told(self) -> None:
        heard = self.run(self.store.orders(self.position, wait=0.0))
        # The answer was lost: what it told is told once more.
        assert self.run(self.store.orders(self.position, wait=0.0)).orders == heard.orders
        assert [order for order in heard.orders if isinstance(order, QueueControl)] == self.model.told
        assert {order.owner for order in heard.orders if isinstance(order, CancelRequest)} == self.model.asked
        self.position = heard.position
        self.model.told, self.model.asked = [], set()

    @precondition(lambda self: self.model.holds_any())
    @rule(process=processes)
    def somebody_deletes_an_owner(self, process: str) -> None:
        owner = self.owner_of(process)
        if self.model.is_alive(owner):
            self.model.forget_owner(owner)
            self.delete_owner(owner)

    @rule(job_id=ids)
    def somebody_cancels(self, job_id: str) -> None:
        expected = self.model.cancel(job_id)
        assert self.run(self.store.act("cancel", JobQuery(ids=(job_id,)))) == expected

    @rule(job_id=ids)
    def somebody_retries(self, job_id: str) -> None:
        expected = self.model.retry(job_id)
        assert self.run(self.store.act("retry", JobQuery(ids=(job_id,)))) == expected

    @rule(job_id=ids)
    def somebody_deletes(self, job_id: str) -> None:
        expected = self.model.delete(job_id)
        assert self.run(self.store.act("delete", JobQuery(ids=(job_id,)))) == expected

    @rule(action=st.sampled_from(ACTIONS), states=st.sets(st.sampled_from(State), min_size=1, max_size=3))
    def somebody_acts_on_all_that_match(self, action: Literal["cancel", "retry", "delete"], states: set[State]) -> None:
        meant = [job_id for job_id, (state, _) in self.model.shown().items() if state in states]
        expected = sum(getattr(self.model, action)(job_id) for job_id in meant)
        where = parse(" OR ".join(f"state:{state}" for state in sorted(states)))
        assert self.run(self.store.act(action, JobQuery(where=where))) == expected
