"""What in a file may make its model, when the SPEC names no factory.

A candidate is a module, or a torch class or a function that can be called without arguments.  A
function counts when it returns something and uses a torch class or another such function.  What
others of the file are made of is a part, not the model.
"""

from __future__ import annotations

import ast
import inspect
from contextlib import suppress
from types import ModuleType
from typing import Any

import torch

from snndeploy.errors import ModelError
from snndeploy.frontend.spec import Spec

MOST_LISTED = 8
NOT_THE_MODEL = {"main", "example"}


def only_candidate(spec: Spec, found: ModuleType) -> str:
    """The name of the one candidate.

    Raises:
        ModelError: there are none or several, which are listed ready to paste.
    """
    names = candidates(found)
    if len(names) == 1:
        return names[0]
    if not names:
        classes = [name for name, value in _own(found).items() if _is_class(value)]
        hint = f" (its classes need arguments: {', '.join(classes[:MOST_LISTED])})"
        raise ModelError(
            f"{spec.source} names a file but no factory, and nothing in it makes a torch module"
            f" without arguments{hint if classes else ''}; write {spec.source}:FACTORY(arguments)"
        )
    raise ModelError(
        f"{spec.source} names a file but no factory, and {len(names)} may be meant; write one of"
        f" these: {ready(spec, names)}"
    )


def ready(spec: Spec, names: list[str]) -> str:
    """Candidates as SPECs."""
    listed = ", ".join(f"{spec.source}:{name}" for name in names[:MOST_LISTED])
    more = len(names) - MOST_LISTED
    return f"{listed} and {more} more" if more > 0 else listed


def candidates(found: ModuleType) -> list[str]:
    own, uses = _own(found), _uses(found)
    makers = {name for name, value in own.items() if _is_class(value) or _is_module(value)}
    makers |= _making_functions(found, own, uses, makers)
    parts = {used for name in makers for used in uses.get(name, set()) if used != name}
    return [
        name
        for name, value in own.items()
        if name in makers - parts - NOT_THE_MODEL
        and (_is_module(value) or _needs_no_argument(value))
    ]


def _own(found: ModuleType) -> dict[str, Any]:
    """Classes, functions and modules that the file itself defines."""
    return {
        name: value
        for name, value in vars(found).items()
        if _is_module(value) or getattr(value, "__module__", None) == found.__name__
    }


def _making_functions(
    found: ModuleType, own: dict[str, Any], uses: dict[str, set[str]], classes: set[str]
) -> set[str]:
    functions = {name for name, value in own.items() if inspect.isfunction(value) and name in uses}
    makers: set[str] = set()
    while True:
        known = classes | makers
        more = {
            name
            for name in functions - makers
            if uses[name] & known or any(_is_class(_resolved(found, used)) for used in uses[name])
        }
        if not more:
            return makers
        makers |= more


def _uses(found: ModuleType) -> dict[str, set[str]]:
    """By class, value, and function that returns something: the dotted names in it."""
    try:
        tree = ast.parse(inspect.getsource(found))
    except (OSError, TypeError, SyntaxError):
        return {}
    return {
        defined: {name for part in ast.walk(node) if (name := _dotted(part))}
        for node in tree.body
        if (defined := _defines(node))
    }


def _defines(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef():
            return node.name
        case ast.FunctionDef():
            returns = (isinstance(part, ast.Return) and part.value for part in ast.walk(node))
            return node.name if any(returns) else ""
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _dotted(part: ast.AST) -> str:
    if isinstance(part, ast.Name):
        return part.id
    if isinstance(part, ast.Attribute):
        before = _dotted(part.value)
        return f"{before}.{part.attr}" if before else ""
    return ""


def _resolved(found: ModuleType, dotted: str) -> Any:
    value: Any = found
    with suppress(Exception):
        for part in dotted.split("."):
            value = getattr(value, part)
        return value
    return None


def _is_module(value: Any) -> bool:
    return isinstance(value, torch.nn.Module)


def _is_class(value: Any) -> bool:
    loss = torch.nn.modules.loss._Loss
    return inspect.isclass(value) and issubclass(value, torch.nn.Module) and not issubclass(
        value, loss
    )  # fmt: skip


def _needs_no_argument(value: Any) -> bool:
    try:
        inspect.signature(value).bind()
    except (TypeError, ValueError):
        return False
    return True
