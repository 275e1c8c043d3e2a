"""Which values are shown to nobody: those whose names say that they are secret, and those that a job names."""

import re
from collections.abc import Collection
from typing import Any

from treadle.core.jsontext import encode, load_json

MASK = "***"

# Looked for among the words of a name: `accessToken`, `X-Api-Key` and `DB_PASSWORD` are found, `max_tokens` is not.
SECRET = (
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "authorization",
    "credentials",
    "cookie",
    "credit_card",
    "creditcard",
    "card_number",
    "cvv",
    "cvc",
    "ssn",
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret(name: str, redact: Collection[str] = ()) -> bool:
    """Whether the value under this name is never shown; `redact` are the names that a job gave, in any spelling."""
    words = _words(name)
    return (
        name in redact
        or any(f"_{secret}_" in words for secret in SECRET)
        or any(words == _words(other) for other in redact if words != "__")
    )


def masked(value: Any, redact: Collection[str] = ()) -> Any:  # noqa: ANN401 - any JSON
    """A copy of a JSON value in which everything under a secret name is masked, at any depth."""
    match value:
        case dict():
            return {key: MASK if is_secret(str(key), redact) else masked(item, redact) for key, item in value.items()}
        case list() | tuple():
            return [masked(item, redact) for item in value]
    return value


def masked_list(values: Collection[Any], names: Collection[str], redact: Collection[str] = ()) -> list[Any]:
    """The same for values that have their names in another place; a value beyond them has none."""
    beyond = [""] * (len(values) - len(names))
    named = zip(values, [*names, *beyond], strict=False)
    return [MASK if is_secret(name, redact) else masked(value, redact) for value, name in named]


def without_secret(text: str, name: str, value: object, redact: Collection[str] = ()) -> str:
    """The text of an error about an argument, without the value that came where that is or holds a secret."""
    try:
        plain = load_json(encode(value))
    except Exception:  # noqa: BLE001 - user code, and values of no type that is known
        plain = value
    try:
        if masked({name: plain}, redact) == {name: plain}:
            return text
    except Exception:  # noqa: BLE001, S110 - user code; what cannot be told is not shown
        pass
    return f"{text.partition(', got ')[0]}, got a value that is not shown"


def _words(name: str) -> str:
    return f"_{'_'.join(word.lower() for word in _WORD.findall(name))}_"
