"""Arguments are shown without what a job and its app redact."""

import json
from typing import Any

import pytest

from treadle import Treadle
from treadle.app.shown import LIMIT, shown_args, shown_text, shown_view
from treadle.core.job import Job, JobView
from treadle.core.states import State


@pytest.fixture
def app() -> Treadle:
    app = Treadle("sqlite://", defaults={"redact": ["pin"]})

    @app.job(redact=["iban"])
    def pay(amount: int, iban: str, pin: int = 0, *, profile: dict[str, Any] | None = None) -> None: ...

    @app.job
    def call(number: int, *tokens: str) -> None: ...

    @app.external("MyApp.Pay", redact=["iban"])
    def elsewhere(iban: str) -> None: ...

    @app.job(name="broken", timeout=-1)
    def broken(iban: str) -> None: ...

    return app


@pytest.mark.parametrize(
    ("name", "args", "shown"),
    [
        ("pay", [5, "DE1", 1, {"token": 1, "a": 2}], [5, "***", "***", {"token": "***", "a": 2}]),
        ("pay", {"amount": 5, "iban": "DE1"}, {"amount": 5, "iban": "***"}),
        ("pay", [5, "DE1", 1, {}, {"pin": 1}], [5, "***", "***", {}, {"pin": "***"}]),
        ("call", [1, "a", "b"], [1, "a", "b"]),
        ("MyApp.Pay", ["DE1"], ["***"]),
        ("unknown", {"pin": 1, "iban": "DE1", "password": "x"}, {"pin": "***", "iban": "DE1", "password": "***"}),
        ("broken", {"amount": 5}, "***"),
        ("pay", None, None),
    ],
)
def test_what_is_redacted_is_masked_in_either_shape(app: Treadle, name: str, args: object, shown: object) -> None:
    assert shown_args(app, name, args) == shown


def test_a_job_cannot_uncover_what_its_app_redacts(app: Treadle) -> None:
    job = app.find("pay")
    assert job is not None
    assert job.handler.options.redact == {"iban", "pin"}


def test_the_text_is_json_of_a_limited_length(app: Treadle) -> None:
    def text_of(args: bytes) -> str:
        return shown_text(app, Job("7", "pay", "default", args, 1, 1))

    assert json.loads(text_of(b'{"iban": "DE1"}')) == {"iban": "***"}
    assert text_of(b'["' + b"x" * 1000 + b'"]') == f'["{"x" * (LIMIT - 2)}…'
    assert text_of(b'{"iban": "DE1') == "13 bytes that cannot be shown"


def test_a_view_is_shown_with_its_arguments_and_meta_masked(app: Treadle) -> None:
    view = JobView(
        id="7",
        state=State.AVAILABLE,
        name="pay",
        queue="default",
        args=[5, "DE1"],
        attempt=0,
        max_attempts=1,
        meta={"pin": 1, "team": "shop"},
    )
    shown = shown_view(app, view)
    assert (shown.args, shown.meta) == ([5, "***"], {"pin": "***", "team": "shop"})
