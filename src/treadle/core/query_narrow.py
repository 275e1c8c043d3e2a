"""What a query says about id, state and queue at least: where a store need not look."""

from typing import assert_never

import msgspec

from treadle.core.query import And, Condition, Not, Or, Text, Where


class Narrow(msgspec.Struct, frozen=True):
    """Every job that is meant has one of these; None where any will do."""

    ids: frozenset[str] | None = None
    states: frozenset[str] | None = None
    queues: frozenset[str] | None = None


def narrowed(where: Where) -> Narrow:
    """The ids, states and queues beyond which no job is meant."""
    match where:
        case Condition(field="id", test=Text(value)):
            return Narrow(ids=frozenset({value}))
        case Condition(field="state", test=Text(value)):
            return Narrow(states=frozenset({value}))
        case Condition(field="queue", test=Text(value)):
            return Narrow(queues=frozenset({value}))
        case Condition() | Not():
            return Narrow()
        case And(parts):
            found = Narrow()
            for part in parts:
                found = _both(found, narrowed(part))
            return found
        case Or(parts):
            found = narrowed(parts[0])
            for part in parts[1:]:
                found = _either(found, narrowed(part))
            return found
        case _:
            assert_never(where)


def _both(one: Narrow, other: Narrow) -> Narrow:
    return Narrow(
        *(
            second if first is None else first if second is None else first & second
            for first, second in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
        )
    )


def _either(one: Narrow, other: Narrow) -> Narrow:
    return Narrow(
        *(
            None if first is None or second is None else first | second
            for first, second in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
        )
    )
