"""Oban's signals to queues, as we read, obey and send them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from tests.servers import wait_until
from tests.stores.places import Postgres
from tests.stores.test_postgres_listener import listeners
from treadle.core.controls import EACH_NODE, Order, QueueControl
from treadle.stores.oban_signals import control_of, kill_of, signal_of


@pytest.mark.parametrize(
    ("message", "control"),
    [
        (
            {"action": "pause", "queue": "mail", "ident": "any"},
            QueueControl(action="pause", queue="mail", node=EACH_NODE),
        ),
        ({"action": "pause", "queue": "*"}, QueueControl(action="pause", queue="*", node=EACH_NODE)),
        (
            {"action": "pause", "queue": "mail", "ident": "Oban.web-1:7"},
            QueueControl(action="pause", queue="mail", node="web-1:7"),
        ),
        ({"action": "resume", "queue": "*", "ident": "any"}, QueueControl(action="resume", queue="*")),
        (
            {"action": "scale", "queue": "mail", "ident": "any", "limit": 7, "refresh_interval": 5},
            QueueControl(action="scale", queue="mail", limit=7),
        ),
        (
            {"action": "start", "queue": "mail", "ident": "Oban.web-1", "limit": 2, "paused": False},
            QueueControl(action="start", queue="mail", node="web-1", limit=2),
        ),
        ({"action": "stop", "queue": "mail", "ident": "any"}, QueueControl(action="stop", queue="mail")),
        ({"action": "scale", "queue": "mail", "ident": "any"}, None),
        ({"action": "scale", "queue": "mail", "limit": True}, None),
        ({"action": "scale", "queue": "mail", "limit": -1}, None),
        ({"action": "scale", "queue": "mail", "limit": 10**30}, None),
        ({"action": "start", "queue": "mail", "limit": 10**30}, None),
        ({"action": "start", "queue": "mail"}, QueueControl(action="start", queue="mail")),
        ({"action": "start", "queue": "a\0b"}, None),
        ({"action": "start", "queue": "a" * 128}, None),
        ({"action": "start", "queue": ""}, None),
        ({"action": "pkill", "job_id": 13}, None),
        ({"action": "dance", "queue": "mail"}, None),
        ({"action": "pause", "queue": 5}, None),
        ({"action": "pause", "queue": "mail", "ident": 5}, None),
        ({}, None),
    ],
)
def test_a_signal_is_read(message: Mapping[str, Any], control: QueueControl | None) -> None:
    assert control_of(message) == control


@pytest.mark.parametrize(
    ("message", "job_id"),
    [
        ({"action": "pkill", "job_id": 13}, 13),
        ({"action": "pkill", "job_id": 2**63 - 1}, 2**63 - 1),
        ({"action": "pkill", "job_id": 2**63}, None),
        ({"action": "pkill", "job_id": 0}, None),
        ({"action": "pkill", "job_id": True}, None),
        ({"action": "pkill", "job_id": "13"}, None),
        ({"action": "pkill"}, None),
        ({"action": ["pkill"], "job_id": 13}, None),
        ({"job_id": 13}, None),
    ],
)
def test_a_signal_that_ends_a_job_is_read(message: Mapping[str, Any], job_id: int | None) -> None:
    assert kill_of(message) == job_id


@pytest.mark.parametrize(
    ("control", "message"),
    [
        (QueueControl(action="pause", queue="*"), {"action": "pause", "queue": "*", "ident": "any"}),
        (QueueControl(action="stop", queue="mail"), {"action": "stop", "queue": "mail", "ident": "any"}),
        (
            QueueControl(action="scale", queue="mail", limit=3),
            {"action": "scale", "queue": "mail", "ident": "any", "limit": 3},
        ),
        (QueueControl(action="start", queue="mail"), None),
        (
            QueueControl(action="pause", queue="mail", node="web-1:7"),
            {"action": "pause", "queue": "mail", "ident": "Oban.web-1:7"},
        ),
        (
            QueueControl(action="pause", queue="mail", node=EACH_NODE),
            {"action": "pause", "queue": "mail", "ident": "any"},
        ),
    ],
)
def test_a_control_is_sent_to_the_nodes_of_oban(control: QueueControl, message: Mapping[str, Any] | None) -> None:
    assert signal_of(control) == message


def test_workers_hear_what_foreign_programs_tell_and_foreign_programs_what_we_tell(postgres_url: str) -> None:
    async def story() -> None:
        place = Postgres(postgres_url)
        async with place.store() as store, await psycopg.AsyncConnection.connect(place.url, autocommit=True) as peer:
            since = (await store.orders(None, wait=0.0)).position
            await peer.execute('LISTEN "public.oban_signal"')
            told: list[QueueControl] = []
            while not told:
                # Until it listens nothing is heard.
                payload = json.dumps({"action": "scale", "queue": "mail", "ident": "any", "limit": 3})
                await peer.execute("SELECT pg_notify('public.oban_signal', %s)", (payload,))
                found = await store.orders(since, wait=0.5)
                told += [order for order in found.orders if isinstance(order, QueueControl)]
                since = found.position
            assert told[0] == QueueControl(action="scale", queue="mail", limit=3)
            await store.control(QueueControl(action="pause", queue="mail"), ["mail"])
            async for notice in peer.notifies(timeout=10.0):
                if '"pause"' in notice.payload:
                    assert json.loads(notice.payload) == {"action": "pause", "queue": "mail", "ident": "any"}
                    break
            else:
                raise AssertionError("nothing was told")
            heard = (await store.orders(since, wait=2.0)).orders
            assert QueueControl(action="pause", queue="mail", node=EACH_NODE) not in heard, "our own pause comes once"

    asyncio.run(asyncio.wait_for(story(), 60))


def test_what_a_peer_tells_is_heard_though_treadle_told_the_same_a_moment_ago(postgres_url: str) -> None:
    ours, theirs = (QueueControl(action="pause", queue="mail", node=node) for node in (None, EACH_NODE))

    async def story() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as peer:
            async with Postgres(postgres_url).store() as store:
                told = await store.orders(None, wait=0.0)
                wait_until(lambda: listeners(peer), 20.0, "the store listens")
                await store.control(ours, ["mail"])
                for signal in (signal_of(theirs), signal_of(theirs), {"action": "stop", "queue": "the end"}):
                    peer.execute("SELECT pg_notify('public.oban_signal', %s)", (json.dumps(signal),))
                heard: list[Order] = []
                while QueueControl(action="stop", queue="the end") not in heard:
                    told = await store.orders(told.position, wait=20.0)
                    heard += told.orders
                assert [heard.count(ours), heard.count(theirs), len(heard)] == [1, 2, 4]

    asyncio.run(asyncio.wait_for(story(), 60))
