"""Options are checked where they are given, and the refusal says what was expected and what came."""

from collections.abc import Callable

import pytest

from treadle.core.options import check_count, check_executor, check_name, check_seconds, check_tags
from treadle.errors import ConfigError


def sync_job() -> None: ...
async def async_job() -> None: ...


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        check()
    return str(caught.value)


@pytest.mark.parametrize("name", ["a", "mail", "MyApp::Welcome", "Elixir.My.App", "a b", "a/1", "été", "x" * 127])
def test_a_name_that_every_peer_takes_is_taken(name: str) -> None:
    assert check_name(name, "queue") == name


@pytest.mark.parametrize("name", ["", "a\n", "a,b", "a\x00", "*", "{a}", "x" * 128, None, 5, b"a"])
def test_another_name_is_refused(name: object) -> None:
    assert refusal(lambda: check_name(name, "the queue")) == (
        f"expected the queue to be 1 to 127 letters, digits, blanks or any of _ . - : /, got {name!r:.80}"
    )


@pytest.mark.parametrize("count", [1, 20, 32_767])
def test_a_count_within_bounds_is_taken(count: int) -> None:
    assert check_count(count, "max_attempts") == count


@pytest.mark.parametrize("count", [0, -1, 32_768, True, 1.0, "5", None])
def test_another_count_is_refused(count: object) -> None:
    assert refusal(lambda: check_count(count, "max_attempts")) == (
        f"expected max_attempts to be an integer from 1 to 32767, got {count!r}"
    )


@pytest.mark.parametrize("seconds", [0, 0.5, 60, 1e9])
def test_seconds_are_taken_as_a_float(seconds: float) -> None:
    taken = check_seconds(seconds, "delay")
    assert taken == seconds
    assert isinstance(taken, float)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e10, "5", True, None])
def test_other_seconds_are_refused(seconds: object) -> None:
    assert refusal(lambda: check_seconds(seconds, "delay")) == (
        f"expected delay to be a number of seconds, at least 0, got {seconds!r}"
    )


def test_tags_are_kept_as_oban_keeps_them() -> None:
    assert check_tags([" VIP", "mail", "vip", "Été "], "tags") == ("vip", "mail", "été")


def test_a_blank_tag_is_refused() -> None:
    assert refusal(lambda: check_tags(["vip", "  "], "tags")) == (
        "expected tags to be words, got one that is blank in ['vip', '  ']"
    )


def test_a_bound_that_is_excluded_is_named() -> None:
    assert refusal(lambda: check_seconds(0, "timeout", above=0.0)) == (
        "expected timeout to be a number of seconds, more than 0, got 0"
    )


def test_the_executor_is_by_default_the_functions_own() -> None:
    assert check_executor(None, "executor", sync_job, is_async=False) == "thread"
    assert check_executor(None, "executor", async_job, is_async=True) == "loop"
    assert check_executor("process", "executor", async_job, is_async=True) == "process"
    assert check_executor("thread", "executor", sync_job, is_async=False) == "thread"


def test_a_sync_function_on_the_loop_is_refused_with_the_reason() -> None:
    assert refusal(lambda: check_executor("loop", "executor", sync_job, is_async=False)) == (
        'expected executor to be "thread" or "process" for the sync function sync_job, got "loop": '
        "it would block every other job; or write it with async def"
    )


def test_an_executor_that_is_none_is_refused() -> None:
    assert refusal(lambda: check_executor("gevent", "executor", sync_job, is_async=False)) == (
        "expected executor to be one of loop, thread, process, got 'gevent'"
    )


def test_a_coroutine_function_on_a_thread_is_refused_with_the_reason() -> None:
    assert refusal(lambda: check_executor("thread", "executor", async_job, is_async=True)) == (
        'expected executor to be "loop" or "process" for the async function async_job, got "thread": '
        "calling it there would run nothing; or write it with def"
    )
