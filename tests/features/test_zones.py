"""Time zones by their names, and what somebody is told who mistyped one."""

import subprocess
import sys
from datetime import UTC

import pytest

from treadle.errors import ConfigError
from treadle.features.zones import zone

EXPECTED = 'expected tz to be the name of a time zone such as "Europe/Paris", got'


def test_a_zone_is_known_by_its_name() -> None:
    assert str(zone("Australia/Lord_Howe", "tz")) == "Australia/Lord_Howe"
    assert zone("UTC", "tz") is zone("Etc/UTC", "tz") is UTC


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Pariss", 'did you mean "Europe/Paris"?'),
        ("europe/paris", 'did you mean "Europe/Paris"?'),
        ("Paris", 'did you mean "Europe/Paris"?'),
        ("america/new york", 'did you mean "America/New_York"?'),
        ("utc", 'did you mean "UTC"?'),
        ("UTC+2", 'did you mean "Etc/GMT-2", whose sign is the other way round?'),
        ("-05:00", 'did you mean "Etc/GMT+5", whose sign is the other way round?'),
    ],
)
def test_one_that_is_none_is_told_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        zone(name, "tz")
    assert str(refused.value) == f"{EXPECTED} {name!r}; {hint}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Europe",
        "localtime",
        "right/UTC",
        "/etc/passwd",
        "../../etc/passwd",
        "x" * 100_000,
        "a\0b",
        "Ωmega",
        5,
        None,
    ],
)
def test_what_is_no_name_at_all_is_refused_in_one_short_line(name: object) -> None:
    with pytest.raises(ConfigError) as refused:
        zone(name, "tz")
    assert str(refused.value).startswith(EXPECTED)
    assert len(str(refused.value)) < 250


def test_without_any_data_utc_is_known_and_what_to_install_is_told() -> None:
    program = (
        "import sys; sys.modules['tzdata'] = None\n"
        "from treadle.features.zones import zone\n"
        "zone('UTC', 'tz')\n"
        "try: zone('Europe/Paris', 'tz')\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("install the system's tzdata, or pip install tzdata")
