"""What a query finds on every store: each field, pages, counts, and actions on all that matches."""

# ruff: noqa: D103 - the name of a check is its promise

import msgspec

from treadle.core.arguments import Shape
from treadle.core.job import JobView, NewJob
from treadle.core.outcomes import Discarded, Retried
from treadle.core.query_parser import parse
from treadle.core.states import State
from treadle.stores.claim import Settlement
from treadle.stores.contract import Ability, Store
from treadle.stores.job_query import JobQuery
from treadle.testing.checks.bench import FAILURE, LONG, OTHER, QUEUE, SHORT, Bench, Place, expect


async def jobs_are_found_by_text(place: Place) -> None:
    async with place.store() as store:
        bench = Bench(store)
        await store.insert([bench.job(name, queue=queue) for name in ("SendInvoice", "Mail") for queue in ("a", "b")])
        for text, number in (
            ("name:Mail", 2),
            ("name:*Invoice", 2),
            ("name:M?il", 2),
            ("name:*invoice", 0),
            ('name:"*Invoice"', 0),
            ("invoice", 2),
            ("name:Mail queue:a", 1),
            ("name:Mail OR queue:a", 3),
            ("-name:Mail", 2),
            ("NOT (name:Mail OR queue:a)", 1),
            ("state:available", 4),
            ("state:completed", 0),
            ("", 4),
        ):
            expect(len(await _found(store, text)), number, f"what {text!r} means is found, and nothing else")


async def jobs_are_found_by_their_arguments(place: Place) -> None:
    async with place.store() as store:
        values = ({"id": 42, "tags": ["x", "y"]}, "de", 1.5), ({"id": "42"}, "en", None), ({"id": 7}, "en", True)
        jobs = [_with_arguments(store, *arguments) for arguments in values]
        first, second, third = await _insert(store, jobs)
        user, lang, rate = (
            ("args.0", "args.1", "args.2") if _keeps_lists(store) else ("args.user", "args.lang", "args.rate")
        )
        for text, wanted in (
            (f"{user}.id:42", [first, second]),
            (f'{user}.id:"42"', [second]),
            (f"{user}.id:>7", [first]),
            (f"{user}.id:<=7", [third]),
            (f"{user}.tags.1:y", [first]),
            (f"{user}.tags:*", [first]),
            (f"{lang}:en", [second, third]),
            (f"{lang}:d*", [first]),
            (f"{rate}:1.5", [first]),
            (f"{rate}:null", [second]),
            (f"{rate}:true", [third]),
            (f"{user}.missing:*", []),
            (f"-{user}.id:42", [third]),
        ):
            expect(await _found(store, text), set(wanted), f"what {text!r} means is found, and nothing else")


async def jobs_are_found_by_what_was_said_of_them(place: Place) -> None:
    async with place.store() as store:
        bench = Bench(store)
        vip, plain = await _insert(
            store,
            [bench.job(tags=("vip", "new"), meta={"tenant": "acme", "n": 3}, delay=LONG), bench.job(tags=("new",))],
        )
        for text, wanted in (
            ("tag:vip", [vip]),
            ("tag:n*", [vip, plain]),
            ("-tag:vip", [plain]),
            ("meta.tenant:acme", [vip]),
            ("meta.n:>2", [vip]),
            ("max_attempts:5", [vip, plain]),
            ("max_attempts:>5", []),
            ("attempt:0", [vip, plain]),
            (f"id:{vip}", [vip]),
            ("due:>=0s", [plain]),
            ("due:<-1s", [vip]),
            ("age:<1h", [vip, plain]),
            ("age:>1h", []),
        ):
            expect(await _found(store, text), set(wanted), f"what {text!r} means is found, and nothing else")


async def jobs_are_found_by_their_priority(place: Place) -> None:
    async with place.store() as store:
        if Ability.PRIORITY not in store.abilities:
            return
        bench = Bench(store)
        await store.insert([bench.job(priority=priority) for priority in (0, 3, 9)])
        expect([len(await _found(store, text)) for text in ("priority:3", "priority:<9")], [1, 2], "by priority")


