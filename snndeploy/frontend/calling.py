"""How a module is called: with the whole input at once, or step by step where the loop is outside.

A module that processes one step a call keeps its states in attributes, or takes them as arguments
behind the input and returns them behind its answer:

    y[t], *states = module(x[t], *states)        t = 0 ... T-1,  from no states

Its answers are put together, time first.  Which of the two a module is shows when it is tried: it
remembers (its second answer, or what it holds, depends on the call before), and one call of it has
no loop of T steps.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.answer import answer_of
from snndeploy.frontend.copying import copied

RESETS = ("reset", "reset_states", "reset_mem")  # of modules that keep states between calls
NO_STATES = ("_parameters", "_modules")  # attributes of every torch module


@dataclass(frozen=True)
class Calling:
    """along: the dimension of the input that is time, where every step has an input of its own."""

    timesteps: int
    stepped: bool = False
    along: int | None = None

    def __call__(self, module: Any, x: Any) -> Any:
        """What the module returns; of one that is called step by step, its answers, time first.

        Raises:
            ModelError: a step returns no tensor.
        """
        if not self.stepped:
            return module(x)
        answers, states = [], _no_states(module)
        for step in range(self.timesteps):
            given = x if self.along is None else x.select(self.along, step)
            returned = module(given, *states)
            states = _passed_on(module, returned)
            answer, _ = answer_of(returned, 0)
            if answer is None:
                raise ModelError("the model returns no tensor")
            answers.append(answer)
        return torch.stack(answers)

    def said(self) -> str:
        """A note on what the compiler does where the user had the loop ('' where it does not)."""
        if not self.stepped:
            return ""
        given = "the same input" if self.along is None else "the input of each step"
        return (
            f"the model processes one step a call: it is called {self.timesteps} times with"
            f" {given}, from states that are reset, and its answers are put together in time"
        )


class Called(torch.nn.Module):
    """A module as it is called, from states that are reset; it gives its answer alone."""

    def __init__(self, module: Any, calling: Calling) -> None:
        super().__init__()
        self.model, self.calling = module, calling

    def forward(self, x: Any) -> Any:
        reset_states(self.model)
        answer, _ = answer_of(self.calling(self.model, x), self.calling.timesteps)
        return answer


def step_by_step(
    module: Any, example: Any, timesteps: int, along: int | None = None
) -> Calling | None:
    """How to call a module step by step; None where it takes no single step, or does not remember.

    example: of the whole input.  along: its dimension that is time, where it has one.
    """
    if timesteps < 2 or (along is not None and example.shape[along] != timesteps):
        return None
    step = example if along is None else example.select(along, 0)
    return Calling(timesteps, stepped=True, along=along) if _remembers(module, step) else None


def reset_states(module: Any) -> None:
    """Clear what earlier calls left behind, as `reset_net`, `utils.reset` and such do.

    Raises:
        ModelError: a reset raises, or changes weights.
    """
    for path, child in module.named_modules():
        for name in RESETS:
            method = getattr(child, name, None)
            if not callable(method) or _needs(method):
                continue
            before = [(p, p._version) for p in child.parameters()]
            try:
                method()
            except Exception as error:  # what it left behind would be taken for the beginning
                raise ModelError(
                    f"method {name}() of module {path!r} raises: {one_line(error)}; the compiler"
                    " calls it to clear states: let it run on a model that has seen no input"
                ) from None
            if any(parameter._version != version for parameter, version in before):
                raise ModelError(
                    f"method {name}() of module {path!r} changes weights; the compiler calls it to"
                    " clear states: let it do that alone"
                )


def _remembers(module: Any, example: Any) -> bool:
    """It runs on one step, and an earlier call changes its answer or what it holds."""
    generator = torch.Generator().manual_seed(0)
    one, two = (torch.rand(example.shape, generator=generator) for _ in range(2))
    try:
        fresh, used = copied(module), copied(module)
        with torch.no_grad():
            states = _passed_on(used, used(one.clone(), *_no_states(used)))
            answers = [fresh(two.clone(), *_no_states(fresh)), used(two.clone(), *states)]
    except Exception:
        return False
    found = [
        [*_tensors(answer), *_held(m)] for answer, m in zip(answers, (fresh, used), strict=True)
    ]
    return not _equal(*found)


def _equal(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    if len(ours) != len(theirs):
        return False
    return all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


def _held(module: Any) -> Iterator[Any]:
    """Every tensor that its modules hold, but for parameters."""
    for child in module.modules():
        own = {key: value for key, value in vars(child).items() if key not in NO_STATES}
        yield from _tensors(own)


def _tensors(value: Any) -> Iterator[Any]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _tensors(part)


# states that are arguments


def _states(module: Any) -> list[inspect.Parameter]:
    """The parameters of a module's forward behind the first."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        found = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return []
    return [parameter for parameter in found[1:] if parameter.kind in kinds]


def _no_states(module: Any) -> list[Any]:
    """None for a state that has to be given: most take that for a start."""
    return [None if p.default is p.empty else p.default for p in _states(module)]


def _passed_on(module: Any, returned: Any) -> list[Any]:
    """What a call gives to the next: all that it returns behind its answer."""
    states = _states(module)
    several = isinstance(returned, (tuple, list)) and len(returned) == len(states) + 1
    return list(returned[1:]) if several and states else _no_states(module)


def _needs(method: Any) -> bool:
    """It has arguments that must be given."""
    try:
        found = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return True
    named = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in named for p in found)
