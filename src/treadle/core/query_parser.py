"""Reads the text of a query, once from left to right; what is wrong in it is told with its place.

either := every ("OR" every)*
every  := unless (["AND"] unless)*
unless := ("-" | "NOT") unless | "(" either ")" | condition
"""

import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from treadle.core.nearest import did_you_mean
from treadle.core.printable import one_line
from treadle.core.query import (
    EVERY_JOB,
    FIELDS,
    And,
    Condition,
    Field,
    Glob,
    Kind,
    Not,
    Or,
    Plain,
    Present,
    Relation,
    Test,
    Text,
    Than,
    Where,
    number_of,
)
from treadle.core.states import State
from treadle.errors import QueryError

MOST_CHARACTERS = 10_000
MOST_CONDITIONS = 200
DEEPEST = 50
LONGEST_PATH = 20
LONGEST_DURATION = 100 * 365 * 86_400

_HEAD = re.compile(r'(?:[^\s()":\\]|\\.)*', re.DOTALL)
_VALUE = re.compile(r'(?:[^\s()"\\]|\\.)*', re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BLANKS = re.compile(r"\s*")
_WORD_OF_GRAMMAR = re.compile(r"(AND|OR|NOT)(?![^\s()])")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\(["\\])')
_PIECE = re.compile(r"\\.|\*+|\?|[^\\*?]+", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,9}")
_DURATION = re.compile(
    r"(-?)(?=[0-9])(?:([0-9]{1,9})w)?(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?"
)
_SECONDS = (604_800, 86_400, 3_600, 60, 1)
_RELATIONS: Sequence[Relation] = (">=", "<=", ">", "<")
_COMPARED = frozenset({Kind.NUMBER, Kind.AGO, Kind.JSON})
_ASKS = re.compile(r"[\s(-]*(?:NOT[\s(-]+)*([a-z_]+)(?:\.[^\s()\"]*)?:")
# What is shown of a place that is wrong.
_UP_TO_BLANK = re.compile(r"[^\s]{1,30}")


def parse(text: str) -> Where:
    """The query that a text means; an empty one means every job. Raises QueryError."""
    if not isinstance(text, str):
        raise QueryError(f"expected a query to be text, got {text!r:.80}")
    if len(text) > MOST_CHARACTERS:
        raise QueryError(f"expected a query of at most {MOST_CHARACTERS:,} characters, got {len(text):,}")
    _check_text(text)
    return _Reader(text).whole() if text.strip() else EVERY_JOB


def asks(word: str) -> bool:
    """Whether a word of a command is a query rather than an id or an app: it names a field, or is more than a word."""
    found = _ASKS.match(word)
    return (found is not None and found[1] in FIELDS) or re.search(r'[\s()"*?]', word) is not None


def _check_text(text: str) -> None:
    at = text.find("\0")
    if at < 0:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            at = error.start
    if at >= 0:
        raise QueryError(
            f"expected text that every store can keep, got {text[at]!a} at character {at + 1} of the query"
        )


class _Reader:
    """A place in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._conditions = 0
        self._depth = 0

    def whole(self) -> Where:
        """The query, to the end of the text."""
        where = self._either()
        if self._at < len(self._text):
            self._fail("an opening parenthesis before it", self._at)
        return where

    def _either(self) -> Where:
        parts = [self._every()]
        while self._takes("OR"):
            parts.append(self._every())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _every(self) -> Where:
        parts = [self._unless()]
        while self._takes("AND") or self._goes_on():
            parts.append(self._unless())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _goes_on(self) -> bool:
        return self._at < len(self._text) and self._text[self._at] != ")" and self._word_of_grammar() != "OR"

    def _unless(self) -> Where:
        self._skip_blanks()
        start, char = self._at, self._text[self._at : self._at + 1]
        if char == "-" or self._word_of_grammar() == "NOT":
            self._at += 1 if char == "-" else len("NOT")
            return Not(self._deeper(start, self._unless))
        if char == "(":
            self._at += 1
            where = self._deeper(start, self._either)
            if self._text[self._at : self._at + 1] != ")":
                self._fail(f'")" for the parenthesis at character {start + 1}', self._at)
            self._at += 1
            self._skip_blanks()
            return where
        if char in {"", ")"} or self._word_of_grammar():
            self._fail("a condition such as state:retryable", start)
        return self._condition()

    def _deeper(self, start: int, read: Callable[[], Where]) -> Where:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"at most {DEEPEST} levels of nesting", start)
        where = read()
        self._depth -= 1
        return where

    def _condition(self) -> Condition:
        start = self._at
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            self._fail(f"at most {MOST_CONDITIONS} conditions", start)
        if self._text[start] == '"':
            return Condition("", Text(self._quote()))
        head = self._match(_HEAD)
        if self._text[self._at : self._at + 1] != ":":
            self._end_word(start)
            return Condition("", self._word(head, start))
        field, path = self._field(head, start)
        self._at += 1
        return Condition(field.name, self._test(field, start), path)

    def _word(self, word: str, start: int) -> Test:
        if word.upper() in {"AND", "OR", "NOT"}:
            self._fail(f'{word.upper()} in capital letters, or "{word}" in quotes', start)
        return _text_test(word)

    def _field(self, head: str, start: int) -> tuple[Field, tuple[str, ...]]:
        name, *path = _parts(head)
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS) or "; a word that holds a colon stands in quotes"
            self._fail(f"one of the fields {', '.join(FIELDS)}", start, hint)
        field = FIELDS[name]
        if field.kind is Kind.JSON and not (path and all(path) and len(path) <= LONGEST_PATH):
            self._fail(f"a path such as {field.example.partition(':')[0]}, at most {LONGEST_PATH} long", start)
        if field.kind is not Kind.JSON and path:
            self._fail(f"the field {name} without a path", start)
        return field, tuple(path)

    def _test(self, field: Field, start: int) -> Test:
        value = self._at
        if self._text[value : value + 1] == '"':
            if field.kind in {Kind.NUMBER, Kind.AGO}:
                self._fail(_wanted(field), value)
            return self._checked(Text(self._quote()), field, value)
        raw = self._match(_VALUE)
        if not raw:
            self._fail(_wanted(field), start)
        self._end_word(value)
        relation = next((known for known in _RELATIONS if raw.startswith(known)), None)
        match field.kind:
            case Kind.NUMBER:
                return self._number(field, relation, raw, value)
            case Kind.AGO:
                return self._duration(field, relation, raw, value)
            case Kind.JSON if relation:
                number = number_of(raw[len(relation) :])
                return self._fail(f"a number after {relation}", value) if number is None else Than(relation, number)
            case _ if relation:
                self._fail(_wanted(field), value, "; quotes make it a text")
        found = _text_test(raw)
        if field.kind is Kind.JSON and isinstance(found, Text):
            return Plain(found.value)
        return self._checked(found, field, value)

    def _number(self, field: Field, relation: Relation | None, raw: str, at: int) -> Than:
        digits = raw[len(relation or "") :]
        if not _WHOLE_NUMBER.fullmatch(digits):
            self._fail(_wanted(field), at)
        return Than(relation or "=", int(digits))

    def _duration(self, field: Field, relation: Relation | None, raw: str, at: int) -> Than:
        found = _DURATION.fullmatch(raw[len(relation or "") :])
        if relation is None or found is None:
            self._fail(_wanted(field), at)
        sign, *numbers = found.groups()
        seconds = sum(int(number or 0) * size for number, size in zip(numbers, _SECONDS, strict=True))
        if seconds > LONGEST_DURATION:
            self._fail("a duration of at most 100 years", at)
        return Than(relation, -seconds if sign else seconds)

    def _checked(self, test: Test, field: Field, at: int) -> Test:
        if field.kind is Kind.ID and not isinstance(test, Text):
            self._fail("an id as it is, without * and ?", at)
        if field.kind is Kind.STATE and (not isinstance(test, Text) or test.value not in set(State)):
            hint = did_you_mean(test.value, State) if isinstance(test, Text) else ""
            self._fail(f"one of the states {', '.join(State)}", at, hint)
        return test

    def _quote(self) -> str:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            self._fail("a closing quote", self._at)
        start, self._at = self._at, found.end()
        self._end_word(start)
        return _ESCAPED_IN_QUOTES.sub(r"\1", found[1])

    def _match(self, pattern: "re.Pattern[str]") -> str:
        """What a pattern that may be empty finds here."""
        found = pattern.match(self._text, self._at)
        start, self._at = self._at, found.end() if found else self._at
        return self._text[start : self._at]

    def _end_word(self, start: int) -> None:
        """A word ends before a blank, a parenthesis that closes, or the end."""
        char = self._text[self._at : self._at + 1]
        if char == "\\":
            self._fail("a character after the backslash", self._at)
        if char not in {"", ")"} and not char.isspace():
            self._fail(f"a blank after what begins at character {start + 1}", self._at)
        self._skip_blanks()

    def _word_of_grammar(self) -> str:
        found = _WORD_OF_GRAMMAR.match(self._text, self._at)
        return found[0] if found else ""

    def _takes(self, word: str) -> bool:
        found = self._word_of_grammar() == word
        if found:
            self._at += len(word)
        return found

    def _skip_blanks(self) -> None:
        self._match(_BLANKS)

    def _fail(self, expected: str, at: int, hint: str = "") -> NoReturn:
        raw = _UP_TO_BLANK.match(self._text, at)
        shown = raw[0] if raw else self._text[at : at + 1]
        got = f'"{one_line(shown)}"' if shown else "its end"
        raise QueryError(f"expected {expected}, got {got} at character {at + 1} of the query{hint}")


def _wanted(field: Field) -> str:
    return f"after {field.name}: {field.kind.value.replace('`', '')}"


def _parts(head: str) -> list[str]:
    """What stands between the dots; one after a backslash is none."""
    parts = [""]
    for found in re.finditer(r"\\(.)|(\.)|([^\\.]+)", head, re.DOTALL):
        if found[2]:
            parts.append("")
        else:
            parts[-1] += found[1] or found[3]
    return parts


def _text_test(raw: str) -> Text | Glob | Present:
    """What a word without quotes means: `*` and `?` are wild unless a backslash stands before them."""
    pieces = [found[0] for found in _PIECE.finditer(raw)]
    if all(piece[0] not in "*?" for piece in pieces):
        return Text(_ESCAPED.sub(r"\1", raw))
    if len(pieces) == 1 and pieces[0][0] == "*":
        return Present()
    return Glob("".join(_canonical(piece) for piece in pieces))


def _canonical(piece: str) -> str:
    """One star for many, and a backslash before no character that needs none."""
    if piece[0] == "*":
        return "*"
    if piece[0] == "\\":
        return piece if piece[1] in "*?\\" else piece[1]
    return piece
