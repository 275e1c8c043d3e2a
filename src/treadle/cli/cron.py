"""`treadle cron`: what the crontab holds and when it ticks; and entries added, paused, resumed, removed and run."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from treadle.app.crons import CronView
from treadle.app.load import is_reference
from treadle.app.shown import shown_args
from treadle.app.treadle import Treadle
from treadle.cli.enqueue import bound_call, free_job, json_args
from treadle.cli.options import as_json, count, store_url
from treadle.cli.options import name as checked_name
from treadle.cli.show import moment, show_json, show_table
from treadle.cli.target import on_store, open_app, split, user_code
from treadle.core.cron import DAYS
from treadle.core.cron_entry import CATCH_UP
from treadle.core.printable import one_line
from treadle.stores.contract import Store
from treadle.stores.url import mask

NEXT = 10
_ADD_WORDS = (2, 3)


@click.group()
def cron() -> None:
    """Look at the crontab, and change it."""


@cron.command("list")
@click.argument("app", required=False, metavar="[APP]")
@store_url
@as_json
def list_crons(app: str | None, url: str | None, *, as_json: bool) -> None:
    """Print every entry: whether it ticks, what it inserts, its last tick and its next."""
    target = _open(app, url)
    address = mask(target.url)
    found = on_store(target, lambda _: target.crons.alist())
    if as_json:
        show_json([msgspec.structs.replace(view, args=shown_args(target, view.job, view.args)) for view in found])
    elif found:
        headers = ["name", "state", "expression", "zone", "job", "queue", "source", "last (UTC)", "next (UTC)"]
        show_table(headers, [_row(view) for view in found])
    else:
        click.echo(f"no crontab in {one_line(address)}")


@cron.command("next")
@click.argument("words", nargs=-1, metavar="[APP] [NAME]")
@store_url
@click.option("--count", type=count, metavar="N", default=NEXT, show_default=True, help="So many ticks.")
@as_json
def next_ticks(words: tuple[str, ...], url: str | None, count: int, *, as_json: bool) -> None:
    """Print the next ticks of an entry, or of all that tick, in UTC and in the entry's zone."""
    reference, names = split(words)
    if len(names) > 1:
        raise click.UsageError(f"expected at most one NAME, got {len(names)}")
    target = _open(reference, url)
    coming = on_store(target, lambda _: _coming(target, names, count))
    if as_json:
        show_json([{"at": tick.astimezone(UTC), "local": tick, "name": name} for tick, name in coming])
    elif coming:
        show_table(
            ["at (UTC)", "local", "name"],
            [[moment(tick), f"{tick:%a %Y-%m-%d %H:%M:%S %Z}", name] for tick, name in coming],
        )
    else:
        click.echo("nothing ticks")


def _takes_an_entry(command: Callable[..., None]) -> Callable[..., None]:
    """What every command takes that is about one entry."""
    return store_url(click.argument("words", nargs=-1, required=True, metavar="[APP] NAME")(command))


@cron.command()
@_takes_an_entry
def pause(words: tuple[str, ...], url: str | None) -> None:
    """Let an entry tick no more until it is resumed."""
    _tell(words, url, lambda app, name: app.crons.apause(name), "paused")


@cron.command()
@_takes_an_entry
def resume(words: tuple[str, ...], url: str | None) -> None:
    """Let a paused entry tick again, from now on."""
    _tell(words, url, lambda app, name: app.crons.aresume(name), "resumed")


@cron.command()
@_takes_an_entry
def remove(words: tuple[str, ...], url: str | None) -> None:
    """Delete an entry; workers that have it in their code write it anew."""
    _tell(words, url, lambda app, name: app.crons.aremove(name), "removed")


@cron.command()
@_takes_an_entry
def run(words: tuple[str, ...], url: str | None) -> None:
    """Insert an entry's job now, and print its id."""
    app, name = _entry(words, url)
    click.echo(on_store(app, lambda _: app.crons.arun(name)).id)


@cron.command()
@click.argument("words", nargs=-1, required=True, metavar="[APP] EXPRESSION JOB [ARGS]")
@store_url
@click.option("--name", type=checked_name, metavar="NAME", help="The entry's name.  [default: that of JOB]")
@click.option("--tz", metavar="ZONE", default="UTC", show_default=True, help="The time zone of EXPRESSION.")
@click.option("--queue", type=checked_name, metavar="NAME", help="The queue.  [default: the job's own, else default]")
@click.option(
    "--catch-up",
    type=click.Choice(CATCH_UP),
    default="skip",
    show_default=True,
    metavar="WHICH",
    help="Which ticks come later that no worker was there for: skip, last or all.",
)
@click.option(
    "--days",
    type=click.Choice(DAYS),
    default="either",
    show_default=True,
    metavar="WHICH",
    help="Which of day of month and weekday must fit where both are restricted: either or both.",
)
def add(words: tuple[str, ...], url: str | None, queue: str | None, **options: Any) -> None:
    """Add an entry that inserts JOB at the ticks of EXPRESSION, or change the entry of that name.

    With APP, JOB is one of its jobs, and ARGS, a JSON list or object, must bind to its signature; without it any name.
    """
    reference, rest = (words[0], words[1:]) if is_reference(words[0]) else (None, words)
    if len(rest) not in _ADD_WORDS:
        raise click.UsageError(f"expected EXPRESSION, JOB and perhaps ARGS, got {len(rest)} words; quote each as one")
    expr, job, *more = rest
    value = json_args(more[0]) if more else None
    app = _open(reference, url)

    async def step(store: Store) -> None:
        if reference is None:
            call: Any = free_job(store, checked_name(job), value, queue or "default")
        else:
            call = bound_call(app, reference, job, value, {"queue": queue})
        await app.crons.aadd(expr, call, **options)

    on_store(app, step, create=True)
    click.echo(f"cron entry {one_line(options['name'] or job)} added")


def _open(reference: str | None, url: str | None) -> Treadle:
    """The app, with the jobs of its modules: what they declare is shown, also where no worker has run yet."""
    app = open_app(reference, url)
    with user_code():
        app.load()
    return app


def _entry(words: Sequence[str], url: str | None) -> tuple[Treadle, str]:
    # An entry's name may look like an app's: the last word is the entry.
    *before, name = words
    reference, more = split(before)
    if more:
        raise click.UsageError(f"expected one NAME, got {len(words)}")
    return _open(reference, url), name


def _tell(words: Sequence[str], url: str | None, step: Callable[[Treadle, str], Awaitable[None]], done: str) -> None:
    app, name = _entry(words, url)
    on_store(app, lambda _: step(app, name))
    click.echo(f"cron entry {one_line(name)} {done}")


async def _coming(app: Treadle, names: Sequence[str], count: int) -> list[tuple[datetime, str]]:
    wanted = names or [view.name for view in await app.crons.alist() if view.state == "active"]
    ticks = [(tick, name) for name in wanted for tick in await app.crons.anext(name, count)]
    return sorted(ticks)[:count]


def _row(view: CronView) -> list[str]:
    zone = view.tz if view.days == "either" else f"{view.tz}, {view.days}"
    shown = [view.name, view.state, view.expr, zone, view.job, view.queue, view.source]
    return [*shown, moment(view.last), moment(view.next)]
