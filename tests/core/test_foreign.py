"""Other people's classes are known by what they offer, and each is answered with what to pass instead."""

import io
import sqlite3
import tempfile
import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import IO

import pydantic
import pytest
from django.db import models  # type: ignore[import-untyped] # Django brings no types
from fastapi import FastAPI
from flask import Flask

from tests.core.typed import Item, Label, Point
from treadle.core.foreign import advice, is_carried, to_plain


class Row:
    """As SQLAlchemy's declarative classes look."""

    __table__ = None


class RowAndModel(pydantic.BaseModel):
    """As SQLModel's classes look."""

    __table__ = None


class Frame:
    """As a pandas.DataFrame looks."""


Frame.__module__ = "pandas.core.frame"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (models.Model, "pass its primary key, and load it in the job"),
        (Row, "pass its primary key, and load it in the job"),
        (RowAndModel, "pass its primary key, and load it in the job"),
        (Frame, "pass the path of its file, or its plain values"),
        (io.TextIOWrapper, "pass its path, and open it in the job"),
        (IO, "pass its path, and open it in the job"),
        (tempfile.SpooledTemporaryFile, "pass its path, and open it in the job"),
        (sqlite3.Connection, "let the worker make it: a keyword-only parameter = Inject(provider)"),
        (sqlite3.Cursor, "let the worker make it: a keyword-only parameter = Inject(provider)"),
        (type(threading.Lock()), "let the worker make it: a keyword-only parameter = Inject(provider)"),
        (FastAPI, "let the worker make it: a keyword-only parameter = Inject(provider)"),
        (Flask, "let the worker make it: a keyword-only parameter = Inject(provider)"),
        (set, "annotate the parameter with its type, and it is converted"),
        (Point, "annotate the parameter with its type, and it is converted"),
        (Label, "annotate the parameter with its type, and it is converted"),
        (Item, "annotate the parameter with its type, and it is converted"),
        (Iterator, "pass a list or a dict instead"),
        (deque, "pass a list or a dict instead"),
        (OrderedDict, "pass a list or a dict instead"),
        (complex, "pass its id or its plain fields instead"),
        (object, "pass its id or its plain fields instead"),
    ],
)
def test_each_kind_of_class_has_its_advice(kind: type, text: str) -> None:
    assert advice(kind) == text


def test_a_row_that_is_also_a_model_is_not_carried() -> None:
    assert is_carried(Item)
    assert not is_carried(RowAndModel)
    with pytest.raises(TypeError, match="pass its primary key"):
        to_plain(RowAndModel())


@pytest.mark.parametrize("kind", [Item, Point, int])
def test_a_class_itself_is_no_value(kind: type) -> None:
    with pytest.raises(TypeError, match="is no type that JSON has"):
        to_plain(kind)
