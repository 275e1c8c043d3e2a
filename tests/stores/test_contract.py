"""What is refused before it reaches a store that cannot do it."""

from pathlib import Path

import pytest

from treadle import Treadle
from treadle.errors import ConfigError


def test_a_priority_is_refused_where_the_store_has_none(redis_url: str) -> None:
    app = Treadle(redis_url)

    @app.job(priority=3)
    def welcome() -> None: ...

    @app.job
    def report() -> None: ...

    with pytest.raises(ConfigError) as refused:
        welcome.new()
    assert str(refused.value) == (
        'job "welcome": expected priority 0 on this store, which has none, got 3: give what is urgent a queue and '
        "slots of its own"
    )
    with pytest.raises(ConfigError, match='job "report": expected priority 0'):
        report.options(priority=9).new()
    with pytest.raises(ConfigError, match='job "welcome": expected priority 0'):
        app.enqueue("welcome")
    assert report.options(priority=0).new().new.priority == 0


def test_a_priority_is_taken_where_the_store_has_them(tmp_path: Path) -> None:
    app = Treadle(f"sqlite:///{tmp_path}/jobs.db")

    @app.job(priority=3)
    def welcome() -> None: ...

    assert welcome.new().new.priority == 3
    assert welcome.options(priority=0).new().new.priority == 0
