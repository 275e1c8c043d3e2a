"""What a query means: the evaluator that the stores are held to."""

import time
from datetime import timedelta

import msgspec
import pytest

from tests.core.queries import NOON
from treadle.core.job import JobError, JobView
from treadle.core.query_match import matches
from treadle.core.query_parser import parse
from treadle.core.states import State

JOB = JobView(
    id="7",
    state=State.RETRYABLE,
    name="App.SendInvoice",
    queue="mail",
    args={
        "user": {"id": 42, "big": 2**53 + 1},
        "rate": 1.5,
        "on": True,
        "none": None,
        "list": ["x", {"y": 2}],
        "1": "one",
    },
    attempt=3,
    max_attempts=5,
    inserted_at=NOON - timedelta(hours=2),
    scheduled_at=NOON + timedelta(hours=1),
    errors=(JobError("Other"), JobError("HTTP TIMEOUT after 30 s (Ä)")),
    owner="web-1:10:abc",
    tags=("vip", "new one"),
    meta={"tenant": "acme"},
)

MEANT = (
    "", "id:7", "state:retryable", "queue:mail", "queue:m??l", "name:*Invoice", "name:App.*", "invoice",
    "send*voice", '"INVOICE"', "args.user.id:42", "args.user.id:42.0", "args.user.id:>41", "args.user.id:<=42",
    f"args.user.big:{2**53 + 1}", "args.rate:>1", "args.rate:1.50", "args.on:true", "args.none:null",
    "args.none:*", "args.list.0:x", "args.list.1.y:2", "args.1:one", "args.list.0:?", "meta.tenant:ac*", "tag:vip",
    'tag:"new one"', "error:timeout", "error:*", "error:http*30", "attempt:3", "attempt:>=3", "max_attempts:5",
    "priority:0", "age:>1h", "age:<121m", "due:<0s", "due:>-61m", "owner:web-1:*", "-finished:>1s", "-ran:<1h",
    "-id:8 -(queue:x OR tag:y)", "state:available OR queue:mail",
)  # fmt: skip

NOT_MEANT = (
    "id:07", "state:available", "queue:Mail", "queue:m?l", "name:Invoice", "invoices", "args.user.id:43",
    'args.user.id:"42"', "args.user.id:042", "args.user.id:<42", f"args.user.big:{2**53}", "args.on:1",
    "args.none:0", "args.missing:*", "args.list.2:*", "args.list.00:x", "args.list.x:*", "args.user:42",
    "args.user.id.x:*", "args.rate:1*", "meta.x:null", "tag:new", "error:other", "error:ä", "attempt:4", "age:<2h",
    "finished:<1h", "ran:<100h", "owner:web-1", "-queue:mail", "queue:mail -vip -tag:vip",
)  # fmt: skip


@pytest.mark.parametrize("text", MEANT)
def test_a_job_is_meant(text: str) -> None:
    assert matches(JOB, parse(text), NOON.timestamp())


@pytest.mark.parametrize("text", NOT_MEANT)
def test_a_job_is_not_meant(text: str) -> None:
    assert not matches(JOB, parse(text), NOON.timestamp())


@pytest.mark.parametrize("value", ["4" * 30, "x", ["x"] * 2000, 2**63, 10**400, 1e300, {"x": "x"}, None])
def test_no_value_makes_a_question_fail(value: object) -> None:
    job = msgspec.structs.replace(JOB, args={"x": value}, meta={"x": value})
    for text in ("args.x:1e300", "args.x:>5", "args.x:9223372036854775808", "meta.x.x:x", "args.x.0:x", "args.x:*x*"):
        assert matches(job, parse(text), 0) is not matches(job, parse(f"-{text}"), 0)


PATTERNS = ("*a" * 200 + "b", "*" + "a?" * 200 + "*b", "*a*a*a*a*a*a*b*c", "?" * 400 + "*b")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_long_on_any_text(pattern: str) -> None:
    text = "a" * 20_000
    job = msgspec.structs.replace(JOB, name=text, args={"x": text}, errors=(JobError(text),))
    began = time.process_time()
    assert not matches(job, parse(f"name:{pattern} OR args.x:{pattern} OR error:{pattern}"), 0)
    assert time.process_time() - began < 1
