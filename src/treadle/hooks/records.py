"""Log records that name the job in which they were written, as text and as JSON.

Whatever is not printable is escaped, and what follows the first line of a record is indented, so that no job can forge
a line or command a terminal.
"""

import json
import logging

from treadle.core.job import Job
from treadle.core.printable import block, one_line
from treadle.hooks.current import running_job

_INDENT = "\n    "

# Codes of ECMA-48: green, yellow, red, bold red.
_COLOURS = {logging.INFO: "32", logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "1;31"}

# In ASCII: a lone surrogate in some job's name must not cost the line.
_encode = json.JSONEncoder().encode


class JobContext(logging.Filter):
    """Gives every record the job in which it was written; add it to the handlers of a program's own logging.

    Records get `treadle_job_id`, `treadle_job_name`, `treadle_queue` and `treadle_attempt`, None outside a job. A
    handler that hands records to another thread must have it itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, with its job."""
        if "treadle_job_id" not in record.__dict__:
            record.__dict__.update(fields(running_job()))
        return True


def fields(job: Job | None) -> dict[str, object]:
    """What a record says of the job in which it was written."""
    return {
        "treadle_job_id": job and job.id,
        "treadle_job_name": job and job.name,
        "treadle_queue": job and job.queue,
        "treadle_attempt": job and job.attempt,
    }


class Console(logging.Formatter):
    """A record as text; one that a job wrote itself has that job before its message. A level may have a colour."""

    def __init__(self, *, colours: bool = False) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)-7s %(name)s%(treadle_where)s: %(message)s")
        self._colours = _COLOURS if colours else {}

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        record.__dict__["treadle_where"] = _where(record)
        text = block(super().format(record)).replace("\n", _INDENT)
        level, colour = record.levelname, self._colours.get(record.levelno)
        return text.replace(level, f"\x1b[{colour}m{level}\x1b[0m", 1) if colour else text


class Json(logging.Formatter):
    """A record as one JSON object in ASCII; `job` is the one in which it was written, or null."""

    def format(self, record: logging.LogRecord) -> str:
        """The object of a record."""
        about = record.__dict__
        line: dict[str, object] = {
            "at": record.created,
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "job": {
                "id": about["treadle_job_id"],
                "name": about["treadle_job_name"],
                "queue": about["treadle_queue"],
                "attempt": about["treadle_attempt"],
            }
            if about.get("treadle_job_id")
            else None,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return _encode(line)


def _where(record: logging.LogRecord) -> str:
    """Nothing for the lines about jobs, whose text names them."""
    about = record.__dict__
    if not about.get("treadle_job_id") or record.name == "treadle.jobs":
        return ""
    name, queue = one_line(about["treadle_job_name"]), one_line(about["treadle_queue"])
    return f" [{name} {one_line(about['treadle_job_id'])}, {queue}, attempt {about['treadle_attempt']}]"
