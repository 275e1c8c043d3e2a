"""What people tell a node's queues: what is served then, and how a limit is dealt to processes while it changes."""

from collections import Counter
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.core.controls import CancelRequest, QueueAction, QueueControl, names_of
from treadle.hooks.events import Events
from treadle.runtime.child import Child, Ready
from treadle.runtime.plan import Plan
from treadle.runtime.served import Served
from treadle.runtime.serving import Serving
from treadle.runtime.slots import Group

NODE = "web-1:77"


def tell(action: QueueAction, queue: str, *, limit: int | None = None, node: str | None = None) -> QueueControl:
    return QueueControl(action=action, queue=queue, limit=limit, node=node)


# What is served


def served_after(*controls: QueueControl) -> Served:
    served = Served(Plan(limits={"slow": 2}, concurrency=5), ("mail", "slow", "web"))
    for control in controls:
        served.obey(control)
    return served


@pytest.mark.parametrize(
    ("controls", "groups"),
    [
        ([], [(("mail", "web"), 5), (("slow",), 2)]),
        ([tell("scale", "slow", limit=4)], [(("mail", "web"), 5), (("slow",), 4)]),
        ([tell("scale", "mail", limit=3)], [(("web",), 5), (("slow",), 2), (("mail",), 3)]),
        ([tell("scale", "other", limit=3)], [(("mail", "web"), 5), (("slow",), 2)]),
        ([tell("start", "new")], [(("mail", "web", "new"), 5), (("slow",), 2)]),
        ([tell("start", "new", limit=1)], [(("mail", "web"), 5), (("slow",), 2), (("new",), 1)]),
        ([tell("start", "slow")], [(("mail", "web"), 5), (("slow",), 2)]),
        ([tell("stop", "slow"), tell("stop", "slow")], [(("mail", "web"), 5)]),
        ([tell("stop", "slow"), tell("start", "slow")], [(("mail", "web", "slow"), 5)]),
        ([tell("stop", queue) for queue in ("slow", "web", "mail")], []),
    ],
)
def test_queues_are_scaled_started_and_stopped(
    controls: Sequence[QueueControl], groups: Sequence[tuple[tuple[str, ...], int]]
) -> None:
    served = served_after(*controls)
    assert [(group.queues, group.limit) for group in served.groups(served.limits)] == groups


def test_a_pause_of_one_node_lasts_until_that_or_every_node_resumes() -> None:
    here = tell("pause", "mail", node=NODE)
    assert served_after(here).active == ("web", "slow")
    assert served_after(tell("pause", "*", node=NODE)).active == ()
    assert served_after(here, tell("resume", "mail", node=NODE)).paused == set()
    assert served_after(here, tell("resume", "*")).paused == set()
    assert served_after(here, tell("stop", "mail"), tell("start", "mail")).paused == set()
    assert served_after(tell("pause", "other", node=NODE)).paused == set()
    # Of this the store takes care, and every claim.
    assert served_after(tell("pause", "mail")).paused == set()


def test_a_node_answers_to_its_host_to_itself_and_to_its_owners() -> None:
    names = names_of(NODE, ["web-1:78:abc"])
    for node in (None, "web-1", "web-1:77", "web-1:78:abc"):
        assert tell("pause", "mail", node=node).concerns(names)
    for node in ("web", "web-1:78", "web-2", ""):
        assert not tell("pause", "mail", node=node).concerns(names)


# How a limit is dealt


class Process(Child):
    """A child that starts no process: what it is told it does at once, or when a test lets it."""

    def __init__(self, index: int, plan: Plan, *, alone: bool = False) -> None:
        super().__init__(index, plan, alone=alone)
        self.told: list[tuple[int, dict[str, int]]] = []
        self.looked = 0
        self.groups: tuple[Group, ...] = ()
        self.claims = Counter[str]()

    def send(self, kind: str, **values: object) -> None:
        self.looked += kind == "look" and not values

    def serve(self, groups: Sequence[Group], paused: Collection[str]) -> None:
        super().serve(groups, paused)
        self.told.append((self.served, {group.queues[0]: group.limit for group in groups if group.own}))
        self.groups = tuple(groups)


class Team:
    """The processes of a node, and what they hold of one queue that has a limit."""

    def __init__(self, processes: int, limit: int) -> None:
        self.plan = Plan(limits={"slow": limit}, processes=processes)
        self.children: list[Process] = []
        self.serving = Serving(self.plan, NODE, self.children, Events())
        self.serving.open(Ready("sqlite://", ("slow", "mail")))
        self.limit = limit
        # What each has obeyed: until then it claims by what it was told before.
        self.parts: dict[Process, int] = {}
        self.numbers: dict[Process, int] = {}
        for index in range(processes):
            self.join(index)

    def join(self, index: int, *, alone: bool = False) -> Process:
        child = Process(index, self.plan, alone=alone)
        self.children.append(child)
        self.serving.welcome(child, f"web-1:{index}:a", quiet=False)
        self.parts[child] = 0
        return child

    @property
    def held(self) -> int:
        return sum(child.claims["slow"] for child in self.children)

    def hear(self, child: Process) -> None:
        """It takes its next message, and answers."""
        if child.told:
            self.numbers[child], parts = child.told.pop(0)
            self.parts[child] = parts.get("slow", 0)
            self.answer(child)

    def answer(self, child: Process) -> None:
        self.serving.heard(child, self.numbers[child], {"slow": child.claims["slow"]})

    def claim(self, child: Process) -> bool:
        if child.claims["slow"] < self.parts[child]:
            child.claims["slow"] += 1
            return True
        return False

    def end(self, child: Process) -> None:
        if child.claims["slow"]:
            over = child.claims["slow"] > self.parts[child]
            child.claims["slow"] -= 1
            if over:
                self.answer(child)

    def settle_down(self) -> None:
        while any(child.told for child in self.children):
            for child in self.children:
                self.hear(child)

    def close(self) -> None:
        for child in self.children:
            child.page.close()


