"""Row 83: what is secret in the arguments of jobs is shown nowhere, and stands in the store as it was given."""

import asyncio
import json
from typing import Any

import pytest

from tests.reliability.talk import APP, Talk
from treadle import Treadle
from treadle.stores.job_query import JobQuery

CANARY = "canary-4711"
SECRETS: dict[str, Any] = {
    "iban": CANARY,
    "pin": CANARY,
    "api_key": CANARY,
    "profile": {"password": CANARY, "name": "Ada"},
}


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_with_arguments_shows_no_secret(url: str, form: str) -> None:
    talk = Talk(url)
    talk.insert("pay", amount=5, **SECRETS)
    talk.insert("pay", amount=5, **SECRETS | {"iban": [CANARY]})
    talk.insert("pay", amount="a lot", **SECRETS)
    talk.insert("pay", amount=-5, **SECRETS)
    talk.insert("pay", amount=5, **SECRETS | {"profile": [{"card_number": CANARY}]})
    talk.insert("nobody_knows_me", password=CANARY, profile={"token": CANARY})
    log = talk.work("--log-args", "--log-level", "debug", "--log-format", form)
    assert "completed in" in log
    assert "failed for good" in log
    assert "Ada" in log
    assert "***" in log
    assert log.count("got a value that is not shown") > 2
    found = [line for line in log.splitlines() if CANARY in line]
    # A list has no names where nobody knows the job.
    assert [line for line in found if "nobody_knows_me" not in line] == []


def test_a_log_shows_no_arguments_unless_it_is_told_to(url: str) -> None:
    talk = Talk(url)
    talk.insert("pay", amount=5, **SECRETS)
    assert "Ada" not in talk.work("--log-level", "debug")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_the_command_line_shows_of_jobs_has_no_secret(url: str, form: tuple[str, ...]) -> None:
    talk = Talk(url)
    job_id = talk.insert("pay", amount="a lot", **SECRETS)
    other = talk.insert("pay", amount=5, **SECRETS | {"iban": [CANARY]})
    for moment in ("before", "after"):
        told = talk.says("jobs", "list", APP, *form)
        told += "".join(talk.says("jobs", "show", APP, one, *form) for one in (job_id, other))
        assert CANARY not in told, moment
        assert "***" in told
        assert "Ada" in told
        if moment == "before":
            talk.work()


def test_the_store_keeps_what_was_given(url: str) -> None:
    talk = Talk(url)
    talk.insert("pay", amount=5, **SECRETS)
    talk.says("jobs", "list", APP)
    assert asyncio.run(_args(url)).count(CANARY) == 4


async def _args(url: str) -> str:
    app = Treadle(url)
    try:
        (view,) = await (await app.astore()).find(JobQuery())
        return json.dumps(view.args)
    finally:
        await app.aclose()
