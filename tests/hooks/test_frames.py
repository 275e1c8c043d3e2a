"""A failed attempt is told with the frames of the user's own code."""

import json
import sysconfig

from treadle.hooks.frames import user_frames

LIBRARY = sysconfig.get_path("purelib")
OURS = '  File "/srv/shop/jobs.py", line 3, in welcome\n    send(user)\n    ^^^^^^^^^^\n'
THEIRS = f'  File "{LIBRARY}/httpx/_client.py", line 9, in send\n    raise ConnectError\n'
FROZEN = '  File "<frozen importlib._bootstrap>", line 1, in _call_with_frames_removed\n'
HEAD = "Traceback (most recent call last):\n"
END = "httpx.ConnectError: no route\n  to host\n"


def test_frames_of_installed_packages_are_left_out() -> None:
    assert user_frames(f"{HEAD}{OURS}{THEIRS}{FROZEN}{THEIRS}{END}") == f"{HEAD}{OURS}{END}"


def test_a_repetition_goes_with_its_frame() -> None:
    again = "  [Previous line repeated 900 more times]\n"
    assert user_frames(f"{HEAD}{OURS}{THEIRS}{again}{END}") == f"{HEAD}{OURS}{END}"
    assert user_frames(f"{HEAD}{THEIRS}{OURS}{again}{END}") == f"{HEAD}{OURS}{again}{END}"


def test_errors_that_led_to_this_one_stay() -> None:
    between = "\nThe above exception was the direct cause of the following exception:\n\n"
    text = f"{HEAD}{THEIRS}{END}{between}{HEAD}{OURS}{END}"
    assert user_frames(text) == f"{HEAD}{END}{between}{HEAD}{OURS}{END}"


def test_a_traceback_without_a_frame_of_the_users_stays_whole() -> None:
    assert user_frames(f"{HEAD}{THEIRS}{END}") == f"{HEAD}{THEIRS}{END}"
    assert user_frames("ValueError: no") == "ValueError: no"
    assert user_frames("") == ""


def test_a_real_traceback_is_cut_at_the_users_code() -> None:
    import traceback  # noqa: PLC0415 - only this test has a real one

    try:
        json.loads("{")
    except json.JSONDecodeError:
        whole = traceback.format_exc()
    cut = user_frames(whole)
    assert "json/decoder.py" in whole
    assert "json/decoder.py" not in cut
    assert "test_frames.py" in cut
    assert cut.endswith(whole.splitlines(keepends=True)[-1])
