"""Values are masked under names that say that they are secret, and under those that a job gives."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.core.redact import MASK, SECRET, is_secret, masked, masked_list, without_secret

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "name",
    [
        *SECRET,
        "PASSWORD",
        "user_password",
        "newPassword",
        "accessToken",
        "X-Api-Key",
        "APIKey",
        "apiKey",
        "db.secret.1",
    ],
)
def test_a_name_with_a_secret_word_is_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["", "max_tokens", "tokenizer", "keyboard", "card", "secretary", "é", "user_id", "_"])
def test_another_name_is_not(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", ["iban", "IBAN", "Iban"])
def test_a_name_that_a_job_gives_is_secret_in_any_spelling(name: str) -> None:
    assert is_secret(name, ["iban"])
    assert not is_secret(f"my_{name}", ["iban"])


def test_a_name_without_ascii_letters_is_found_as_it_is() -> None:
    assert is_secret("пароль", ["пароль"])
    assert not is_secret("имя", ["пароль"])


def test_what_is_secret_is_masked_at_any_depth() -> None:
    value = {"user": {"name": "a", "password": "x", "cards": [{"cvv": 1}, {"n": 2}]}, "token": {"a": 1}, "iban": "y"}
    assert masked(value, ["iban"]) == {
        "user": {"name": "a", "password": MASK, "cards": [{"cvv": MASK}, {"n": 2}]},
        "token": MASK,
        "iban": MASK,
    }


def test_values_in_a_list_are_masked_by_the_names_of_their_places() -> None:
    assert masked_list([1, "x", {"token": 2}, 3], ["user_id", "password"]) == [1, MASK, {"token": MASK}, 3]
    assert masked_list([1], ["user_id", "password"]) == [1]


@given(JSON)
def test_a_value_without_secrets_stays_as_it_is(value: Any) -> None:  # noqa: ANN401
    assert masked(value) == value or MASK in repr(masked(value))


@given(JSON, st.sampled_from(SECRET))
def test_no_canary_under_a_secret_name_is_left(value: Any, name: str) -> None:  # noqa: ANN401
    assert "canary" not in repr(masked([value, {"deep": [{name: [value, "canary"]}]}]))


class Login(msgspec.Struct):
    user: str
    password: str


@pytest.mark.parametrize(
    ("name", "value"),
    [("token", "canary"), ("iban", "canary"), ("user", {"password": "canary"}), ("login", Login("a", "canary"))],
)
def test_the_text_of_an_error_does_not_show_a_secret_value(name: str, value: object) -> None:
    text = f'job "pay", argument "{name}": expected int, got {value!r}'
    assert without_secret(text, name, value, ["iban"]) == (
        f'job "pay", argument "{name}": expected int, got a value that is not shown'
    )


@pytest.mark.parametrize("value", ["5", {"name": "a"}, Login, object()])
def test_the_text_of_another_error_stays(value: object) -> None:
    assert without_secret("expected int, got it", "number", value) == "expected int, got it"
