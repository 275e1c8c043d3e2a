"""Orders come to whoever listens once, in their order, whatever the store and the listener do."""

import asyncio
from collections.abc import Sequence

from tests.loops import NoWaitLoop
from treadle.core.controls import CancelRequest, Order, QueueControl
from treadle.errors import StoreUnavailable
from treadle.runtime.courier import Courier
from treadle.stores.views import Orders

ONE, TWO, THREE = (QueueControl(action="pause", queue=queue) for queue in "abc")


class Store:
    """Gives one answer after the other, then never one; an error is raised. `asked` is since when it was asked."""

    def __init__(self, *answers: Sequence[Order] | Exception) -> None:
        self.asked: list[str | None] = []
        self._answers = list(answers)

    async def orders(self, since: str | None, *, wait: float) -> Orders:
        self.asked.append(since)
        if since is None:
            return Orders("0")
        assert wait > 0
        if not self._answers:
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Orders(f"{since}+{len(answer)}", answer)


def heard(store: Store, count: int, *, breaks: Order | None = None) -> tuple[list[Order], list[str]]:
    """So many orders that the courier brought, and what it reported; obeying `breaks` raises."""
    got: list[Order] = []
    errors: list[str] = []

    async def story() -> None:
        enough = asyncio.Event()

        def obey(order: Order) -> None:
            got.append(order)
            if len(got) == count:
                enough.set()
            if order is breaks:
                raise ValueError("no such queue")

        courier = Courier(store, obey, lambda name, error: errors.append(f"{name}: {error}"))
        await courier.stop()
        await courier.open()
        courier.start()
        await enough.wait()
        await courier.stop()
        await courier.stop()

    with asyncio.Runner(loop_factory=NoWaitLoop) as runner:
        runner.run(story())
    return got, errors


def test_each_order_is_handed_on_once_from_where_the_courier_was_opened() -> None:
    store = Store([ONE, TWO], [], [THREE])
    assert heard(store, 3) == ([ONE, TWO, THREE], [])
    assert store.asked[:4] == [None, "0", "0+2", "0+2+0"]


def test_a_store_that_is_away_is_asked_again_from_the_same_place() -> None:
    store = Store([ONE], StoreUnavailable("no route to host"), StoreUnavailable("no route to host"), [TWO])
    assert heard(store, 2) == ([ONE, TWO], ["courier: no route to host"] * 2)
    assert store.asked[:5] == [None, "0", "0+1", "0+1", "0+1"]


def test_an_order_that_cannot_be_obeyed_holds_up_no_later_one() -> None:
    store = Store([ONE, CancelRequest(owner="a:1:b"), TWO])
    assert heard(store, 3, breaks=ONE) == ([ONE, CancelRequest(owner="a:1:b"), TWO], ["courier: no such queue"])
