"""From code to a module: the factory of a SPEC is found, called, and what it made is taken."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from snndeploy.errors import ModelError, near_names, one_line
from snndeploy.frontend.candidates import candidates, only_candidate, ready
from snndeploy.frontend.spec import Spec, arguments_of
from snndeploy.frontend.user_code import UserCode


@dataclass(frozen=True, eq=False)
class Made:
    """A module and how it came about.

    code: the module of Python that holds the factory.  spec: with the factory, also where it was
    left out.  arguments: by name, defaults included.  taken: the tensors that any module took from
    a state dict meanwhile.  notes: what a user should know of it.
    """

    module: Any
    code: ModuleType
    spec: Spec
    arguments: dict[str, Any]
    taken: Sequence[Any] = ()
    notes: tuple[str, ...] = ()


def make(spec: Spec, code: UserCode) -> Made:
    """Run the code and call the factory; `code` must be entered.

    Raises:
        ModelError: in one line, whatever is wrong with file, factory or arguments.
    """
    with _loading() as taken:
        found = _run(spec, code)
        spec = spec if spec.call else replace(spec, call=f"{only_candidate(spec, found)}()")
        function = _factory(spec, found)
        if isinstance(function, torch.nn.Module):
            return Made(_unwrapped(function), found, spec, {}, taken)
        made = _called(function, spec, found, code)
    return replace(made, taken=taken)


def _called(function: Callable[..., Any], spec: Spec, found: ModuleType, code: UserCode) -> Made:
    where = f"{spec.source}:{spec.factory}"
    try:
        positional, keywords = arguments_of(spec, lambda name: code.look_up(found, name))
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{where}: an argument raises: {one_line(error)}") from None
    arguments = _bound(function, positional, keywords)
    before = {name: _modules_of(value) for name, value in arguments.items()}
    try:
        result: Any = function(*positional, **keywords)
        raised = ""
    except (Exception, SystemExit) as error:
        result, raised = None, one_line(error)
    module, notes = _module_of(result, raised, where, arguments, before)
    return Made(module, found, spec, arguments, notes=notes)


def _run(spec: Spec, code: UserCode) -> ModuleType:
    source = spec.source
    return code.run_file(source) if isinstance(source, Path) else code.import_module(source)


def _factory(spec: Spec, found: ModuleType) -> Any:
    function = getattr(found, spec.factory, None)
    if callable(function):
        return function
    names = [name for name, value in vars(found).items() if callable(value)]
    near = near_names(spec.factory, names)
    may = "" if near else ready(spec, candidates(found))
    listed = f"; there is {may}" if may else ""
    raise ModelError(f"{spec.source} has no factory {spec.factory!r}{near}{listed}")


def _bound(
    function: Callable[..., Any], positional: list[Any], keywords: dict[str, Any]
) -> dict[str, Any]:
    """Arguments by name with defaults, as far as the signature says them."""
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*positional, **keywords)
    except (TypeError, ValueError):
        return dict(keywords)
    bound.apply_defaults()
    named = dict(bound.arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            named |= named.pop(parameter.name)
    return named


def _modules_of(value: Any) -> dict[str, Any]:
    """Torch modules among the attributes of an argument."""
    attributes = getattr(value, "__dict__", {})
    if isinstance(value, torch.nn.Module) or not isinstance(attributes, dict):
        return {}
    return {name: v for name, v in attributes.items() if isinstance(v, torch.nn.Module)}


def _module_of(
    result: Any,
    raised: str,
    where: str,
    arguments: dict[str, Any],
    before: dict[str, dict[str, Any]],
) -> tuple[Any, tuple[str, ...]]:
    """The module that a factory returned, alone or in a tuple, or left in its argument."""
    if isinstance(result, torch.nn.Module):
        return _unwrapped(result), ()
    several = result if isinstance(result, tuple | list) else ()
    inside = [value for value in several if isinstance(value, torch.nn.Module)]
    if len(inside) == 1:
        return _unwrapped(inside[0]), (
            f"{where} returns {len(several)} values: the module is used",
        )
    left = {
        f"{name}.{attribute}": value
        for name, argument in arguments.items()
        for attribute, value in _modules_of(argument).items()
        if before[name].get(attribute) is not value and not _is_loss(value)
    }
    if len(left) == 1 and result is None:
        [(place, module)] = left.items()
        note = f"{where} returns nothing: the module that it left in {place} is used"
        if raised:
            note = f"{where} raises {raised}: the module that it had left in {place} is used"
        return _unwrapped(module), (note,)
    if raised:
        raise ModelError(f"{where} raises: {raised}")
    raise ModelError(f"{where} returns {type(result).__name__}, not a torch module")


def _is_loss(module: Any) -> bool:
    return isinstance(module, torch.nn.modules.loss._Loss)


def _unwrapped(module: Any) -> Any:
    """Without the wrappers of training on several devices."""
    parallel = (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)
    while isinstance(module, parallel):
        module = module.module
    return module


@contextmanager
def _loading() -> Iterator[list[Any]]:
    """Collects the tensors that modules take from state dicts while a factory runs."""
    taken: list[Any] = []
    original = torch.nn.Module.load_state_dict

    def load_state_dict(self: Any, state: Any, *rest: Any, **more: Any) -> Any:
        answer = original(self, state, *rest, **more)
        own = self.state_dict(keep_vars=True)
        taken.extend(value for name, value in own.items() if name in state)
        return answer

    torch.nn.Module.load_state_dict = load_state_dict  # type: ignore[method-assign,assignment]
    try:
        yield taken
    finally:
        torch.nn.Module.load_state_dict = original  # type: ignore[method-assign]