async def jobs_are_found_by_what_became_of_them(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(3)
        failed, dead, running = await bench.take(3)
        await store.settle(
            bench.owner, [Settlement(failed, Retried(LONG, FAILURE)), Settlement(dead, Discarded(FAILURE))]
        )
        for text, wanted in (
            ("error:valueerror", [failed, dead]),
            ("error:*no*user*", [failed, dead]),
            ('error:"no such" state:retryable', [failed]),
            ("error:Timeout", []),
            ("-error:*", [running]),
            (f"owner:{bench.owner} state:executing", [running]),
            ("owner:bench* state:executing", [running]),
            (f"owner:{OTHER}", []),
            ("ran:<1h state:executing", [running]),
            ("finished:<1h", [dead]),
            ("finished:>1h", []),
        ):
            found = await _found(store, text)
            expect(found, {claim.job.id for claim in wanted}, f"what {text!r} means is found, and nothing else")


async def ages_count_by_the_clock_of_the_store(place: Place) -> None:
    async with place.store() as store:
        await Bench(store).put()
        expect(len(await _found(store, "age:>=1s")), 0, "a new job is not a second old")
        await place.elapse(1 + SHORT)
        expect(len(await _found(store, "age:>=1s")), 1, "until a second has passed")


async def a_page_says_where_to_go_on(place: Place) -> None:
    async with place.store() as store:
        bench = Bench(store)
        wanted = {*await bench.put(5), *await bench.put(3, queue="b")}
        seen: list[JobView] = []
        query = JobQuery(where=parse("attempt:0"), limit=3)
        page = await store.find(query)
        while not page.complete:
            seen += page
            page = await store.find(msgspec.structs.replace(query, after=page.cursor))
        seen += page
        expect(len(seen), 8, "the pages together have every job once")
        expect({view.id for view in seen}, wanted, "and no other")


async def jobs_that_match_are_counted_by_state(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(4)
        await store.insert([bench.job(delay=LONG), bench.job("other")])
        await bench.end(await bench.take(1), Discarded(FAILURE))
        tally = await store.tally(JobQuery(where=parse("name:work")))
        wanted = {State.AVAILABLE: 3, State.SCHEDULED: 1, State.DISCARDED: 1}
        expect(dict(tally.states), wanted, "jobs that match are counted by state")
        expect((tally.looked >= sum(wanted.values()), tally.cursor), (True, None), "and all were looked at")


async def an_action_is_done_to_what_matches_alone(place: Place) -> None:
    async with place.store() as store:
        bench = await Bench(store).enroll()
        await bench.put(2)
        await bench.end(await bench.take(2), Discarded(FAILURE))
        kept = await bench.put(1)
        await store.insert([bench.job("Mail"), bench.job("Mail", delay=LONG)])
        mail = JobQuery(where=parse("name:Mail"))
        expect(await store.act("cancel", mail), 2, "what matches is cancelled")
        dead = JobQuery(where=parse("state:discarded error:user"))
        expect(
            [await store.act("retry", dead), await store.act("retry", dead)], [2, 0], "what matches is retried, once"
        )
        expect(await bench.number(State.AVAILABLE), 3, "and waits again")
        expect(await store.act("delete", JobQuery(where=parse(f"-id:{kept[0]}"), state=State.AVAILABLE)), 2, "deleted")
        left = await store.find(JobQuery(state=State.AVAILABLE, queue=QUEUE))
        expect([view.id for view in left], kept, "what does not match is left alone")


async def _found(store: Store, text: str) -> set[str]:
    page = await store.find(JobQuery(where=parse(text)))
    expect(page.complete, True, "everything is looked at where nobody bounds the look")
    return {view.id for view in page}


def _keeps_lists(store: Store) -> bool:
    return store.shape is Shape.LIST


def _with_arguments(store: Store, user: object, lang: object, rate: object) -> NewJob:
    named = {"user": user, "lang": lang, "rate": rate}
    args = msgspec.json.encode([*named.values()] if _keeps_lists(store) else named)
    return NewJob(name="work", queue=QUEUE, args=args, max_attempts=5)


async def _insert(store: Store, jobs: list[NewJob]) -> list[str]:
    return [inserted.id for inserted in await store.insert(jobs)]
