"""Constants that differ by step: a weight of each step is a factor over time, all else is refused.

y[t] = w[t] x[t]      sums over time with weights, learned or written down
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from snndeploy.frontend.capture.alike import ANY, Column, NotRolled, said
from snndeploy.frontend.capture.rolled import Numbers, Rolled, Steps
from snndeploy.frontend.capture.values import Call, Constant

FACTORS = {"aten.mul.Tensor": (0, 1), "aten.div.Tensor": (1,)}  # which operands


def numbers_differ(column: Column) -> bool:
    """All its steps are constants, and not all the same."""
    real = [member for member in column if member is not ANY]
    constant = all(isinstance(member, Constant) for member in real)
    return constant and any(member is not real[0] for member in real)


def numbers_of(column: Column) -> Numbers:
    """Of constants, one a step; a step that nobody reads has 1."""
    real = [member for member in column if member is not ANY]
    usual = max(real, key=real.count)
    step = next(i for i, m in enumerate(column) if m is not usual and m is not ANY)
    what = f"{said(column[step])} where other steps have {said(usual)}"
    found = tuple(1.0 if member is ANY else member.uniform for member in column)
    single = None not in found and len({member.shape for member in real}) == 1
    return Numbers(usual.shape, usual.dtype, "", found if single else None, step, what)


def refuse_numbers(call: Call, places: Sequence[Rolled], members: Sequence[Call]) -> None:
    """Let numbers that differ by step be factors of a sequence, and nothing else.

    Raises:
        NotRolled: naming the call, and the step that is unlike others.
    """
    for slot, place in enumerate(places):
        if isinstance(place, Numbers):
            others = [other for other in places if other is not place]
            factor = slot in FACTORS.get(call.name, ()) and place.numbers is not None
            if not factor or not all(_sequence(other) for other in others):
                raise differing(call, place, _taking_turns(members))


def _sequence(node: Rolled) -> bool:
    return node.timed and not isinstance(node, Numbers)


def refuse_in_loops(nodes: Iterable[Rolled]) -> None:
    """Nothing that remembers may change from step to step.

    Raises:
        NotRolled: naming the first call that does.
    """
    for node in nodes:
        for source in node.sources():
            if isinstance(node, Steps) and isinstance(source, Numbers):
                raise differing(node.call, source)


def differing(call: Call, numbers: Numbers, more: str = "") -> NotRolled:
    return NotRolled(f"{said(call)} with {numbers.what}{more}", call.module, numbers.step)


def _taking_turns(members: Sequence[Call]) -> str:
    """Said of calls that each step makes in a module of its own."""
    modules = list(dict.fromkeys(member.module for member in members))
    if len(modules) != len(members):
        return ""
    return f" (each step has a module of its own, {modules[0]!r} to {modules[-1]!r}; share one)"


def weighing(node: Rolled) -> Numbers | None:
    """The factor over time of a call, if it has one."""
    found: Any = [source for source in node.sources() if isinstance(source, Numbers)]
    return found[0] if isinstance(node, Steps) and found else None
