"""Jobs that Rails pushed through ActiveJob: known by their own class, with their own arguments."""

import json
from typing import Any

import pytest

from tests.stores.redis_desk import foreign
from treadle.core.outcomes import Failure
from treadle.core.states import State
from treadle.stores import sidekiq
from treadle.stores.active_job import WRAPPERS
from treadle.stores.sidekiq_view import view


def rails(*arguments: Any, wrapper: str = "Sidekiq::ActiveJob::Wrapper", **changed: Any) -> bytes:
    """What `WelcomeJob.perform_later` pushes. Source: activejob 7.1, core.rb, `serialize`."""
    carried = {
        "job_class": "Shop::WelcomeJob",
        "job_id": "0b7b4a0e-6d0b-4e9c-9d43-0c1f8d8b2c11",
        "provider_job_id": None,
        "queue_name": "default",
        "priority": None,
        "arguments": list(arguments),
        "executions": 0,
        "exception_executions": {},
        "locale": "en",
        "timezone": "UTC",
        "enqueued_at": "2026-11-28T12:00:00.000000000Z",
        "scheduled_at": None,
        **changed,
    }
    return foreign(1, **{"class": wrapper, "wrapped": "Shop::WelcomeJob", "args": [carried]}).encode()


@pytest.mark.parametrize("wrapper", sorted(WRAPPERS))
def test_it_is_known_by_the_class_that_the_wrapper_carries(wrapper: str) -> None:
    job = sidekiq.read(rails(42, "en", wrapper=wrapper), "default")
    assert (job.name, json.loads(job.args), job.origin) == ("Shop::WelcomeJob", [42, "en"], "sidekiq")


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ([], []),
        ([{"user_id": 42, "_aj_ruby2_keywords": ["user_id"]}], {"user_id": 42}),
        ([{"user_id": 42, "_aj_symbol_keys": []}], [{"user_id": 42, "_aj_symbol_keys": []}]),
        ([1, {"lang": "en", "_aj_ruby2_keywords": ["lang"]}], [1, {"lang": "en", "_aj_ruby2_keywords": ["lang"]}]),
        ([{"_aj_globalid": "gid://shop/User/42"}], [{"_aj_globalid": "gid://shop/User/42"}]),
        ([2**70, 1.5, None], [2**70, 1.5, None]),
    ],
)
def test_its_arguments_are_those_of_the_call(arguments: list[Any], read: Any) -> None:  # noqa: ANN401 - any JSON
    assert json.loads(sidekiq.read(rails(*arguments), "default").args) == read


@pytest.mark.parametrize("args", [[], [1], [{"job_class": "A"}], [{"job_class": 1, "arguments": []}]])
def test_a_wrapper_that_carries_no_job_is_a_job_of_its_own_name(args: list[Any]) -> None:
    text = foreign(1, **{"class": "Sidekiq::ActiveJob::Wrapper", "args": args}).encode()
    job = sidekiq.read(text, "default")
    assert (job.name, json.loads(job.args)) == ("Sidekiq::ActiveJob::Wrapper", args)


def test_what_it_carries_survives_a_failure_byte_for_byte() -> None:
    text = rails({"user_id": 42, "_aj_ruby2_keywords": ["user_id"]})
    after = b"1.5".join(sidekiq.failed(text, "default", Failure("ValueError", "no")).pieces)
    assert text[text.index(b'"args"') : text.index(b'"jid"')] in after
    assert json.loads(after)["class"] == "Sidekiq::ActiveJob::Wrapper"


def test_people_see_the_class_that_it_carries() -> None:
    shown = view(rails(42), State.AVAILABLE)
    assert (shown.name, shown.args) == ("Shop::WelcomeJob", [42])
