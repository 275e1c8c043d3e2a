"""The pages of a node, and that docs/reference/metrics.md names every metric."""

import asyncio
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.runtime.children import place_of
from tests.runtime.desk import Desk, play, run
from tests.stores.places import ManualClock
from treadle.core.job import Job
from treadle.errors import StoreUnavailable
from treadle.hooks.events import Events, JobCompleted
from treadle.runtime.health import Health
from treadle.runtime.listener import Answer
from treadle.runtime.plan import Plan
from treadle.runtime.probes import QUEUES_KEPT, Probes
from treadle.stores.views import QueueView

PLAN = Plan()
REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()


class Queues:
    """What a store tells of its queues: what it is given, or nothing that ever comes."""

    def __init__(self, **views: QueueView) -> None:
        self.views: Mapping[str, QueueView] = views
        self.asked = 0
        self.away = False

    async def queues(self) -> Mapping[str, QueueView]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("no route to host")
        return self.views


def probes_of(clock: ManualClock, store: Queues | None = None) -> Probes:
    probes = Probes(Health(PLAN, clock, []), [], clock)
    probes.store = store
    return probes


async def ask(probes: Probes, path: str) -> Answer:
    return await probes.pages[path]()


def samples(answer: Answer, name: str) -> dict[str, float]:
    """The values of a metric by the queue that they are of."""
    return {
        sample.labels.get("queue", ""): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }


def test_the_reference_names_every_metric_with_its_kind_and_its_meaning() -> None:
    async def story() -> None:
        clock = ManualClock()
        probes = probes_of(clock, Queues(mail=QueueView(available=1, age=1.0)))
        events = Events()
        probes.attempts.listen(events, timed=True)
        events.emit(JobCompleted(job=Job("1", "welcome", "mail", b"{}", 1, 20), seconds=1.0))
        rows = dict(re.findall(r"^\| `(treadle_\w+)` \| (\w+ \|[^|]*\|.*)$", REFERENCE, re.MULTILINE))
        for family in text_string_to_metric_families((await ask(probes, "/metrics")).text):
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            kind, listed, meaning = (cell.strip() for cell in rows.pop(name).rstrip("|").split("|"))
            assert (kind, set(re.findall(r"\w+", listed)), meaning) == (family.type, labels, family.documentation)
        assert not rows

    run(story)


def test_a_node_that_works_is_live_and_ready_until_it_drains() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, child):
            probes = Probes(Health(PLAN, clock, [place]), [place], clock)
            assert (await ask(probes, "/livez")).status == (await ask(probes, "/readyz")).status == HTTPStatus.OK
            child.page.marks[3] = 7
            metrics = await ask(probes, "/metrics")
            shown = [samples(metrics, f"treadle_{name}")[""] for name in ("workers", "slots", "jobs_running")]
            assert shown == [1, 10, 1]
            probes.stopping = True
            refused = await ask(probes, "/readyz")
            assert (refused.status, refused.text) == (HTTPStatus.SERVICE_UNAVAILABLE, "the node is draining\n")
            assert (await ask(probes, "/livez")).status == HTTPStatus.OK

    run(story)


def test_all_that_stalls_stands_on_one_line() -> None:
    async def story() -> None:
        clock = ManualClock()
        async with place_of(PLAN, clock) as (place, _):
            clock.advance(40.0)
            answer = await ask(Probes(Health(PLAN, clock, [place]), [place], clock), "/livez")
        assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        assert re.fullmatch(r"the loop of .* for 40 s; .* looked at its queues for 40 s\n", answer.text)

    run(story)


def test_the_store_is_asked_for_its_queues_at_most_every_5_seconds() -> None:
    async def story() -> None:
        clock, store = ManualClock(), Queues(mail=QueueView(available=4, age=2.5))
        probes = probes_of(clock, store)
        answers = await asyncio.gather(*(ask(probes, "/metrics") for _ in range(5)))
        assert store.asked == 1
        assert [samples(answer, "treadle_queue_depth") for answer in answers] == [{"mail": 4}] * 5
        clock.advance(QUEUES_KEPT)
        await ask(probes, "/metrics")
        assert store.asked == 2

    run(story)


def test_an_age_that_is_not_known_is_left_out() -> None:
    async def story() -> None:
        store = Queues(empty=QueueView(), told=QueueView(available=1, age=2.5), untold=QueueView(available=1))
        answer = await ask(probes_of(ManualClock(), store), "/metrics")
        assert samples(answer, "treadle_queue_oldest_seconds") == {"empty": 0.0, "told": 2.5}

    run(story)


def test_queues_of_a_store_that_is_away_are_left_out() -> None:
    async def story() -> None:
        clock, store = ManualClock(), Queues(mail=QueueView(available=4))
        probes = probes_of(clock, store)
        await ask(probes, "/metrics")
        store.away = True
        clock.advance(QUEUES_KEPT)
        answer = await ask(probes, "/metrics")
        assert (answer.status, samples(answer, "treadle_queue_depth")) == (HTTPStatus.OK, {})

    run(story)


def test_a_real_store_tells_of_its_queues() -> None:
    async def story(desk: Desk) -> None:
        await desk.put("nobody", 3, queue="mail")
        probes = Probes(Health(PLAN, desk.clock, []), [], desk.clock)
        probes.store = desk.store
        assert samples(await ask(probes, "/metrics"), "treadle_queue_depth") == {"mail": 3}

    play(story)
