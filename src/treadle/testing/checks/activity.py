"""What handles, metrics and a worker that starts rely on: who works here, and how the queues do."""

# ruff: noqa: D103 - the name of a check is its promise

from treadle.core.cron_entry import CronEntry
from treadle.core.sketch import Sketch
from treadle.core.states import State
from treadle.stores.broadcasts import Attempts, Broadcasts, Pulse
from treadle.stores.contract import Ability, Store
from treadle.stores.job_query import JobQuery
from treadle.stores.views import QueueView
from treadle.testing.checks.bench import LONG, OTHER, OWNER, SHORT, Bench, Place, expect


async def _queue(store: Store, name: str) -> QueueView:
    return (await store.queues()).get(name, QueueView())


async def the_living_are_shown_with_their_queues(place: Place) -> None:
    async with place.store() as store, place.store() as elsewhere:
        expect(list(await store.workers()), [], "nobody works at an empty place")
        bench = await Bench(store).enroll()
        await Bench(store, OTHER).enroll()
        await bench.report("mail", "slow")
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
        bench, other = await Bench(store).enroll(), await Bench(elsewhere, OTHER).enroll()
        await bench.report("mail", done={"mail": 100, "slow": 10})
        await other.report("mail", done={"mail": 20})
        await bench.report("mail")
        rates = [(await _queue(store, queue)).rate for queue in ("mail", "slow", "other")]
        right = 120 / 75 < rates[0] <= 120 / 60 and 10 / 75 < rates[1] <= 10 / 60 and not rates[2]
        expect(right, True, f"what all owners did counts for about a minute, got {rates}")


async def what_is_broadcast_is_kept_nowhere(place: Place) -> None:
    async with place.store() as store:
        able = Ability.BROADCASTS in store.abilities
        expect(isinstance(store, Broadcasts), able, "a store has the verbs that it says it has")
        if not isinstance(store, Broadcasts):
            return
        [job_id] = await (await Bench(store).enroll()).put()
        sketch = Sketch()
        sketch.observe([0.5])
        attempts = Attempts(queue="mail", name="Welcome", after="completed", ran=sketch, waited=sketch)
        # Of an owner that the store does not know: it may have left meanwhile.
        gone = Pulse(owner=OTHER, started=place.now(), slots={"mail": 2}, running={"mail": ["1"]}, attempts=[attempts])
        serving = Pulse(owner=OWNER, started=place.now(), slots={"default": 1}, running={"default": [job_id]})
        for pulses in ([serving, gone], [serving, gone], []):
            await store.broadcast(pulses)
        entry = CronEntry(name="nightly", expr="30 2 * * *", job=Bench(store).job())
        await store.broadcast_crontab("node", [entry])
        await store.broadcast_crontab("node", [])
        expect([worker.name for worker in await store.workers()], [OWNER], "who is told of is no worker by that")
        expect(dict((await store.crontab()).rows), {}, "nor stands an entry in the crontab by it")
        expect((await store.counts())["default"][State.AVAILABLE], 1, "nor is a job claimed")


async def what_nobody_ran_is_pruned_where_its_queue_is_served(place: Place) -> None:
    async with place.store() as store:
        if Ability.HISTORY not in store.abilities:
            return
        bench = await Bench(store).enroll()
        await bench.report("mail")
        await bench.put(queue="mail")
        await bench.put(queue="elsewhere")
        await store.act("cancel", JobQuery())
        await place.elapse(SHORT)
        expect(await store.prune({State.CANCELLED: SHORT / 2}, 10), 1, "what stood in a queue of ours is ours to prune")
        left = [await bench.number(State.CANCELLED, queue) for queue in ("mail", "elsewhere")]
        expect(left, [0, 1], "the rest is left to the programs that it may belong to")
