"""What a process holds is counted by group, and what it shares with its parent stands in a page of memory."""

from math import inf

import pytest

from treadle.core.job import Job
from treadle.errors import ConfigError
from treadle.runtime.page import Page, new_page
from treadle.runtime.plan import Plan
from treadle.runtime.slots import Group, Slots
from treadle.stores.claim import Claim, Demand

GROUPS = (Group(("a", "b"), 2), Group(("c",), 1))


def claim_of(queue: str, job_id: str = "7") -> Claim:
    return Claim(Job(job_id, "work", queue, b"[]", 1, 20), "receipt")


def test_every_group_asks_for_what_it_has_free() -> None:
    slots = Slots(GROUPS)
    assert slots.demands() == [Demand(("a", "b"), 2), Demand(("c",), 1)]
    assert (slots.limit, slots.queues, slots.free()) == (3, ("a", "b", "c"), 3)
    slots.take(claim_of("c"))
    assert slots.demands() == [Demand(("a", "b"), 2)]
    slots.take(claim_of("a", "8"))
    assert slots.demands() == [Demand(("a", "b"), 1)]
    assert (slots.held, slots.free()) == (2, 1)


def test_a_claim_that_is_given_back_twice_frees_one_slot() -> None:
    slots = Slots(GROUPS)
    claim = claim_of("c")
    slots.take(claim)
    assert claim.key in slots
    slots.give(claim.key)
    slots.give(claim.key)
    assert claim.key not in slots
    assert slots.demands() == [Demand(("a", "b"), 2), Demand(("c",), 1)]


def test_the_same_job_claimed_again_is_another_claim() -> None:
    slots = Slots(GROUPS)
    first = claim_of("c")
    second = Claim(first.job, "another receipt")
    slots.take(first)
    assert second.key not in slots
    assert slots.known() == {first.key}


def test_who_runs_suspects_asks_for_them_alone() -> None:
    assert Slots((Group(("a",), 1),), alone=True).demands() == [Demand(("a",), 1, alone=True)]


def test_one_that_works_apart_asks_for_nothing_under_a_limit_of_the_node() -> None:
    slots = Slots((Group(("a",), 2), Group(("b",), 1, own=True)))
    slots.apart = True
    assert slots.demands() == [Demand(("a",), 2)]
    slots.apart = False
    assert slots.demands() == [Demand(("a",), 2), Demand(("b",), 1)]


# The plan


def test_queues_without_a_limit_share_the_concurrency_and_the_others_have_their_own() -> None:
    plan = Plan(limits={"slow": 3}, concurrency=5)
    assert plan.groups(("mail", "slow", "mail")) == (Group(("mail",), 5), Group(("slow",), 3, own=True))
    assert plan.slots(0) == 8


def test_a_limit_holds_for_the_whole_node() -> None:
    plan = Plan(limits={"slow": 3}, concurrency=5, processes=2)
    assert [plan.portion(3, index) for index in range(2)] == [2, 1]
    assert plan.groups(("slow",), 1) == (Group(("slow",), 1, own=True),)


def test_a_process_that_gets_nothing_of_a_limit_does_not_serve_its_queue() -> None:
    plan = Plan(limits={"slow": 1}, processes=2)
    assert plan.groups(("mail", "slow"), 1) == (Group(("mail",), 10),)


def test_queues_narrow_to_those_that_are_named() -> None:
    plan = Plan(queues=("mail",), limits={"slow": 1})
    assert plan.groups(("mail", "slow", "other")) == (Group(("mail",), 10),)


def test_a_worker_without_any_queue_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected at least one registered job or one queue, got none"):
        Plan().groups(())


# The page


def test_both_sides_of_a_page_see_each_number() -> None:
    mine = new_page(3)
    theirs = Page(mine.fd, 3)
    mine.turned = 10.5
    mine.fetched = inf
    mine.rss = 2**40
    mine.beat = 12.5
    mine.overdue = (99.25, 4_000_000_000)
    mine.tally = (1, 2, 3)
    mine.marks[2] = 7
    assert (theirs.turned, theirs.fetched, theirs.rss) == (10.5, inf, 2**40)
    assert theirs.beat == 12.5
    assert theirs.overdue == (99.25, 4_000_000_000)
    assert theirs.tally == (1, 2, 3)
    assert list(theirs.marks) == [0, 0, 7]
    mine.marks.release()
    theirs.close()


