"""A job of every executor that takes and gives typed values."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from treadle import Treadle

app = Treadle("sqlite://", defaults={"max_attempts": 1})


@dataclass
class Line:
    """A line of an invoice."""

    product: str
    price: Decimal


@dataclass
class Invoice:
    """What it comes to."""

    total: Decimal
    due: date


def invoice(lines: list[Line], day: date, within: timedelta = timedelta(days=30)) -> Invoice:
    """The sum of the lines."""
    return Invoice(sum((line.price for line in lines), Decimal(0)), day + within)


@app.job(record=True)
async def on_loop(lines: list[Line], day: date, within: timedelta = timedelta(days=30)) -> Invoice:
    return invoice(lines, day, within)


on_thread = app.job(name="on_thread", record=True)(invoice)
in_process = app.job(name="in_process", record=True, executor="process")(invoice)
