"""`treadle migrate`: the tables of a PostgreSQL store, made, looked at and taken away."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import click

from treadle.cli.exits import Exit
from treadle.cli.options import as_json, store_url
from treadle.cli.show import show_json
from treadle.cli.target import open_app, split
from treadle.core.printable import one_line
from treadle.errors import StoreError
from treadle.stores.url import mask, postgres_place

if TYPE_CHECKING:
    from treadle.stores.shapes import Look

Action = Literal["up", "down", "status"]


class _Wish(NamedTuple):
    """What to do in which schema of which server; `where` is the URL without its password."""

    action: Action
    url: str
    schema: str
    where: str
    to: int
    alter: bool
    gin: bool


@click.command()
@click.argument("words", nargs=-1, metavar="[up|down|status] [APP]")
@store_url
@click.option("--sql", "as_sql", is_flag=True, help="Print what would be sent, for somebody with more rights.")
@click.option("--alter", is_flag=True, help="up: Make what a job table that others made lacks, too.")
@click.option("--gin", is_flag=True, help="up --alter: Oban's indexes on args and meta, too.")
@click.option(
    "--to",
    type=click.IntRange(min=0),
    metavar="VERSION",
    default=0,
    help="down: The version of treadle's tables to go back to.  [default: 0, which is none]",
)
@as_json
def migrate(words: tuple[str, ...], url: str | None, *, as_sql: bool, as_json: bool, **more: Any) -> int:
    """Make the tables of a PostgreSQL store, look at them, or take treadle's own away.

    Workers make tables that lack by themselves; this is for those that may not. up (the default) makes what lacks and
    leaves a job table that Elixir's Oban or oban-py made as it is. down takes treadle's own tables back; jobs stay.
    status says what stands there and what lacks, and ends with exit code 1 where treadle cannot work with it.
    """
    action: Action = next((action for action in get_args(Action) if words[:1] == (action,)), "up")
    reference, rest = split(words[1:] if words[:1] == (action,) else words)
    if rest:
        raise click.UsageError(f"expected up, down or status, then an APP such as shop.jobs:app, got {rest[0]!r}")
    _refuse_misplaced(action, as_sql=as_sql, as_json=as_json, **more)
    target = open_app(reference, url).url
    bare, schema = postgres_place(target)
    wish = _Wish(action, bare, schema, mask(target), **more)
    _refuse_unknown(wish.to)
    if as_sql:
        click.echo(_script(wish), nl=False)
        return Exit.OK
    return _show(wish, _carried_out(wish), as_json=as_json)


def _refuse_misplaced(action: Action, *, as_sql: bool, as_json: bool, to: int, alter: bool, gin: bool) -> None:
    misplaced = {
        "--sql": as_sql and action == "status",
        "--json": as_json and (action != "status" or as_sql),
        "--to": to and action != "down",
        "--alter": alter and action != "up",
        "--gin": gin and not alter,
    }
    for option, is_misplaced in misplaced.items():
        if is_misplaced:
            raise click.UsageError(f"{option} does not go with {action}{' alone' if option == '--gin' else ''}")


def _refuse_unknown(version: int) -> None:
    from treadle.stores import migrations  # noqa: PLC0415 - as below

    if version > migrations.latest():
        raise click.UsageError(f"expected --to to be a version from 0 to {migrations.latest()}, got {version}")


def _script(wish: _Wish) -> str:
    """What would be sent. Only what others' tables lack has to be looked up."""
    from treadle.stores import alterations, migrations, shapes  # noqa: PLC0415 - a driver, for this command alone

    if wish.action == "down":
        return migrations.down_script(wish.schema, wish.to)
    if not wish.alter:
        return migrations.up_script(wish.schema)
    with migrations.connected(wish.url, wish.where) as connection:
        found = shapes.look(connection, wish.schema)
    return migrations.up_script(wish.schema) + "\n" + alterations.alter_script(found, wish.schema, gin=wish.gin)


def _carried_out(wish: _Wish) -> "Look":
    """Do it; what stands there then."""
    from treadle.stores import alterations, migrations, shapes  # noqa: PLC0415 - as above

    with migrations.connected(wish.url, wish.where) as connection:
        match wish.action:
            case "up":
                migrations.install(connection, wish.schema)
                for lack in alterations.alter(connection, wish.schema, gin=wish.gin) if wish.alter else ():
                    click.echo(f"made       {lack.what}")
            case "down":
                migrations.remove(connection, wish.schema, wish.to)
            case "status":
                pass
        return shapes.look(connection, wish.schema)


def _show(wish: _Wish, found: "Look", *, as_json: bool) -> int:
    """Print what stands in the schema; the exit code, which after `down` is that of success."""
    from treadle.stores import alterations, migrations  # noqa: PLC0415 - as above

    trouble = _trouble(found, migrations.latest())
    code = Exit.FAILED if trouble and wish.action != "down" else Exit.OK
    lacks = alterations.lacks(found)
    if as_json:
        versions = {"version": found.version, "latest": migrations.latest()}
        shape = found.shape if found.jobs_exist and not trouble else None
        lacking = [{"what": lack.what, "good_for": lack.good_for, "cost": lack.cost} for lack in lacks]
        place = {"url": wish.where, "schema": wish.schema}
        show_json(place | {"treadle": versions, "oban_jobs": shape, "trouble": trouble, "lacks": lacking})
        return code
    click.echo(f"store      {one_line(wish.where)}")
    click.echo(f"schema     {wish.schema}")
    click.echo(f"treadle    version {found.version} of {migrations.latest()}")
    click.echo(f"oban_jobs  {f'marker {one_line(found.marker)}' if found.marker else 'no marker'}")
    for lack in lacks:
        click.echo(f"lacks      {lack.what}: {lack.good_for}; cost: {lack.cost}")
    if trouble:
        click.echo(f"trouble    {one_line(trouble)}")
    return code


def _trouble(found: "Look", latest: int) -> str | None:
    """Why treadle cannot work with what stands there; None where it can."""
    if not found.jobs_exist or found.version < latest:
        return "expected treadle's tables: treadle migrate up makes them"
    try:
        _ = found.shape
    except StoreError as error:
        return str(error)
    return None
