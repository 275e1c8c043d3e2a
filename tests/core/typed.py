"""Classes that the tests of conversion annotate with, in every way that Python has."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import pydantic


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Tone(StrEnum):
    LOW = "low"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int
    y: int


@dataclass
class Labelled(Point):
    label: str = ""


@dataclass
class Tree:
    value: Any = None
    children: "list[Tree] | None" = None


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    born: date


class Options(TypedDict):
    size: int
    since: NotRequired[date]


class Span(NamedTuple):
    first: date
    last: date


@attrs.define
class Label:
    text: str
    at: datetime


class Item(pydantic.BaseModel):
    """A model whose names in JSON are others, with a field that is computed."""

    number: int = pydantic.Field(alias="itemNumber", gt=0)
    price: Decimal = Decimal(1)
    at: datetime | None = None

    @pydantic.computed_field  # type: ignore[prop-decorator] # as pydantic's documentation has it
    @property
    def double(self) -> Decimal:
        return 2 * self.price


class StrictItem(pydantic.BaseModel, strict=True):
    at: datetime


class Account(pydantic.BaseModel):
    password: pydantic.SecretStr


class User:
    """A row, as Django's models look."""

    def refresh_from_db(self) -> None: ...
    def __repr__(self) -> str:
        return "<User 42>"


class Session:
    """What stands for a connection to a database."""

    def execute(self, statement: str) -> None: ...
