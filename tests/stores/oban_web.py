"""Oban's dashboards as far as they read what a node tells: what crashes a page of Oban Web fails here.

From wire/oban.md 3.3: oban_met keeps checks by node, name and queue, and metrics by their labels and their second; Oban
Web sums limits, counts what runs, reads instants and expressions.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.stores.test_oban_cron import elixir_reads
from treadle.stores.oban_notices import read

CHECK = {"uuid", "node", "name", "queue", "local_limit", "paused", "running", "started_at"}
SERIES = {"exec_time", "wait_time", "exec_count"}
STATES = {"completed", "retryable", "discarded", "cancelled", "scheduled"}


class Dashboard:
    """What one would show, having heard these notices."""

    def __init__(self) -> None:
        self.checks: dict[tuple[str, str], dict[str, Any]] = {}
        self.counts: dict[tuple[str, str, str], int] = {}
        self.bins: dict[tuple[str, str, str, str], dict[int, int]] = {}
        self.nodes: set[str] = set()
        self.crons: dict[str, list[list[Any]]] = {}

    def hear(self, channel: str, payload: str) -> None:
        """Take a notice in. Raises what a page would."""
        assert len(payload.encode()) < 8000
        message = read(payload)
        assert message is not None
        match channel:
            case "gossip":
                assert set(message) == {"checks"}
                for check in message["checks"]:
                    self._check(check)
            case "metrics":
                self._metrics(message)
            case "cronitor":
                self._crontab(message)
            case "sonar":
                assert message == {"node": message["node"], "ping": True}
            case "insert":
                assert set(message) == {"queue"}
            case "signal":
                assert isinstance(message["action"], str)
            case _:
                raise AssertionError(f"nobody listens on {channel}")

    def running(self, queue: str) -> set[int]:
        """The ids that the page of a queue counts."""
        checks = [check for (_, name), check in self.checks.items() if name == queue]
        return {job_id for check in checks for job_id in check["running"]}

    def _check(self, check: dict[str, Any]) -> None:
        assert set(check) == CHECK
        assert check["name"] == "Oban"
        assert type(check["local_limit"]) is int
        assert check["local_limit"] > 0
        assert type(check["paused"]) is bool
        assert all(type(job_id) is int for job_id in check["running"])
        assert datetime.fromisoformat(check["started_at"]).tzinfo is not None
        assert all(type(check[member]) is str for member in ("uuid", "node", "queue"))
        self.checks[check["node"], check["queue"]] = check

    def _metrics(self, message: Mapping[str, Any]) -> None:
        assert set(message) == {"metrics", "name", "node", "time"}
        assert message["name"] == "Oban"
        assert type(message["time"]) is int
        self.nodes.add(message["node"])
        for metric in message["metrics"]:
            assert set(metric) == {"series", "state", "queue", "worker", "value"}
            assert metric["series"] in SERIES
            assert metric["state"] in STATES
            labels = metric["state"], metric["queue"], metric["worker"]
            value = metric["value"]
            if metric["series"] == "exec_count":
                [count] = value["data"]
                self.counts[labels] = self.counts.get(labels, 0) + count
            else:
                assert sum(value["data"].values()) == value["size"]
                bins = self.bins.setdefault((metric["series"], *labels), {})
                for number, count in value["data"].items():
                    bins[int(number)] = bins.get(int(number), 0) + count

    def _crontab(self, message: Mapping[str, Any]) -> None:
        assert set(message) == {"crontab", "name", "node"}
        assert message["name"] == "Oban"
        for expression, worker, options in message["crontab"]:
            elixir_reads(expression)
            assert type(worker) is str
            assert set(options) <= {"name", "timezone"}
            assert type(options["name"]) is str
        self.crons[message["node"]] = message["crontab"]
