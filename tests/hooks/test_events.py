"""Events reach their listeners in order, and no listener stands in another's way."""

import logging

import pytest

from treadle.hooks.events import Event, Events, JobInserted, StoreFound, StoreLost

LOST = StoreLost(error="no route to host")


def test_a_listener_gets_the_events_of_its_kind_and_no_others() -> None:
    bus, heard = Events(), list[Event]()
    bus.listen(StoreLost, heard.append)
    bus.emit(LOST)
    bus.emit(StoreFound(seconds=1.0))
    assert heard == [LOST]


def test_listeners_are_called_in_the_order_in_which_they_were_added() -> None:
    bus, heard = Events(), list[str]()
    bus.listen(StoreLost, lambda _: heard.append("first"))
    bus.listen(StoreLost, lambda _: heard.append("second"))
    bus.listen(StoreLost, lambda _: heard.append("third"))
    bus.emit(LOST)
    assert heard == ["first", "second", "third"]


def test_a_listener_that_raises_is_logged_and_the_rest_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = Events(), list[Event]()

    def broken(_: StoreLost) -> None:
        raise ValueError("broken listener")

    bus.listen(StoreLost, broken)
    bus.listen(StoreLost, heard.append)
    with caplog.at_level(logging.ERROR, "treadle.events"):
        bus.emit(LOST)
    assert heard == [LOST]
    (record,) = caplog.records
    assert record.getMessage() == "a listener for StoreLost failed"
    assert record.exc_info is not None
    assert "broken listener" in str(record.exc_info[1])


def test_only_what_somebody_listens_to_is_wanted() -> None:
    bus = Events()
    assert not bus.wanted(JobInserted)
    bus.listen(JobInserted, lambda _: None)
    assert bus.wanted(JobInserted)
    assert not bus.wanted(StoreLost)


def test_an_event_that_nobody_listens_to_is_harmless() -> None:
    Events().emit(LOST)
