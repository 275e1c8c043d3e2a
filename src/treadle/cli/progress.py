"""How far something is: a bar by rich, a line that is written over, or, where no terminal is, a line now and then."""

import sys
from importlib.util import find_spec
from typing import Protocol

import click

_BAR = 40
_STEPS = 5


class Progress(Protocol):
    """Shown from its making to `end`."""

    def at(self, done: int) -> None:
        """So many are done."""
        ...

    def say(self, text: str) -> None:
        """Print a line that stays."""
        ...

    def end(self) -> None:
        """No more comes."""
        ...


def progress_of(total: int) -> Progress:
    """What suits this standard output."""
    if not sys.stdout.isatty():
        return _Lines(total)
    return _Rich(total) if find_spec("rich") else _LiveLine(total)


class _Lines:
    """A line for every fifth."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._said = 0

    def at(self, done: int) -> None:
        step = done * _STEPS // self._total if self._total else _STEPS
        if step > self._said:
            self._said = step
            self.say(f"{done / max(self._total, 1):5.0%}  {done:,} of {self._total:,}")

    def say(self, text: str) -> None:
        click.echo(text)
        sys.stdout.flush()

    def end(self) -> None:
        return


class _LiveLine:
    """One line that is written over."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._line = ""

    def at(self, done: int) -> None:
        share = done / self._total if self._total else 1.0
        filled = int(share * _BAR)
        self._line = f"{'█' * filled}{'░' * (_BAR - filled)} {share:4.0%}  {done:,} of {self._total:,}"
        click.echo(f"\r{self._line}\x1b[K", nl=False)

    def say(self, text: str) -> None:
        click.echo(f"\r{text}\x1b[K\n{self._line}", nl=False)

    def end(self) -> None:
        click.echo()


class _Rich:
    """A bar drawn by rich."""

    def __init__(self, total: int) -> None:
        from rich import progress  # noqa: PLC0415 - an extra

        columns = progress.BarColumn(_BAR), progress.TaskProgressColumn(), progress.MofNCompleteColumn()
        self._bars = progress.Progress(*columns, progress.TimeElapsedColumn())
        self._bars.start()
        self._bar = self._bars.add_task("", total=total)

    def at(self, done: int) -> None:
        self._bars.update(self._bar, completed=done)

    def say(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    def end(self) -> None:
        self._bars.stop()