class Story:
    """A team to which things happen by chance. `highest` is the highest limit that somebody may still act by."""

    def __init__(self, processes: int, limit: int) -> None:
        self.team = Team(processes, limit)
        self.highest = limit

    @property
    def quiet(self) -> bool:
        """Whether everybody has heard everything."""
        return not any(child.told for child in self.team.children)

    def claim(self, child: Process) -> None:
        if self.team.claim(child):
            assert self.team.held <= (self.team.limit if self.quiet else self.highest)

    def end(self, child: Process) -> None:
        self.team.end(child)

    def hear(self, child: Process) -> None:
        self.team.hear(child)
        if self.quiet:
            self.highest = self.team.limit

    def die(self, child: Process) -> None:
        self.team.children.remove(child)
        self.team.serving.left(child)
        child.page.close()
        self.team.join(child.index)
        self.team.children.sort(key=lambda one: one.index)

    def scale(self, limit: int) -> None:
        self.highest = max(self.highest, limit)
        self.team.limit = limit
        self.team.serving.obey(tell("scale", "slow", limit=limit))

    def ends(self) -> None:
        """When all has come to rest each has its part."""
        team = self.team
        team.settle_down()
        for child in team.children:
            while child.claims["slow"]:
                team.end(child)
                team.settle_down()
        parts = [team.plan.portion(team.limit, index) for index in range(team.plan.processes)]
        assert [team.parts[child] for child in team.children] == parts
        team.close()


steps = st.one_of(
    st.tuples(st.sampled_from(["claim", "claim", "claim", "end", "end", "hear", "hear", "die"]), st.integers(0, 2)),
    st.tuples(st.just("scale"), st.integers(1, 9)),
)


@settings(deadline=None, max_examples=200)
@given(processes=st.integers(1, 3), limit=st.integers(1, 9), told=st.lists(steps, max_size=60))
def test_a_limit_holds_over_all_processes_whatever_it_is_changed_to(
    processes: int, limit: int, told: list[tuple[str, int]]
) -> None:
    story = Story(processes, limit)
    for step, number in told:
        getattr(story, step)(number if step == "scale" else story.team.children[number % processes])
    story.ends()


def test_nobody_claims_more_while_another_holds_more_than_its_new_part() -> None:
    team = Team(2, 6)
    team.settle_down()
    first, second = team.children
    for child in (first, second):
        for _ in range(3):
            assert team.claim(child)
    team.serving.obey(tell("scale", "slow", limit=2))
    team.settle_down()
    for _ in range(3):
        team.end(first)
        team.settle_down()
        assert not team.claim(first)
    team.end(second)
    team.settle_down()
    assert not team.claim(first)
    team.end(second)
    team.settle_down()
    assert team.claim(first)
    assert not team.claim(second)
    team.close()


def test_a_raise_waits_for_nobody() -> None:
    team = Team(2, 2)
    team.settle_down()
    team.serving.obey(tell("scale", "slow", limit=4))
    first, second = team.children
    assert [child.told[-1][1]["slow"] for child in (first, second)] == [2, 2]
    team.close()


def test_a_process_that_does_not_answer_holds_the_others_up_until_it_is_gone() -> None:
    team = Team(2, 4)
    team.settle_down()
    first, second = team.children
    team.serving.obey(tell("scale", "slow", limit=2))
    team.hear(first)
    assert not team.claim(first)
    team.children.remove(second)
    team.serving.left(second)
    second.page.close()
    team.settle_down()
    assert team.claim(first)
    team.close()


def test_an_answer_to_what_was_told_before_counts_for_nothing() -> None:
    team = Team(1, 4)
    team.settle_down()
    (child,) = team.children
    team.serving.obey(tell("scale", "slow", limit=2))
    number, _ = child.told.pop(0)
    team.serving.obey(tell("scale", "slow", limit=1))
    team.serving.heard(child, number, {"slow": 0})
    assert [parts for _, parts in child.told] == [{"slow": 0}]
    team.close()


def test_who_runs_suspects_serves_every_queue_in_its_one_slot() -> None:
    team = Team(1, 4)
    alone = team.join(1, alone=True)
    assert alone.groups == (Group(("mail", "slow"), 1),)
    team.serving.obey(tell("start", "new"))
    assert alone.groups == (Group(("mail", "new", "slow"), 1),)
    team.close()


def test_a_cancel_is_handed_to_the_process_that_runs_the_job() -> None:
    team = Team(2, 4)
    for child in team.children:
        child.owner = f"web-1:{child.index}:a"
    team.serving.obey(CancelRequest(owner="web-1:1:a"))
    assert [child.looked for child in team.children] == [0, 1]
    team.close()


def test_what_is_told_to_another_node_is_nothing_to_this_one() -> None:
    team = Team(1, 4)
    team.settle_down()
    team.serving.obey(tell("scale", "slow", limit=2, node="web-2:5"))
    assert team.children[0].told == []
    team.serving.obey(tell("pause", "mail", node="web-1"))
    assert set(team.serving.active) == {"slow"}
    team.close()
