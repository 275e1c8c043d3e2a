"""How things are printed: tables and JSON, with nothing in them that a terminal would obey."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
import msgspec

from treadle.core.printable import one_line

COLOURS = {
    "completed": "green",
    "ok": "green",
    "executing": "cyan",
    "retryable": "yellow",
    "suspended": "yellow",
    "warning": "yellow",
    "discarded": "red",
    "error": "red",
    "cancelled": "magenta",
}
"""Words that have a colour on a terminal."""

_GAP = "  "


def short(text: str, width: int) -> str:
    """One line of at most `width` characters."""
    line = one_line(text)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def moment(at: datetime | None) -> str:
    """An instant in UTC to the second; "" for none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def json_text(value: object) -> str:
    """One line of JSON in ASCII, whatever the value holds."""
    return json.dumps(msgspec.to_builtins(value))


def show_json(value: object) -> None:
    """Print a value as one JSON document in ASCII."""
    click.echo(json.dumps(msgspec.to_builtins(value), indent=2))


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headers, drawn by rich on a terminal that it is installed for.

    Cells are escaped here.
    """
    safe = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and _drawn(headers, safe):
        return
    widths = [max(map(len, column)) for column in zip(headers, *safe, strict=True)]
    for row in (headers, *safe):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo(_GAP.join(cells).rstrip())


def coloured(word: str, padded: str | None = None) -> str:
    """A word in its colour, padded as given; click takes the colour away where no terminal is."""
    return click.style(padded or word, fg=COLOURS.get(word))


def _drawn(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich import box, console, table, text  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return False
    drawn = table.Table(box=box.SIMPLE_HEAD)
    for header in headers:
        drawn.add_column(header, no_wrap=True)
    for row in rows:
        drawn.add_row(*(text.Text(cell, style=COLOURS.get(cell, "")) for cell in row))
    console.Console().print(drawn)
    return True
