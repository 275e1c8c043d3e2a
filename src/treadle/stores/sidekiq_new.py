"""The payload of a new job, as Sidekiq's client writes it, and of one that takes over what a new one says.

A script adds the two times, which are the server's: what stands around them is given in parts. Source: client.rb.
"""

from collections.abc import Collection, Mapping

import msgspec

from treadle.core.job import NewJob
from treadle.core.jsontext import dump
from treadle.stores.exq_locks import own_policy
from treadle.stores.members import Change, Mark, splice

BETWEEN = b',"enqueued_at":'
"""What stands between the two times of a new job's text."""

TAIL = b',"trd":{}}'
"""What stands after the last one. `trd` says that treadle wrote it."""

# The member that keeps what a unique job may take over; it has none for when it is due, nor for a priority.
_MEMBERS: Mapping[str, str] = {
    "args": "args",
    "max_attempts": "retry",
    "queue": "queue",
    "tags": "tags",
    "meta": "trd_job",
}

_encode = msgspec.json.Encoder().encode


def head(job: NewJob, jid: str) -> bytes:
    """The text of a new job up to its first time, `created_at`. Raises ArgumentError for a `meta` that is no JSON."""
    return b'{"retry":%d,"queue":%b,"class":%b,"args":%b,"jid":"%b",%b"created_at":' % (
        job.max_attempts - 1,
        _encode(job.queue),
        _encode(job.name),
        job.args,
        jid.encode(),
        b"" if job.rerun and not job.tags and not job.meta and job.unique is None else _marks(job),
    )


def _marks(job: NewJob) -> bytes:
    """The members that few jobs have, each with its comma. `tags` is Sidekiq's."""
    tags = b'"tags":%b,' % _tags(job) if job.tags else b""
    own = _own_marks(job)
    return tags + (b'"trd_job":%b,' % own if own else b"")


def _tags(job: NewJob) -> bytes:
    return dump(list(job.tags), f'tags of job "{job.name}"')


def _own_marks(job: NewJob) -> bytes:
    own = [] if job.rerun else [b'"rerun":false']
    own += [b'"meta":%b' % dump(dict(job.meta), f'meta of job "{job.name}"')] if job.meta else []
    own += filter(None, [own_policy(job)])
    return b"{%b}" % b",".join(own) if own else b""


def replaced(text: bytes, job: NewJob, names: Collection[str]) -> bytes:
    """The text of a job that takes these over from a new one; when it is due stands elsewhere."""
    own = _own_marks(job) if "meta" in names else b""
    changes: dict[str, Change] = {
        "args": job.args,
        "retry": b"%d" % (job.max_attempts - 1),
        "queue": _encode(job.queue),
        "tags": _tags(job) if job.tags else Mark.GONE,
        "trd_job": own or Mark.GONE,
    }
    given = {_MEMBERS[name] for name in names if name in _MEMBERS}
    return b"".join(splice(text, {name: change for name, change in changes.items() if name in given}).pieces)
