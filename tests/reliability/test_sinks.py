"""Row 94: a log or a listener that breaks changes no job's outcome."""

from pathlib import Path

import pytest

from tests.reliability.talk import Talk
from treadle import Treadle

JOBS = 20


@pytest.mark.parametrize("stderr", [None, Path("/dev/full")], ids=["stderr", "full disk"])
@pytest.mark.parametrize("environment", [{}, {"BROKEN": "1"}], ids=["", "handlers and listeners raise"])
def test_every_job_ends_whatever_becomes_of_the_log(url: str, stderr: Path | None, environment: dict[str, str]) -> None:
    talk = Talk(url)
    for _ in range(JOBS):
        talk.insert("quiet")
    talk.insert("nobody_knows_me")
    talk.insert("fail", text="no", attempts=2)
    talk.insert("give_up", text="no")
    talk.work("--log-level", "debug", stderr=stderr, **environment)
    states = talk.states()
    assert states.count("scheduled") == 1
    assert states.count("retryable") == 1
    if not url.startswith("redis"):
        assert states.count("completed") == JOBS
        assert states.count("cancelled") == 1
        assert len(states) == JOBS + 3
    else:
        assert len(states) == 2


def test_an_enqueue_succeeds_whatever_its_listeners_do(url: str) -> None:
    from treadle.hooks.events import JobInserted  # noqa: PLC0415

    app = Treadle(url)

    @app.on(JobInserted)
    def listen(event: JobInserted) -> None:
        raise ValueError(event.id)

    assert app.enqueue("quiet").id
    app.close()
