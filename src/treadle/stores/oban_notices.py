"""What Oban's programs tell each other by NOTIFY: channels, and payloads as each version reads and writes them.

Pure. Elixir's Oban from 2.21 writes JSON or, where it is long, "Z:" and base64 of gzip; 2.15 to 2.20 and oban-py write
base64 of gzip without that; all of them read JSON. oban-py cannot read "Z:", and what does not decode at all deafens a
node of either kind until it is restarted.
"""

import gzip
import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from treadle.core.jsontext import load_json
from treadle.errors import ArgumentError
from treadle.log import Log

PLAIN_LIMIT: Final = 7900
"""Payloads of so many bytes are packed. PostgreSQL refuses those of 8,000."""

READ_LIMIT: Final = 2**20
"""How many bytes of a packed payload are unpacked."""

_PACKED_LIMIT = 8000
_PREFIX = "Z:"
_GZIP = 16 + zlib.MAX_WBITS

log = Log(__name__)


def channel(schema: str, name: str) -> str:
    """The channel of a schema on which Oban's programs tell of `name`: "insert", "signal", "leader", "sonar"."""
    return f"{schema}.oban_{name}"


def read(payload: str) -> Mapping[str, Any] | None:
    """The message in a payload of any form; None, and one line in the log, for what is none."""
    try:
        message = load_json(payload.encode() if payload.startswith("{") else _unpacked(payload.removeprefix(_PREFIX)))
        if isinstance(message, dict):
            return message
        reason: object = f"it holds {type(message).__name__}"
    except (ArgumentError, Base64Error, UnicodeEncodeError, ValueError, zlib.error) as error:
        reason = error
    log.warning("expected a notification that Oban can read, ignored %.60r: %s", payload, reason)
    return None


def write(message: Mapping[str, Any]) -> str:
    """A payload that Elixir's Oban since 2.15 and oban-py read. Raises ArgumentError for one that is too long."""
    plain = msgspec.json.encode(message)
    if len(plain) < PLAIN_LIMIT:
        return plain.decode()
    # Without the time, which gzip's header would bear, equal messages have equal payloads.
    packed = b64encode(gzip.compress(plain, mtime=0)).decode()
    if len(packed) >= _PACKED_LIMIT:
        raise ArgumentError(f"expected a notification of less than {_PACKED_LIMIT} bytes, got {len(packed)}")
    return packed


def _unpacked(text: str) -> bytes:
    inflate = zlib.decompressobj(_GZIP)
    data = inflate.decompress(b64decode(text, validate=True), READ_LIMIT)
    if not inflate.eof:
        raise ValueError(f"expected all of it, in at most {READ_LIMIT} bytes")
    return data
