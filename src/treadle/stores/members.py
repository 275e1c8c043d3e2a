"""The members of a JSON object's text: found, and changed without touching a byte of the others."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

_TOKEN = re.compile(rb'["{}\[\],]')
_BLANK = b" \t\r\n"


class Mark(Enum):
    """What stands in place of a member's new value: the store's time, or that the member is to go."""

    NOW = "now"
    GONE = "gone"


Change = bytes | Mark


class Segment(NamedTuple):
    """A stretch of the old text, what follows it in the new one, and whether the time stands after that."""

    start: int
    stop: int
    literal: bytes
    stamped: bool


class Spliced(NamedTuple):
    """A changed text, told by the old one: who has that at hand need not be sent it."""

    text: bytes
    segments: Sequence[Segment]

    @property
    def pieces(self) -> list[bytes]:
        """The new text in pieces, between which the time goes."""
        pieces, current = [], []
        for segment in self.segments:
            current += [self.text[segment.start : segment.stop], segment.literal]
            if segment.stamped:
                pieces.append(b"".join(current))
                current = []
        return [*pieces, b"".join(current)]

    @property
    def arguments(self) -> list[bytes | int]:
        """The segments as a script takes them, four values each."""
        return [part if isinstance(part, bytes) else int(part) for segment in self.segments for part in segment]


def unchanged(text: bytes) -> Spliced:
    """The text as it is."""
    return Spliced(text, [Segment(0, len(text), b"", False)])


class Member(NamedTuple):
    """One member: where its name begins, and its value's text from `value` to `end`."""

    name: str
    start: int
    value: int
    end: int


def members(text: bytes) -> list[Member]:
    """The members at the top level of an object's valid JSON text, in order; a repeated name appears repeatedly."""
    found: list[Member] = []
    depth, at, name, awaits_name = 0, 0, (0, 0), False
    while (token := _TOKEN.search(text, at)) is not None:
        start, at = token.start(), token.end()
        kind = text[start]
        if kind == ord('"'):
            at = _text_end(text, at)
            if awaits_name:
                name, awaits_name = (start, at), False
        elif kind in b"{[":
            depth += 1
            awaits_name = depth == 1
        elif depth == 1:
            if name != (0, 0):
                found.append(_member(text, name, start))
            name, awaits_name = (0, 0), kind == ord(",")
            depth -= kind != ord(",")
        elif kind != ord(","):
            depth -= 1
    return found


def splice(text: bytes, changes: Mapping[str, Change]) -> Spliced:
    """The text with these members set or taken away; new ones come last.

    Where a name is repeated the last one is set, as that is the one that readers see.
    """
    given = members(text)
    edits = _edits(given, changes)
    known = {member.name for member in given}
    added = [(name, change) for name, change in changes.items() if name not in known and change is not Mark.GONE]
    empty = all(changes.get(member.name) is Mark.GONE for member in given)
    place = given[-1].end if given else text.index(b"{") + 1
    for name, change in added:
        edits.append((place, place, b"" if empty else b",", json.dumps(name).encode() + b":", change))
        empty = False
    return _applied(text, edits)


_Edit = tuple[int, int, bytes, bytes, Change | None]


def _text_end(text: bytes, at: int) -> int:
    """Where a JSON text ends whose opening quote stands before `at`. By `find`, as a text may be many megabytes."""
    quote = text.index(b'"', at)
    while (slash := text.find(b"\\", at, quote)) >= 0:
        at = slash + 2
        if at > quote:
            quote = text.index(b'"', at)
    return quote + 1


def _member(text: bytes, name: tuple[int, int], end: int) -> Member:
    start = text.index(b":", name[1]) + 1
    while text[start] in _BLANK:
        start += 1
    while text[end - 1] in _BLANK:
        end -= 1
    quoted = text[name[0] : name[1]]
    # Lone surrogates are read as they are: msgspec would refuse them.
    return Member(json.loads(quoted) if b"\\" in quoted else quoted[1:-1].decode(), name[0], start, end)


def _edits(given: Sequence[Member], changes: Mapping[str, Change]) -> list[_Edit]:
    last = {member.name: index for index, member in enumerate(given)}
    edits: list[_Edit] = []
    kept = False
    for index, member in enumerate(given):
        change = changes.get(member.name)
        if change is Mark.GONE:
            following = given[index + 1].start if index + 1 < len(given) else member.end
            span = (given[index - 1].end, member.end) if kept else (member.start, following)
            edits.append((*span, b"", b"", None))
            continue
        kept = True
        if change is not None and last[member.name] == index:
            edits.append((member.value, member.end, b"", b"", change))
    return edits


def _applied(text: bytes, edits: Sequence[_Edit]) -> Spliced:
    segments: list[Segment] = []
    at = 0
    for start, end, comma, name, change in edits:
        value = change if isinstance(change, bytes) else b""
        segments.append(Segment(at, start, comma + name + value, change is Mark.NOW))
        at = end
    return Spliced(text, [*segments, Segment(at, len(text), b"", False)])
