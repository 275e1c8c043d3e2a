"""How the process ends, so that scripts can tell."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DISCARDED = 3
    NOT_FOUND = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "failed; the reason stands on stderr",
    Exit.USAGE: "wrong usage",
    Exit.DISCARDED: "`work --drain` ended a job as discarded",
    Exit.NOT_FOUND: "no such job, queue, node or cron entry",
    Exit.INTERRUPTED: "interrupted by INT (Ctrl-C)",
}
