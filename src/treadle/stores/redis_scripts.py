"""The Lua scripts of the Redis store, and a call of one of them as data."""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

Argument = bytes | str | int
Command = tuple[Argument, ...]


class Script(NamedTuple):
    """A script's text and the digest that the server knows it by."""

    text: bytes
    digest: bytes


class ScriptCall(NamedTuple):
    """What a sender, sync or async, is to run."""

    name: str
    keys: Sequence[bytes]
    args: Sequence[Argument]

    def by_digest(self) -> Command:
        """The command for a server that has seen the script."""
        return ("EVALSHA", script(self.name).digest, len(self.keys), *self.keys, *self.args)

    def by_text(self) -> Command:
        """The command for a server that has not."""
        return ("EVAL", script(self.name).text, len(self.keys), *self.keys, *self.args)


@cache
def script(name: str) -> Script:
    """The script of `lua/<name>.lua`, with the functions that all of them share before it.

    A name with a plus, as in "insert+fire_cron", is that of a script which calls another, the first, as `insert()`.
    """
    folder = files("treadle.stores") / "lua"
    called, _, own = name.rpartition("+")
    text = (folder / "prelude.lua").read_bytes()
    if called:
        text += b"local function insert()\n%bend\n" % (folder / f"{called}.lua").read_bytes()
    text += (folder / f"{own}.lua").read_bytes()
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest().encode())
