"""`treadle jobs`: look at jobs, and retry, cancel or delete them."""

from typing import Any

import click
import msgspec

from treadle.app.shown import shown_view
from treadle.cli.choosing import LIST_LIMIT, LOOK, QUERY_HELP, asked_of, missing, query_of
from treadle.cli.jobs_actions import cancel, delete, retry
from treadle.cli.jobs_table import show_jobs
from treadle.cli.options import as_json, count, filters, store_url
from treadle.cli.show import coloured, json_text, moment, show_json
from treadle.cli.target import on_store, open_app, split
from treadle.core.found import Page
from treadle.core.job import JobView
from treadle.core.jsontext import load_json
from treadle.core.printable import block, one_line
from treadle.core.query_parser import asks
from treadle.core.redact import masked
from treadle.core.states import MEANINGS
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery
from treadle.stores.url import mask
from treadle.stores.views import Result


@click.group()
def jobs() -> None:
    """Look at jobs, and retry, cancel or delete them."""


@jobs.command("list", epilog=QUERY_HELP)
@click.argument("words", nargs=-1, metavar="[APP] [QUERY]...")
@store_url
@filters
@click.option(
    "--limit", type=count, metavar="N", default=LIST_LIMIT, show_default=True, help="At most so many, newest first."
)
@click.option("--after", metavar="CURSOR", help="Go on where an earlier listing ended.")
@as_json
def list_jobs(words: tuple[str, ...], url: str | None, *, as_json: bool, **chosen: Any) -> None:
    """Print jobs, newest first: all, or those that a query means."""
    # The first word names an app unless it asks for something.
    reference, queries = (None, words) if not words or asks(words[0]) else (words[0], words[1:])
    target = open_app(reference, url)
    address = mask(target.url)
    query = query_of(asked_of(target, queries), within=LOOK, **chosen)
    page = on_store(target, lambda store: store.find(query))
    found = [shown_view(target, view) for view in page]
    if as_json:
        show_json(found)
    elif found:
        show_jobs(found)
    else:
        click.echo(f"no such jobs in {one_line(address)}")
    if page.cursor is not None:
        _tell_of_more(page)


def _tell_of_more(page: Page) -> None:
    looked = f"treadle: {page.looked:,} jobs were looked at, not all; go on with --after {one_line(page.cursor or '')}"
    click.echo(looked, err=True)


@jobs.command()
@click.argument("words", nargs=-1, required=True, metavar="[APP] ID")
@store_url
@as_json
def show(words: tuple[str, ...], url: str | None, *, as_json: bool) -> int:
    """Print all that the store knows of one job: its arguments, moments, errors, and its value if that is kept."""
    reference, ids = split(words)
    if len(ids) != 1:
        raise click.UsageError(f"expected one ID, got {len(ids)}")
    target = open_app(reference, url)
    view, result = on_store(target, lambda store: _look(store, ids[0]))
    if view is None and result is None:
        return missing(ids)
    view = view and shown_view(target, view)
    if as_json:
        show_json(_as_object(ids[0], view, result))
    else:
        _show(ids[0], view, result)
    return 0


async def _look(store: Store, job_id: str) -> tuple[JobView | None, Result | None]:
    found = await store.find(JobQuery(ids=(job_id,)))
    return (found[0] if found else None), await store.result(job_id)


def _as_object(job_id: str, view: JobView | None, result: Result | None) -> dict[str, Any]:
    shown = {"id": job_id} if view is None else msgspec.to_builtins(view)
    if result is not None:
        shown["state"] = result.state.value
        if result.value is not None:
            shown["value"] = masked(load_json(result.value))
    return shown


def _show(job_id: str, view: JobView | None, result: Result | None) -> None:
    _field("id", job_id)
    if view is None:
        _field("state", f"{result.state} (the job itself is gone)" if result else "")
    else:
        _show_view(view)
    if result is not None and result.value is not None:
        _field("value", json_text(masked(load_json(result.value))))
    for error in view.errors if view else ():
        attempt = f"attempt {error.attempt}" if error.attempt else "an attempt"
        click.echo(f"\n{attempt} failed {moment(error.at)}".rstrip())
        click.echo(block(error.error.rstrip()))


def _show_view(view: JobView) -> None:
    click.echo(f"{'state':<10}{coloured(view.state.value)}: {MEANINGS[view.state]}")
    _field("name", view.name)
    _field("queue", view.queue)
    _field("args", json_text(view.args))
    _field("attempt", f"{view.attempt} of {view.max_attempts}")
    _field("owner", view.owner or "")
    for label in ("inserted", "scheduled", "attempted", "finished"):
        _field(label, moment(getattr(view, f"{label}_at")))
    _field("tags", ", ".join(view.tags))
    _field("meta", json_text(view.meta) if view.meta else "")


def _field(label: str, text: str) -> None:
    if text:
        click.echo(f"{label:<10}{one_line(text)}")


for command in (retry, cancel, delete):
    jobs.add_command(command)
