"""`treadle jobs retry`, `cancel` and `delete`: by ids and filters at once, by a query only where that is confirmed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import click
import msgspec

from treadle.app.shown import shown_view
from treadle.app.treadle import Treadle
from treadle.cli.choosing import LIST_LIMIT, LOOK, QUERY_HELP, asked_of, missing, query_of
from treadle.cli.exits import Exit
from treadle.cli.jobs_table import show_jobs
from treadle.cli.options import as_json, count, filters, store_url
from treadle.cli.show import show_json
from treadle.cli.target import on_store, open_app, split
from treadle.core.found import Page, Tally
from treadle.core.job import JobView
from treadle.core.printable import one_line
from treadle.core.query_parser import asks
from treadle.core.states import FINAL, State
from treadle.stores.contract import Store
from treadle.stores.job_query import JobQuery

Action = Literal["retry", "cancel", "delete"]

REFUSED: Mapping[Action, frozenset[State]] = {
    "retry": frozenset({State.AVAILABLE, State.EXECUTING}),
    "cancel": FINAL,
    "delete": frozenset({State.EXECUTING}),
}
"""States in which jobs are left as they are."""

PAST: Mapping[Action, str] = {"retry": "made available", "cancel": "cancelled", "delete": "deleted"}

_SHOWN = 5


def _takes_jobs(command: Callable[..., int]) -> Callable[..., int]:
    """What every command takes that does something to jobs: ids, queries, or filters that choose them."""
    for takes in (
        as_json,
        click.option("--yes", is_flag=True, help="Do it to what a QUERY means; without it that is only shown."),
        click.option(
            "--limit", type=count, metavar="N", help="At most so many, newest first.  [default: all that match]"
        ),
        filters,
        store_url,
        click.argument("words", nargs=-1, metavar="[APP] [ID|QUERY]..."),
    ):
        command = takes(command)
    return command


@click.command(epilog=QUERY_HELP)
@_takes_jobs
def retry(words: tuple[str, ...], **chosen: Any) -> int:
    """Make jobs available now, whatever became of them; one attempt more is allowed if all were used."""
    return _act("retry", words, **chosen)


@click.command(epilog=QUERY_HELP)
@_takes_jobs
def cancel(words: tuple[str, ...], **chosen: Any) -> int:
    """Cancel jobs: at once where they wait; a running one is asked to stop."""
    return _act("cancel", words, **chosen)


@click.command(epilog=QUERY_HELP)
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


class _Would(msgspec.Struct, frozen=True):
    """What an action would do: to how many jobs, all that match by state, and the first of them.

    `complete` is False where not all jobs were looked at; of `missing` ids there is no job.
    """

    action: Action
    would: int
    states: Mapping[State, int]
    complete: bool
    jobs: tuple[JobView, ...]
    missing: tuple[str, ...] = ()


def _act(  # noqa: PLR0913 - each is an option of the command line
    action: Action,
    words: tuple[str, ...],
    url: str | None,
    limit: int | None,
    *,
    yes: bool,
    as_json: bool,
    state: str | None,
    queue: str | None,
    name: str | None,
) -> int:
    reference, given = split(words)
    queries, ids = [word for word in given if asks(word)], tuple(word for word in given if not asks(word))
    if not given and not (state or queue or name):
        raise click.UsageError("expected IDs, a QUERY, or a filter: --state, --queue or --name; got none")
    target = open_app(reference, url)
    most = limit or max(LIST_LIMIT, len(ids))
    query = query_of(asked_of(target, queries), limit=most, ids=ids, state=state, queue=queue, name=name)
    if queries and not yes:
        would = on_store(target, lambda store: _look(store, action, query, limited=limit is not None))
        _show(target, would, as_json=as_json)
        return missing(would.missing) if would.missing else Exit.OK
    try:
        done = on_store(target, lambda store: _apply(store, action, query, limited=limit is not None))
    except KeyboardInterrupt as error:
        click.echo(f"\ntreadle: interrupted: what was {PAST[action]} until then stays so", err=True)
        raise click.Abort from error
    return _tell(done, as_json=as_json)


async def _look(store: Store, action: Action, query: JobQuery, *, limited: bool) -> _Would:
    """What would be done, as far as can be seen in the time for it."""
    query = msgspec.structs.replace(query, within=LOOK)
    seen: Page | Tally
    if limited:
        seen = first = await store.find(query)
        states: Mapping[State, int] = Counter(view.state for view in first)
        complete = seen.complete or len(first) == query.limit
    else:
        seen = await store.tally(query)
        first = await store.find(msgspec.structs.replace(query, limit=_SHOWN))
        states, complete = seen.states, seen.cursor is None
    would = sum(number for state, number in states.items() if state not in REFUSED[action])
    return _Would(action, would, states, complete, first.jobs[:_SHOWN], await _absent(store, query.ids))


async def _absent(store: Store, ids: Sequence[str]) -> tuple[str, ...]:
    """Those of these ids of which there is no job; in the time for it, all that were not found count as such."""
    found = await store.find(JobQuery(ids=tuple(ids), limit=len(ids), within=LOOK)) if ids else ()
    return tuple(sorted({*ids} - {view.id for view in found}))


def _show(target: Treadle, would: _Would, *, as_json: bool) -> None:
    would = msgspec.structs.replace(would, jobs=tuple(shown_view(target, view) for view in would.jobs))
    if as_json:
        show_json(would)
        return
    at_least = "" if would.complete else "at least "
    touched = {state: number for state, number in would.states.items() if state not in REFUSED[would.action]}
    left = {state: number for state, number in would.states.items() if state not in touched}
    click.echo(f"would {would.action} {at_least}{_jobs(touched)}")
    if left:
        click.echo(f"would leave as they are {at_least}{_jobs(left)}")
    if would.jobs:
        show_jobs(would.jobs)
    click.echo("nothing was done; --yes does it" if would.would or not would.complete else "nothing to do")


def _jobs(states: Mapping[State, int]) -> str:
    number = sum(states.values())
    by_state = ", ".join(f"{states[state]:,} {state}" for state in State if state in states)
    return f"{number:,} {'job' if number == 1 else 'jobs'}{f': {by_state}' if by_state else ''}"


def _tell(done: _Done, *, as_json: bool) -> int:
    if as_json:
        show_json(done)
    else:
        click.echo(f"{done.done} {'job' if done.done == 1 else 'jobs'} {PAST[done.action]}")
    if done.refused:
        click.echo(f"treadle: could not {done.action}: {one_line(', '.join(done.refused))}", err=True)
    if done.missing:
        return missing(done.missing)
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
