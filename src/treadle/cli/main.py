"""The command `treadle`, and how it ends: what its exit codes mean and where its errors go."""

import errno
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from platform import python_version
from typing import NoReturn

import click

from treadle.cli.cron import cron
from treadle.cli.demo import demo
from treadle.cli.dev import dev
from treadle.cli.doctor import doctor
from treadle.cli.enqueue import enqueue
from treadle.cli.exits import Exit
from treadle.cli.jobs import jobs
from treadle.cli.migrate import migrate
from treadle.cli.options import as_json
from treadle.cli.queues import queues
from treadle.cli.show import show_json
from treadle.cli.work import work
from treadle.core.printable import one_line
from treadle.errors import QueryError, TreadleError, UnknownCron, UnknownJob, UnknownNode, UnknownQueue
from treadle.stores.url import mask, names_store


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def treadle() -> None:
    """Background jobs on SQLite, PostgreSQL and Redis.

    APP names a Treadle app as module:attribute, found from the current folder. Where no code is needed, --url names the
    store instead; without both it is TREADLE_URL, else treadle.db beside the project's pyproject.toml.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a job was discarded (work --drain), 4 not found, 130 interrupted.
    """


@click.command()
@as_json
def version(*, as_json: bool) -> None:
    """Print the versions of treadle and of its Python."""
    from importlib import metadata  # noqa: PLC0415 - slow to import, and for this command alone

    versions = {"treadle": metadata.version("treadle"), "python": python_version()}
    if as_json:
        show_json(versions)
    else:
        click.echo(f"treadle {versions['treadle']} on Python {versions['python']}")


for command in (work, dev, enqueue, jobs, queues, cron, doctor, migrate, version, demo):
    treadle.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process."""
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding cannot show is escaped; it must not be an error.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a TextIOWrapper, unless replaced
    code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unheard(error)
    sys.exit(code)


def _run() -> int:
    """What the command returned, or the exit code of its error, which is written to stderr."""
    try:
        _refuse_bare_urls(sys.argv[1:])
        code = treadle.main(prog_name="treadle", standalone_mode=False)
    except click.ClickException as error:
        click.echo(_usage(error), err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except TreadleError as error:
        click.echo(f"treadle: {one_line(str(error))}", err=True)
        return _code(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError) or _is_full(error):
            return _unheard(error)
        raise
    return code if isinstance(code, int) else Exit.OK


def _refuse_bare_urls(words: Sequence[str]) -> None:
    """Raise UsageError for a store's URL that follows no option: it would be taken for an app, a job or a query."""
    for before, word in pairwise(("", *words)):
        if names_store(word) and not before.startswith("-"):
            raise click.UsageError(
                f"expected the store's URL after --url, or in TREADLE_URL for work and dev, got {mask(word)} without it"
            )


def _code(error: TreadleError) -> Exit:
    """What the process ends with for this error."""
    match error:
        case UnknownJob() | UnknownQueue() | UnknownNode() | UnknownCron():
            return Exit.NOT_FOUND
        case QueryError():
            return Exit.USAGE
        case _:
            return Exit.FAILED


def _usage(error: click.ClickException) -> str:
    """What was wrong in one line, or the whole help where nothing was asked for."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and isinstance(error, click.exceptions.NoArgsIsHelpError):
        return context.get_help()
    see = f" (see {context.command_path} --help)" if context is not None else ""
    return f"treadle: {one_line(error.format_message())}{see}"


def _is_full(error: OSError) -> bool:
    return error.errno in {errno.ENOSPC, errno.EDQUOT} and error.filename is None


def _unheard(error: OSError) -> int:
    """What we print can go nowhere; the interpreter must not stumble over it at its end.

    Where whoever read it has gone, as `head` does, there is nothing to say of that.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        click.echo(f"treadle: cannot write the output: {error.strerror}", err=True)
    return Exit.FAILED
