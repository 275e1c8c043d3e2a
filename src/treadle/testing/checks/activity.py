"""What handles, metrics and a worker that starts rely on: who works here, and how the queues do."""

# ruff: noqa: D103 - the name of a check is its promise

from collections.abc import Mapping

from treadle.stores.contract import Store
from treadle.stores.views import OwnerReport, QueueView
from treadle.testing.checks.bench import LONG, OTHER, OWNER, SHORT, Bench, Place, expect


def _report(place: Place, owner: str, *queues: str, done: Mapping[str, int] | None = None) -> OwnerReport:
    return OwnerReport(
        owner=owner,
        queues=queues,
        concurrency=10,
        running=(),
        quiet=False,
        started=place.now(),
        rss=1024,
        completed=3,
        failed=1,
        done=done or {},
    )


async def _queue(store: Store, name: str) -> QueueView:
    return (await store.queues()).get(name, QueueView())


async def the_living_are_shown_with_their_queues(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        expect(list(await store.workers()), [], "nobody works at an empty place")
        await Bench(store).enroll()
        await Bench(store, OTHER).enroll()
        await store.report(_report(place, OWNER, "mail", "slow"))
        shown = {worker.name: (worker.queues, worker.foreign) for worker in await elsewhere.workers()}
        expect(shown, {OWNER: (("mail", "slow"), False), OTHER: ((), False)}, "who works here, and on which queues")
        await store.beat({OWNER: SHORT})
        await place.elapse(2 * SHORT)
        expect([worker.name for worker in await elsewhere.workers()], [OTHER], "not who was silent for its lease")
        await store.rescue(10)
        await store.leave(OTHER)
        expect(list(await elsewhere.workers()), [], "and not who left")


async def a_queue_tells_how_much_waits_and_for_how_long(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(2, queue="mail")
        await place.elapse(SHORT)
        await store.insert([bench.job(queue="mail"), bench.job(queue="later", delay=LONG)])
        mail, later = await _queue(store, "mail"), await _queue(store, "later")
        expect(mail.available, 3, "what waits for a worker is counted")
        old = mail.age is not None and SHORT <= mail.age < LONG
        expect(old, True, f"the oldest tells how long, not {mail.age}")
        expect((later.available, later.age), (0, None), "what waits for its time does not count")
        await bench.end(await bench.take(10, "mail"))
        mail = await _queue(store, "mail")
        expect((mail.available, mail.age), (0, None), "and where nothing waits there is no age")


async def completions_of_the_last_minute_make_a_rate(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        await Bench(store).enroll()
        await Bench(store, OTHER).enroll()
        await store.report(_report(place, OWNER, "mail", done={"mail": 100, "slow": 10}))
        await elsewhere.report(_report(place, OTHER, "mail", done={"mail": 20}))
        await store.report(_report(place, OWNER, "mail"))
        rates = [(await _queue(store, queue)).rate for queue in ("mail", "slow", "other")]
        right = 120 / 75 < rates[0] <= 120 / 60 and 10 / 75 < rates[1] <= 10 / 60 and not rates[2]
        expect(right, True, f"what all owners did counts for about a minute, got {rates}")
