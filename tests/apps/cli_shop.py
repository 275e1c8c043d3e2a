"""An app with one job for each thing that a worker can be seen to do; its store is TREADLE_URL."""

import os
import time
from pathlib import Path

from treadle import Treadle, Unique

app = Treadle()


@app.job(record=True)
def greet(name: str, times: int = 1) -> str:
    """Come to an end."""
    return f"hello {name} " * times


@app.job(max_attempts=1)
def fail(text: str = "no") -> None:
    """Fail for good."""
    raise ValueError(text)


@app.job(queue="mail", aliases=["Mailer"])
def mail(to: str) -> None:
    """Come to an end on another queue."""


@app.job
def hold(folder: str) -> None:
    """Write a file `started` that holds the worker's process id, then run until a file `release` is there."""
    place = Path(folder)
    with (place / "started").open("a") as file:
        file.write(f"{os.getpid()}\n")
    while not (place / "release").exists():
        time.sleep(0.01)


@app.job(queue="mail")
def hold_mail(folder: str) -> None:
    """The same on the queue `mail`."""
    hold(folder)


@app.job(unique=Unique(until="success"))
def rebuild(catalogue: int) -> None:
    """Be kept once."""
