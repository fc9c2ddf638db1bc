"""Rules for loops whose first step differs: a state that starts at a constant, an operator elided.

Where mem = 0 before the loop, its first step has a constant in the place of the state, lacks the
product with it, or has x instead of 0 + x.  Each rule gives the node that all steps are, or None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snndeploy.frontend.capture.alike import ANY, Column, NotRolled, likeness, sort, turned
from snndeploy.frontend.capture.rolled import Rolled, Steps
from snndeploy.frontend.capture.values import Call, Constant

if TYPE_CHECKING:
    from snndeploy.frontend.capture.roll import Roller

COMMUTE = {"aten.add.Tensor", "aten.mul.Tensor", "aten.bitwise_and.Tensor", "aten.maximum.default"}
SUMS = {"aten.add.Tensor": ("self", "other"), "aten.sub.Tensor": ("self",)}


def delay(roller: Roller, column: Column) -> Rolled | None:
    """Rule 5: a constant, then values that agree."""
    first, rest = column[0], column[1:]
    if not isinstance(first, Constant) or all(member is ANY for member in rest):
        return None
    source = roller.zip((*rest, ANY))
    return roller.delayed(source, first)


def cleared_now(roller: Roller, column: Column) -> Rolled | None:
    """The same with a value that is known to be of the step itself: what is cleared is not the
    next step's, which a delay would make of an input that all steps share."""
    return cleared(roller, column, of_step=True)


def cleared(roller: Roller, column: Column, *, of_step: bool = False) -> Rolled | None:
    """A first step where nothing is multiplied by what the others multiply."""
    first, second = column[0], column[1] if len(column) > 1 else ANY
    real = [member for member in column[1:] if member is not ANY]
    zero = isinstance(first, Constant) and first.uniform == 0
    if not zero or not isinstance(second, Call) or second.name != "aten.mul.Tensor":
        return None
    if any(sort(member) != sort(second) for member in real):
        return None
    for own, other in (("self", "other"), ("other", "self")):
        if of_step and roller.family(_of_key(column, other), 0) is None:
            continue
        found = roller.tried(
            lambda own=own, other=other: _product(roller, column, second, own, other)  # type: ignore[misc]
        )
        if found is not None:
            return found
    return None


def _of_key(column: Column, key: str) -> Column:
    """That argument of every step but the first."""
    return (ANY, *(ANY if member is ANY else member.arguments[key] for member in column[1:]))


def _product(roller: Roller, column: Column, second: Call, own: str, other: str) -> Rolled:
    family = Steps(second.shape, second.dtype, second.module, second, column)
    roller.remember(roller.memo, column, family)
    roller.own(family)
    rest = [ANY if member is ANY else member.arguments for member in column[1:]]
    factors = _of_key(column, other)
    known = roller.family(factors, 0) or roller.same(factors)
    if known is None:
        raise NotRolled("its first step multiplies by zero", second.module, 0)
    mine = roller.zip((column[0], *(ANY if a is ANY else a[own] for a in rest)))
    walked = {own: mine, other: known}
    family.arguments = {key: walked[key] for key in second.arguments}
    return family


def elided(roller: Roller, column: Column) -> Rolled | None:
    """Rule 6: the first step's x stands for 0 + x."""
    first = column[0]
    second = column[1] if len(column) > 1 else ANY
    real = [member for member in column[1:] if member is not ANY]
    if not isinstance(second, Call) or second.name not in SUMS or "alpha" in second.arguments:
        return None
    if any(sort(member) != sort(second) for member in real) or isinstance(first, Constant):
        return None
    keys = [key for key in SUMS[second.name] if likeness(first, second.arguments[key])]
    for key in sorted(keys, key=lambda key: -likeness(first, second.arguments[key])):
        found = roller.tried(lambda key=key: _sum(roller, column, second, key))  # type: ignore[misc]
        if found is not None:
            return found
    return None


def _sum(roller: Roller, column: Column, second: Call, own: str) -> Rolled:
    other = "other" if own == "self" else "self"
    zero = Constant(0.0, (), float)
    family = Steps(second.shape, second.dtype, second.module, second, column)
    roller.remember(roller.memo, column, family)
    roller.own(family)
    rest = [ANY if member is ANY else member.arguments for member in column[1:]]
    mine = [ANY if a is ANY else a[own] for a in rest]
    theirs = [ANY if a is ANY else a[other] for a in rest]
    if second.name in COMMUTE:
        for step, member in enumerate(column[1:]):
            if member is not ANY:
                usual = [second.arguments[own], second.arguments[other]]
                pair = [mine[step], theirs[step]]
                mine[step], theirs[step] = turned(pair, usual)
    walked = {own: roller.zip((column[0], *mine)), other: roller.zip((zero, *theirs))}
    family.arguments = {key: walked[key] for key in second.arguments}
    return family


def zero_added(roller: Roller, column: Column) -> Rolled | None:
    """A first step that adds zero to what the others have bare."""
    first = column[0]
    if not isinstance(first, Call) or first.name != "aten.add.Tensor":
        return None
    for key, other in (("self", "other"), ("other", "self")):
        added = first.arguments[other]
        if isinstance(added, Constant) and added.uniform == 0:
            bare = first.arguments[key]
            if bare.shape == first.shape:
                return roller.zip((bare, *column[1:]))
    return None


FIRST_STEP = (cleared_now, delay, cleared, elided, zero_added)
