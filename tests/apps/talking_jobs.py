"""An app whose jobs write to the log; its store is TREADLE_URL. BROKEN makes whatever listens to it break."""

import logging
import os
import threading
from typing import Any

from treadle import Cancel, Treadle
from treadle.hooks.events import JobCompleted, JobStarted

app = Treadle(defaults={"redact": ["pin"]})

_log = logging.getLogger("shop.mail")


class Broken(logging.Handler):
    """Raises where it should handle what it raises."""

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        raise OSError(28, "No space left on device")


def _break(event: object) -> None:
    raise ValueError("a listener that raises")


if "BROKEN" in os.environ:
    logging.getLogger().addHandler(Broken())
    logging.getLogger().setLevel(logging.DEBUG)
    app.on(JobStarted)(_break)
    app.on(JobCompleted)(_break)


@app.job
async def on_the_loop(text: str) -> None:
    _log.info("%s", text)


@app.job
def in_a_thread(text: str) -> None:
    _log.info("%s", text)


@app.job(executor="process")
def in_a_process(text: str) -> None:
    _log.info("%s", text)


@app.job
def outside(text: str) -> None:
    """Write from a thread of its own, which runs in no job."""
    thread = threading.Thread(target=_log.info, args=("%s", text))
    thread.start()
    thread.join()


@app.job
async def quiet() -> None: ...


@app.job(max_attempts=2, backoff=lambda _: 19.0)
def fail(text: str) -> None:
    raise ValueError(text)


@app.job
def give_up(text: str) -> None:
    raise Cancel(text)


@app.job(max_attempts=1, redact=["iban"], record=True)
def pay(
    amount: int, iban: str, pin: str, *, api_key: str = "", profile: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A negative amount makes its value one that cannot be kept."""
    return {"paid": amount if amount > 0 else {1}, "token": iban}
