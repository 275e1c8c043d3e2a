"""`treadle enqueue`: one job, by its name."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from treadle.app.function import NewCall
from treadle.app.load import is_reference
from treadle.app.treadle import Treadle
from treadle.cli.options import name as checked_name
from treadle.cli.options import seconds, store_url
from treadle.cli.target import on_store, open_app, user_code
from treadle.core.arguments import Shape
from treadle.core.job import Inserted, NewJob
from treadle.core.jsontext import dump, load_json
from treadle.core.nearest import did_you_mean
from treadle.core.options import MAX_ATTEMPTS
from treadle.errors import ArgumentError, UnknownJob
from treadle.stores.contract import Store

_MOST_WORDS = 2
_SHOWN = 5


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[APP] NAME [ARGS]")
@store_url
@click.option("--queue", type=checked_name, metavar="NAME", help="The queue.  [default: the job's own, else default]")
@click.option("--delay", type=seconds, metavar="SECONDS", help="Run it so much later.")
def enqueue(words: tuple[str, ...], url: str | None, queue: str | None, delay: float | None) -> None:
    """Enqueue one job and print its id.

    With APP, NAME is one of its jobs, and ARGS, a JSON list or object, must bind to its signature. Without APP no code
    is loaded: ARGS go to the store as they are, for a program that may be written in another language.
    """
    reference, name, args = _parse(words)
    if reference is None and url is None and is_reference(name):
        raise click.UsageError(f"expected the NAME of a job after the APP {name}, got none")
    value = None if args is None else json_args(args)
    app = open_app(reference, url)
    if reference is None:
        inserted = on_store(app, lambda store: _insert(store, name, value, queue or "default", delay), create=True)
    else:
        inserted = _call(app, reference, name, value, {"queue": queue, "delay": delay})
    click.echo(inserted.id)
    if inserted.conflict:
        click.echo("treadle: a conflict: this unique job stands in the store already; nothing was inserted", err=True)


def _parse(words: tuple[str, ...]) -> tuple[str | None, str, str | None]:
    """The app, the job's name and its arguments."""
    rest = list(words)
    args = rest.pop() if len(rest) > 1 and (rest[-1].lstrip()[:1] in {"[", "{"} or len(rest) > _MOST_WORDS) else None
    if len(rest) > _MOST_WORDS:
        raise click.UsageError(f"expected at most APP, NAME and ARGS, got {len(words)} words; quote ARGS as one")
    name = rest.pop()
    return (rest[0] if rest else None), checked_name(name), args


def json_args(text: str) -> object:
    """ARGS, as somebody typed them."""
    try:
        value = load_json(text.encode())
    except (ArgumentError, UnicodeEncodeError) as error:
        raise click.UsageError(f"ARGS: {error}") from error
    if not isinstance(value, list | dict):
        raise click.UsageError(f"expected ARGS to be a JSON list or object, got {text!r:.80}")
    return value


def _call(app: Treadle, reference: str, name: str, value: object, options: Mapping[str, Any]) -> Inserted:
    try:
        handle = app.enqueue_all([bound_call(app, reference, name, value, options)])[0]
        return Inserted(handle.id, handle.conflict)
    finally:
        app.close()


def bound_call(app: Treadle, reference: str, name: str, value: object, options: Mapping[str, Any]) -> NewCall[Any]:
    """A call of one of the app's jobs; options that are None are the job's own. Raises UnknownJob, ArgumentError."""
    with user_code():
        app.load()
    job = app.find(name)
    if job is None:
        raise UnknownJob(_unknown(reference, name, sorted(app.handlers)))
    given: Any = {option: chosen for option, chosen in options.items() if chosen is not None}
    args, kwargs = job.handler.signature.load(dump([] if value is None else value, f'job "{name}", ARGS'))
    return job.options(**given).new(*args, **kwargs)


def _unknown(reference: str, name: str, known: Sequence[str]) -> str:
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    jobs = ", ".join(known[:_SHOWN]) + more or "it has none"
    expected = f"expected one of the jobs of {reference} ({jobs}), or --url in its place for any name"
    return f'{expected}, got "{name}"{did_you_mean(name, known)}'


async def _insert(store: Store, name: str, value: object, queue: str, delay: float | None) -> Inserted:
    return (await store.insert([free_job(store, name, value, queue, delay)]))[0]


def free_job(store: Store, name: str, value: object, queue: str, delay: float | None = None) -> NewJob:
    """A job of any name, with arguments as they are. Raises ArgumentError where the store keeps another shape."""
    shape = dict if store.shape is Shape.MAPPING else list
    if value is not None and not isinstance(value, shape):
        kind, came = ("object of names and values", "a list") if shape is dict else ("list", "an object")
        raise ArgumentError(f'job "{name}": expected ARGS to be a JSON {kind} on this store, got {came}')
    args = dump(shape() if value is None else value, f'job "{name}", ARGS')
    return NewJob(name=name, queue=queue, args=args, max_attempts=MAX_ATTEMPTS, delay=delay)
