"""Arguments that a query names, by their positions: for stores that keep arguments as lists."""

from collections.abc import Mapping, Sequence
from typing import assert_never

from treadle.core.nearest import did_you_mean
from treadle.core.query import And, Condition, Not, Or, Present, Text, Where, leaves
from treadle.core.query_match import position
from treadle.errors import QueryError

REST = "*"
"""What stands before the name of a parameter that takes all arguments that are left."""

MOST_CONDITIONS = 5_000

Parameters = Mapping[str, Sequence[str]]
"""The names of a job's parameters in their order, by every name that the job answers to."""


def by_position(where: Where, parameters: Parameters) -> Where:
    """The same query with each named argument as what it is of each job that has one of this name.

    Raises QueryError for a name that no job gives to an argument: nothing could match it.
    """
    placed = _placed(where, parameters)
    number = sum(1 for _ in leaves(placed))
    if number > MOST_CONDITIONS:
        raise QueryError(
            f"expected at most {MOST_CONDITIONS:,} conditions when each named argument is looked for in every job that "
            f"has it, got {number:,}: give positions, as in args.0, instead of names"
        )
    return placed


def _placed(where: Where, parameters: Parameters) -> Where:
    match where:
        case And(parts):
            return And(tuple(_placed(part, parameters) for part in parts))
        case Or(parts):
            return Or(tuple(_placed(part, parameters) for part in parts))
        case Not(part):
            return Not(_placed(part, parameters))
        case Condition(field="args") if position(where.path[0]) is None:
            return _of_each_job(where, parameters)
        case Condition():
            return where
        case _:
            assert_never(where)


def _of_each_job(asked: Condition, parameters: Parameters) -> Where:
    name, *within = asked.path
    jobs: dict[Condition | None, list[Where]] = {}
    at: Condition | None
    for job, names in parameters.items():
        if name in names:
            at = Condition("args", asked.test, (str(names.index(name)), *within))
        elif f"{REST}{name}" in names:
            at = _in_rest(asked, names.index(f"{REST}{name}"), within)
        else:
            continue
        jobs.setdefault(at, []).append(Condition("name", Text(job)))
    if not jobs:
        known = {given.removeprefix(REST) for names in parameters.values() for given in names}
        raise QueryError(
            f"expected args. to be followed by a position, as in args.0, or by an argument of a registered job on this "
            f'store, which keeps arguments as lists, got "{name}"{did_you_mean(name, known)}'
        )
    each = [And((_either(named), at)) for at, named in jobs.items() if at is not None]
    return _either(each) if each else Not(And(()))


def _in_rest(asked: Condition, start: int, within: Sequence[str]) -> Condition | None:
    """What is asked of the list that the last parameter is; None for what no list can be."""
    if not within:
        return Condition("args", Present(), (str(start),)) if isinstance(asked.test, Present) else None
    index = position(within[0])
    return None if index is None else Condition("args", asked.test, (str(start + index), *within[1:]))


def _either(parts: Sequence[Where]) -> Where:
    return parts[0] if len(parts) == 1 else Or(tuple(parts))
