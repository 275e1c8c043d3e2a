"""When a job is one too many: the rule that it is declared with, and the digest by which two jobs are the same."""

import hashlib
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Literal

import msgspec

from treadle.core.jsontext import shown
from treadle.core.nearest import did_you_mean
from treadle.core.states import State
from treadle.errors import ConfigError

Field = Literal["args", "queue", "worker", "meta"]
Group = Literal["successful", "all", "incomplete", "scheduled"]
Until = Literal["start", "success", "expiry"]
Timestamp = Literal["inserted_at", "scheduled_at"]
Replaced = Literal["args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags"]
StateName = Literal[
    "available", "scheduled", "executing", "retryable", "completed", "discarded", "cancelled", "suspended"
]
Replaceable = Literal["available", "scheduled", "retryable"]

FIELDS: tuple[Field, ...] = ("args", "queue", "worker", "meta")
UNTIL: tuple[Until, ...] = ("start", "success", "expiry")
TIMESTAMPS: tuple[Timestamp, ...] = ("inserted_at", "scheduled_at")
REPLACED: tuple[Replaced, ...] = ("args", "max_attempts", "meta", "priority", "queue", "scheduled_at", "tags")
PERIOD = 60.0
SECONDS_LIMIT = 1e10

_NOT_STARTED = frozenset({State.SUSPENDED, State.AVAILABLE, State.SCHEDULED})
_INCOMPLETE = _NOT_STARTED | {State.EXECUTING, State.RETRYABLE}
_ALL = frozenset(State)

# Source: oban lib/oban/job.ex, `unique_state_groups`.
GROUPS: Mapping[Group, frozenset[State]] = {
    "successful": _INCOMPLETE | {State.COMPLETED},
    "all": _ALL,
    "incomplete": _INCOMPLETE,
    "scheduled": frozenset({State.SCHEDULED}),
}

Policy = Until | Literal["successful"]

_POLICIES: Mapping[frozenset[State], Policy] = {
    GROUPS["successful"]: "successful",
    GROUPS["incomplete"]: "success",
    GROUPS["all"]: "expiry",
}

_STATES_UNTIL: Mapping[Until, frozenset[State]] = {"start": _NOT_STARTED, "success": _INCOMPLETE, "expiry": _ALL}

# What waits can be changed; a job that runs has begun with what it had.
REPLACEABLE_IN: tuple[Replaceable, ...] = ("available", "scheduled", "retryable")


class Unique(msgspec.Struct, frozen=True, kw_only=True):
    """Of jobs that are the same, only one is kept: enqueueing another gives that one, as a conflict.

    `period`: seconds in which a job stands in the way of its like, from `timestamp` ("inserted_at", "scheduled_at") on;
    None for as long as it is in one of `states`. `fields`: what must be equal, of "args", "queue", "worker" and "meta";
    `keys`: of args and meta only these. `states`: a group ("successful", "incomplete", "all", "scheduled") or the
    states in which a job counts; in their place `until`: "start" of its first attempt, "success" or its end in another
    way, or "expiry" of the period alone. `replace`: for each state what an existing job takes over from the new one.

    Raises ConfigError.
    """

    period: float | None = PERIOD
    fields: Collection[Field] = ("args", "queue", "worker")
    keys: Collection[str] = ()
    states: Group | Collection[StateName] | None = None
    until: Until | None = None
    timestamp: Timestamp = "inserted_at"
    replace: Mapping[Replaceable, Collection[Replaced]] = {}

    def __post_init__(self) -> None:
        values = {
            "period": _period(self.period),
            "fields": _words(self.fields, "fields", FIELDS),
            "keys": _texts(self.keys),
            "replace": _replace(self.replace),
        }
        for name, value in values.items():
            msgspec.structs.force_setattr(self, name, value)
        _one_of(self.timestamp, "timestamp", TIMESTAMPS)
        if self.until is not None:
            _one_of(self.until, "until", UNTIL)
            if self.states is not None:
                raise ConfigError("expected either states or until of unique, got both")
            if self.until == "expiry" and self.period is None:
                raise ConfigError('expected a period of unique with until="expiry", got one without end')
        if self.keys and not {"args", "meta"}.intersection(self.fields):
            raise ConfigError(
                f'expected "args" or "meta" among fields of unique with keys, got {", ".join(self.fields)}'
            )
        held = self.held
        unreached = next((state for state in self.replace if State(state) not in held), None)
        if unreached is not None:
            raise ConfigError(
                f"expected the states in replace of unique to be among those in which a job counts, got {unreached}"
            )

    @property
    def held(self) -> frozenset[State]:
        """The states in which a job stands in the way of its like. Raises ConfigError."""
        if self.until is not None:
            return _STATES_UNTIL[self.until]
        given = self.states
        if given is None:
            return GROUPS["successful"]
        if isinstance(given, str):
            return GROUPS[_one_of(given, "states", tuple(GROUPS))]
        return frozenset(State(word) for word in _words(given, "states", tuple(state.value for state in State)))

    def taken_over(self, state: str) -> Collection[Replaced]:
        """What a job in this state takes over from a new one."""
        return self.replace.get(state, ())  # type: ignore[call-overload,no-any-return] # any state may stand in a store

    @property
    def unstarted(self) -> bool:
        """Whether only jobs whose first attempt has not begun stand in the way."""
        return self.until == "start"


class Arguments(msgspec.Struct, frozen=True):
    """What tells the name of each argument in a list: the parameters in order, and the one that takes the rest.

    `defaults` holds the JSON of those that may be left out: a call that gives the default is the call that does not.
    """

    parameters: tuple[str, ...] = ()
    defaults: Mapping[str, bytes] = {}
    rest: str = ""


