"""Loggers of treadle never raise, and say nothing that a terminal obeys."""

import logging
from collections.abc import Iterator

import pytest

from treadle.log import Log

NAME = "treadle.test_log"


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(28, record.getMessage())


@pytest.fixture
def broken() -> Iterator[None]:
    handler = Broken()
    logging.getLogger(NAME).addHandler(handler)
    yield
    logging.getLogger(NAME).removeHandler(handler)


@pytest.mark.usefixtures("broken")
def test_a_handler_that_raises_is_told_on_stderr_and_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    Log(NAME).warning("hello %s", "world")
    assert "OSError: [Errno 28] hello world" in capsys.readouterr().err


@pytest.mark.usefixtures("broken")
def test_a_level_that_is_off_reaches_no_handler() -> None:
    Log(NAME).debug("hello")


def test_foreign_texts_and_errors_are_escaped(caplog: pytest.LogCaptureFixture) -> None:
    Log(NAME).error("a payload in %s: %s after %d s", "\x1b]0;x\x07", ValueError("a\rb"), 5)
    assert [record.getMessage() for record in caplog.records] == ["a payload in \\x1b]0;x\\x07: a\\rb after 5 s"]


def test_a_record_names_the_place_that_logged(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        Log(NAME).exception("failed")
    (record,) = caplog.records
    assert record.filename == "test_log.py"
    assert record.funcName == "test_a_record_names_the_place_that_logged"
    assert record.exc_info is not None
