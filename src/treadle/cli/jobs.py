"""`treadle jobs`: look at jobs, and retry, cancel or delete them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import click
import msgspec

from treadle.app.shown import shown_view
from treadle.cli.exits import Exit
from treadle.cli.options import as_json, count, filters, store_url
from treadle.cli.show import coloured, json_text, moment, short, show_json, show_table
from treadle.cli.target import on_store, open_app, split
from treadle.core.job import JobView
from treadle.core.jsontext import load_json
from treadle.core.printable import block, one_line
from treadle.core.redact import masked
from treadle.core.states import FINAL, MEANINGS, State
from treadle.stores.contract import JobQuery, Result, Store
from treadle.stores.url import mask

Action = Literal["retry", "cancel", "delete"]

REFUSED: Mapping[Action, frozenset[State]] = {
    "retry": frozenset({State.AVAILABLE, State.EXECUTING}),
    "cancel": FINAL,
    "delete": frozenset({State.EXECUTING}),
}
"""States in which jobs are left as they are."""

PAST: Mapping[Action, str] = {"retry": "made available", "cancel": "cancelled", "delete": "deleted"}
LIST_LIMIT = 50

_ARGS_WIDTH = 60


@click.group()
def jobs() -> None:
    """Look at jobs, and retry, cancel or delete them."""


@jobs.command("list")
@click.argument("app", required=False, metavar="[APP]")
@store_url
@filters
@click.option(
    "--limit", type=count, metavar="N", default=LIST_LIMIT, show_default=True, help="At most so many, newest first."
)
@as_json
def list_jobs(app: str | None, url: str | None, *, as_json: bool, **chosen: Any) -> None:
    """Print jobs, newest first."""
    target = open_app(app, url)
    address = mask(target.url)
    found = [shown_view(target, view) for view in on_store(target, lambda store: store.find(_query(**chosen)))]
    if as_json:
        show_json(found)
    elif found:
        show_table(["id", "state", "name", "queue", "attempt", "when (UTC)", "args"], [_row(job) for job in found])
    else:
        click.echo(f"no such jobs in {one_line(address)}")


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
        return _missing(ids)
    view = view and shown_view(target, view)
    if as_json:
        show_json(_as_object(ids[0], view, result))
    else:
        _show(ids[0], view, result)
    return 0


def _takes_jobs(command: Callable[..., int]) -> Callable[..., int]:
    """What every command takes that does something to jobs: their ids, or filters that choose them."""
    for takes in (
        as_json,
        click.option(
            "--limit", type=count, metavar="N", help="At most so many, newest first.  [default: all that match]"
        ),
        filters,
        store_url,
        click.argument("words", nargs=-1, metavar="[APP] [ID]..."),
    ):
        command = takes(command)
    return command


@jobs.command()
@_takes_jobs
def retry(words: tuple[str, ...], **chosen: Any) -> int:
    """Make jobs available now, whatever became of them; one attempt more is allowed if all were used."""
    return _act("retry", words, **chosen)


@jobs.command()
@_takes_jobs
def cancel(words: tuple[str, ...], **chosen: Any) -> int:
    """Cancel jobs: at once where they wait; a running one is asked to stop."""
    return _act("cancel", words, **chosen)


@jobs.command()
@_takes_jobs
def delete(words: tuple[str, ...], **chosen: Any) -> int:
    """Delete jobs for good; a running one stays."""
    return _act("delete", words, **chosen)


class _Done(msgspec.Struct, frozen=True):
    """What an action did: to how many jobs, and which ids there were none of or which it could not be done to."""

    action: Action
    done: int
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def _act(
    action: Action, words: tuple[str, ...], url: str | None, limit: int | None, *, as_json: bool, **chosen: str | None
) -> int:
    reference, ids = split(words)
    if not ids and not any(chosen.values()):
        raise click.UsageError("expected IDs, or a filter: --state, --queue or --name; got neither")
    query = _query(limit=limit or max(LIST_LIMIT, len(ids)), ids=ids, **chosen)
    done = on_store(open_app(reference, url), lambda store: _apply(store, action, query, limited=limit is not None))
    if as_json:
        show_json(done)
    else:
        click.echo(f"{done.done} {'job' if done.done == 1 else 'jobs'} {PAST[action]}")
    if done.refused:
        click.echo(f"treadle: could not {action}: {one_line(', '.join(done.refused))}", err=True)
    if done.missing:
        return _missing(done.missing)
    return int(bool(done.refused))


async def _apply(store: Store, action: Action, query: JobQuery, *, limited: bool) -> _Done:
    if not query.ids and not limited:
        return _Done(action, await store.act(action, query))
    views = await store.find(query)
    if not views:
        return _Done(action, 0, query.ids)
    # The filters go along: a job that has moved on since is left alone.
    done = await store.act(action, msgspec.structs.replace(query, ids=tuple(view.id for view in views)))
    missing = tuple(sorted(set(query.ids) - {view.id for view in views}))
    refused = [view for view in views if view.state in REFUSED[action]] if query.ids and done < len(views) else []
    return _Done(action, done, missing, tuple(f"{view.id} ({view.state})" for view in refused))


def _query(
    *, limit: int, ids: tuple[str, ...] = (), state: str | None, queue: str | None, name: str | None
) -> JobQuery:
    return JobQuery(ids=ids, state=State(state) if state else None, queue=queue, name=name, limit=limit)


def _missing(ids: Sequence[str]) -> int:
    click.echo(f"treadle: no such job: {one_line(', '.join(ids))}", err=True)
    return Exit.NOT_FOUND


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


def _row(view: JobView) -> list[str]:
    attempt = f"{view.attempt}/{view.max_attempts}"
    when = moment(_when(view))
    return [view.id, view.state.value, view.name, view.queue, attempt, when, short(json_text(view.args), _ARGS_WIDTH)]


def _when(view: JobView) -> Any:  # noqa: ANN401 - a datetime or None
    if view.state in FINAL:
        return view.finished_at
    return view.attempted_at if view.state is State.EXECUTING else view.scheduled_at or view.inserted_at


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