def test_a_new_page_is_all_zeros() -> None:
    page = new_page(2)
    assert (page.turned, page.fetched, page.rss, page.beat) == (0.0, 0.0, 0, 0.0)
    assert (page.overdue, page.tally) == ((0.0, 0), (0, 0, 0))
    assert list(page.marks) == [0, 0]
    page.close()


def test_a_mark_is_never_zero_and_belongs_to_the_job() -> None:
    marks = {claim_of("a", str(number)).mark for number in range(2000)}
    assert 0 not in marks
    assert len(marks) == 2000


# Changes while claims are held


def test_what_is_held_counts_under_the_groups_that_there_are_now() -> None:
    slots = Slots((Group(("a", "b"), 3),))
    for number in range(2):
        slots.take(claim_of("a", str(number)))
    slots.regroup((Group(("b",), 3), Group(("a",), 1, own=True)), ())
    assert slots.demands() == [Demand(("b",), 2)]
    slots.give(claim_of("a", "0").key)
    assert slots.demands() == [Demand(("b",), 3)]
    slots.give(claim_of("a", "1").key)
    assert slots.demands() == [Demand(("b",), 3), Demand(("a",), 1)]
    assert (slots.limits, slots.queues, slots.limit) == ({"a": 1}, ("b", "a"), 4)


def test_no_more_is_held_together_than_there_is_capacity_for() -> None:
    slots = Slots((Group(("a",), 4),))
    for number in range(4):
        slots.take(claim_of("a", str(number)))
    slots.regroup((Group(("b",), 4),), ())
    assert (slots.demands(), slots.free()) == ([], 0)
    slots.give(claim_of("a", "0").key)
    assert slots.demands() == [Demand(("b",), 1)]
    slots.regroup((Group(("b",), 6),), ())
    assert slots.capacity == 6
    assert slots.demands() == [Demand(("b",), 3)]


def test_nothing_is_asked_for_of_a_paused_queue_and_its_group_keeps_its_slots() -> None:
    slots = Slots((Group(("a", "b"), 2), Group(("c",), 1, own=True)))
    slots.regroup((Group(("a", "b"), 2), Group(("c",), 1, own=True)), {"a", "c"})
    assert slots.demands() == [Demand(("b",), 2)]
    assert slots.paused == {"a", "c"}
    slots.take(claim_of("a"))
    assert slots.demands() == [Demand(("b",), 1)]


def test_a_queue_of_which_a_process_has_no_part_is_neither_asked_for_nor_shown() -> None:
    slots = Slots(())
    slots.regroup((Group(("a",), 0, own=True),), ())
    assert (slots.demands(), slots.queues, slots.limits) == ([], (), {"a": 0})


def test_every_fall_of_a_queue_that_is_watched_is_told() -> None:
    slots, told = Slots((Group(("a", "b"), 9),)), list[tuple[str, int]]()
    slots.tell_falls({"a"}, lambda queue: told.append((queue, slots.of(queue))))
    for number, queue in enumerate("aab"):
        slots.take(claim_of(queue, str(number)))
    for number, queue in enumerate("aab"):
        slots.give(claim_of(queue, str(number)).key)
        slots.give(claim_of(queue, str(number)).key)
    assert told == [("a", 1), ("a", 0)]


def test_a_page_grows_for_both_sides_and_keeps_what_stands_in_it() -> None:
    mine = new_page(1)
    theirs = Page(mine.fd, 1)
    mine.marks[0] = 7
    theirs.grow(3)
    theirs.grow(2)
    theirs.marks[2] = 9
    assert list(mine.marks) == [7]
    mine.grow(3)
    assert list(mine.marks) == list(theirs.marks) == [7, 0, 9]
    theirs.beat = 4.0
    assert mine.beat == 4.0
    mine.close()
