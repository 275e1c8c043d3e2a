"""Arguments of jobs as they may be shown to people: without what the jobs of an app redact."""

import json
from typing import Any

import msgspec

from treadle.app.treadle import Treadle
from treadle.core.job import Job, JobView
from treadle.core.jsontext import load_json
from treadle.core.redact import MASK, masked, masked_list
from treadle.errors import ArgumentError, ConfigError

LIMIT = 500


def shown_args(app: Treadle, name: str, args: Any) -> Any:  # noqa: ANN401 - any JSON
    """The arguments of a job of this name, masked, in the shape that they have in the store."""
    job = app.find(name)
    if job is None:
        return masked(args, app.defaults.get("redact", ()))
    try:
        handler = job.handler
    except ConfigError:
        # Nobody can say what this job redacts.
        return MASK
    if isinstance(args, list):
        return masked_list(args, handler.signature.names(len(args)), handler.options.redact)
    return masked(args, handler.options.redact)


def shown_text(app: Treadle, job: Job) -> str:
    """The same as JSON, at most 500 characters of it."""
    try:
        text = json.dumps(shown_args(app, job.name, load_json(job.args)))
    except (ArgumentError, RecursionError):
        return f"{len(job.args)} bytes that cannot be shown"
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}…"


def shown_view(app: Treadle, view: JobView) -> JobView:
    """A job with its arguments and its meta masked."""
    args, meta = shown_args(app, view.name, view.args), masked(dict(view.meta), app.defaults.get("redact", ()))
    return msgspec.structs.replace(view, args=args, meta=meta)
