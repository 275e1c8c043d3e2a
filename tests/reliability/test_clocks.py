"""Workers whose clock is wrong: on Redis the server's clock decides, and nothing comes early or late."""

import pytest

from tests.reliability.bench import Bench
from tests.servers import faketime_env
from treadle.runtime.plan import Plan

DELAY = 2.0
STAGED = 1.0  # seconds that a due job may wait to be staged
SLACK = 0.7


@pytest.mark.parametrize("url", ["redis"], indirect=True)
@pytest.mark.parametrize("offset", ["-2h", "+1h"])
def test_retries_and_delays_come_at_the_right_time_on_a_worker_whose_clock_is_wrong(bench: Bench, offset: str) -> None:
    wrong = {name: value for name, value in faketime_env(offset).items() if "FAKE" in name or name == "LD_PRELOAD"}
    node = bench.start(Plan(lease=1.0), **wrong).works()
    began = bench.book.now
    bench.enqueue(*(bench.new("tick", delay=DELAY, number=number) for number in range(5)))
    bench.fill("fail_and_wait", range(5, 10))
    bench.appear("JobRetried", 5)
    right = bench.start(Plan(lease=1.0)).works()
    assert node.log.split(":")[0] != right.log.split(":")[0]  # date and hour of the first line
    bench.done(10)
    for number in range(10):
        *first, last = [line.at for line in bench.book.of("S", number)]
        due = (first[0] if first else began) + DELAY
        assert due - 0.1 < last < due + STAGED + SLACK
    assert bench.book.events("OwnersRescued") == []
    assert (node.stops(), right.stops()) == (0, 0)
    bench.accounted(10, faults=5)