class Uniqueness(msgspec.Struct, frozen=True):
    """The rule of one job, with what is needed to compare its arguments."""

    rule: Unique
    arguments: Arguments = Arguments()

    def digest(self, *, name: str, queue: str, args: bytes, meta: bytes) -> str:
        """What is equal for two jobs that are the same by this rule. `args` and `meta` are JSON, in either shape.

        Numbers are compared by value (1.0 is 1), objects in any order. Raises ValueError for what is no JSON.
        """
        rule = self.rule
        parts: dict[str, Any] = {"fields": sorted(rule.fields), "keys": sorted(rule.keys)}
        if "worker" in rule.fields:
            parts["worker"] = name
        if "queue" in rule.fields:
            parts["queue"] = queue
        if "args" in rule.fields:
            parts["args"] = self._chosen(self._named(_load(args)))
        if "meta" in rule.fields:
            parts["meta"] = self._chosen(_load(meta))
        return hashlib.sha256(_canonical(parts).encode()).hexdigest()

    def _named(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        known = self.arguments
        if isinstance(value, list):
            named = dict(zip(known.parameters, value, strict=False))
            rest = value[len(known.parameters) :]
            value = {**named, known.rest: rest} if rest else named
        if not isinstance(value, dict):
            return value
        return {**{name: _load(text) for name, text in known.defaults.items()}, **value}

    def _chosen(self, value: Any) -> Any:  # noqa: ANN401 - as above
        if not self.rule.keys or not isinstance(value, dict):
            return value
        return {key: value[key] for key in self.rule.keys if key in value}


def check_unique(value: object, what: str) -> Unique | None:
    """A rule, or None for jobs that are not unique."""
    if value is None or isinstance(value, Unique):
        return value
    raise ConfigError(f"expected {what} to be a Unique, as in Unique(period=60), got {shown(value)}")


def check_keys(rule: Unique, parameters: Collection[str], job: str) -> Unique:
    """The rule, if its keys are arguments of this job; with "meta" among the fields any name may be one."""
    unknown = next((key for key in rule.keys if key not in parameters), None)
    if unknown is None or "meta" in rule.fields:
        return rule
    raise ConfigError(
        f'job "{job}": expected the keys of unique to be among its arguments ({", ".join(parameters) or "none"}), '
        f'got "{unknown}"{did_you_mean(unknown, parameters)}'
    )


def policy(rule: Unique) -> Policy | None:
    """When a lock that keeps this rule is taken away; None where no lock can keep it."""
    return rule.until or _POLICIES.get(rule.held)


def check_lock(rule: Unique, job: str) -> Unique:
    """The rule, if a store can keep it that keeps no finished jobs but a lock with an end. Raises ConfigError."""
    if rule.period is None:
        raise ConfigError(
            f'job "{job}": expected a period of unique in seconds on this store, got one without end: the lock of a '
            f"job that another program deletes would stay for ever"
        )
    if policy(rule) is None:
        raise ConfigError(
            f'job "{job}": expected states of unique to be successful, incomplete or all on this store, or until in '
            f"their place, got {', '.join(sorted(rule.held))}"
        )
    other = next((state for state in rule.replace if state != "scheduled"), None)
    if other is not None:
        raise ConfigError(
            f'job "{job}": expected replace of unique to name only scheduled on this store, got {other}: what waits in '
            f"a queue cannot be found there"
        )
    return rule


def _period(value: object) -> float | None:
    if value is None or value == float("inf"):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and 0 < value < SECONDS_LIMIT:
        return float(value)
    raise ConfigError(f"expected period of unique to be a number of seconds, more than 0, or None, got {shown(value)}")


def _one_of(value: Any, name: str, known: tuple[Any, ...]) -> Any:  # noqa: ANN401 - one of `known`
    if isinstance(value, str) and value in known:
        return value
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    raise ConfigError(f"expected {name} of unique to be {' or '.join(known)}, got {shown(value)}{hint}")


def _words(value: object, name: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping) or not value:
        raise ConfigError(f"expected {name} of unique to be a list of {', '.join(known)}, got {shown(value)}")
    for word in value:
        if word not in known:
            hint = did_you_mean(word, known) if isinstance(word, str) else ""
            raise ConfigError(f"expected {name} of unique to be among {', '.join(known)}, got {shown(word)}{hint}")
    return tuple(dict.fromkeys(value))


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping):
        keys = tuple(dict.fromkeys(value))
        if all(isinstance(key, str) for key in keys):
            return keys
    raise ConfigError(f"expected keys of unique to be a list of names, got {shown(value)}")


def _replace(value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f'expected replace of unique to be a mapping, as in {{"scheduled": ["scheduled_at"]}}, got {shown(value)}'
        )
    for state in value:
        if state not in REPLACEABLE_IN:
            raise ConfigError(
                f"expected the states in replace of unique to be among {', '.join(REPLACEABLE_IN)}, got {shown(state)}"
                f": what runs or has ended keeps what it had"
            )
    return {str(state): _words(names, f"replace[{str(state)!r}]", REPLACED) for state, names in value.items()}


def _load(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(text.decode("utf-8", "surrogatepass"), parse_int=Decimal, parse_float=Decimal)


def _canonical(value: object) -> str:
    """One text for all JSON of the same value. A list of pairs, so that no text looks like another kind of value."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(key)}:{_canonical(value[key])}' for key in sorted(value))}}}"
    return json.dumps(value)


def _number(value: Decimal) -> str:
    """Digits and exponent: never written out, as a number of a foreign program may have a billion zeros."""
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    stripped = text.rstrip("0")
    if not stripped or not isinstance(exponent, int):
        return "0" if isinstance(exponent, int) else str(value)
    return f"{'-' if sign else ''}{stripped}e{exponent + len(text) - len(stripped)}"
