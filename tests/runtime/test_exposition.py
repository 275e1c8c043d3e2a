"""The page of metrics is what Prometheus' own parser takes it for."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from treadle.runtime.exposition import Exposition
from treadle.runtime.metrics import BUCKETS, Histogram

# Line ends other than \n are split at by the parser, though the format does not.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


def test_a_page_has_its_families_with_their_kinds_and_meanings() -> None:
    page = Exposition()
    page.counter("jobs_total", "Jobs.", [({"queue": "a"}, 3), ({"queue": "b"}, 4)])
    page.gauge("slots", "Slots.", [({}, 10)])
    jobs, slots = text_string_to_metric_families(page.text)
    assert (jobs.name, jobs.type, jobs.documentation) == ("jobs", "counter", "Jobs.")
    assert [(sample.labels, sample.value) for sample in jobs.samples] == [({"queue": "a"}, 3.0), ({"queue": "b"}, 4.0)]
    assert (slots.type, slots.samples[0].value) == ("gauge", 10.0)


def test_a_histogram_counts_up_to_each_bound() -> None:
    histogram = Histogram()
    for seconds in (0.001, 0.2, 100_000.0):
        histogram.observe(seconds)
    page = Exposition()
    page.histogram("run_seconds", "Times.", [({"queue": "a"}, histogram)])
    (family,) = text_string_to_metric_families(page.text)
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert [*map(float, buckets)] == [*BUCKETS, math.inf]
    assert (buckets["0.01"], buckets["0.5"], buckets["3600"], buckets["+Inf"]) == (1, 2, 2, 3)
    rest = {sample.name: sample.value for sample in family.samples if "le" not in sample.labels}
    assert rest == {"run_seconds_sum": histogram.total, "run_seconds_count": 3}


@given(label=TEXT, value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_label_and_any_number_comes_back_as_it_was(label: str, value: float) -> None:
    page = Exposition()
    page.gauge("depth", "Depth.", [({"queue": label}, value)])
    (family,) = text_string_to_metric_families(page.text)
    assert [(sample.labels["queue"], sample.value) for sample in family.samples] == [(label, value)]
