"""What is asked of a simulator's own pages, as JSON: read strictly, since nonsense would fail all requests after it.

Each function raises ValueError that says what is wrong.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from simulators.core.faults import Budget, Chance, Fault, FaultKind, Rule
from simulators.core.users import User

SECONDS_MAX = 366 * 86_400
ERROR_STATUS_MIN, ERROR_STATUS_MAX = 400, 599
FAULT_FIELDS = ("kind", "seconds", "status")

Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class _Asked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    path: str = ""


class _RuleAsked(_Asked):
    kind: FaultKind
    seconds: Seconds | None = None
    status: Annotated[int, msgspec.Meta(ge=ERROR_STATUS_MIN, le=ERROR_STATUS_MAX)] = 0
    method: str | None = None
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    every: Count = 1
    times: Count | None = None


class _ChanceAsked(_Asked):
    seed: int
    every: Count = 1
    kinds: Annotated[tuple[FaultKind, ...], msgspec.Meta(min_length=1)] = ()
    seconds: Seconds | None = None


class _BudgetAsked(_Asked):
    requests_max: Count
    seconds: Annotated[float, msgspec.Meta(gt=0, le=SECONDS_MAX)]


class _UserAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    number: Count
    email: str
    given_name: str
    surname: str
    team: str | None = None
    is_admin: bool = False


def read_rule(data: object) -> Rule:
    """A rule; the fields of Rule and Fault stand side by side."""
    given = _read(data, _RuleAsked)
    fault = Fault(**{name: given.pop(name) for name in FAULT_FIELDS if name in given})
    return Rule(fault=fault, **given)


def read_chance(data: object) -> Chance:
    return Chance(**_read(data, _ChanceAsked))


def read_budget(data: object) -> Budget:
    return Budget(**_read(data, _BudgetAsked))


def read_user(data: object) -> User:
    return User(**_read(data, _UserAsked))


def _read(data: object, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """What was given, and nothing else: defaults are those of what is made of it."""
    try:
        asked = msgspec.convert(data, kind)
        re.compile(getattr(asked, "path", ""))
    except (msgspec.ValidationError, re.error) as error:
        raise ValueError(str(error)) from error
    return {name: getattr(asked, name) for name in kind.__struct_fields__ if isinstance(data, dict) and name in data}
