"""What a SPEC of a torch model says: where its code is, and how it is called.

FILE.py:FACTORY(arguments) or PACKAGE.MODULE:FACTORY(arguments).  An argument is a literal, a name
of the file or of a module beside it (`config.defaults`), or a call of one; replace(OBJECT, name=..)
is OBJECT with attributes set to other values.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snndeploy.errors import ModelError

OF_FILE = re.compile(r"(?P<source>.+?\.py)(?::(?P<call>.*))?", re.DOTALL)
OF_MODULE = re.compile(r"(?P<source>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<call>[^\W\d].*)", re.DOTALL)
EXAMPLE = "gac.py:gac_digits(timesteps=4)"

Lookup = Callable[[str], Any]


@dataclass(frozen=True)
class Spec:
    """source: a file, or the dotted name of a module.  call: FACTORY(arguments), '' when the file
    stands alone."""

    source: Path | str
    call: str

    @property
    def factory(self) -> str:
        return self.call.partition("(")[0].strip()

    @property
    def name(self) -> str:
        source = self.source.stem if isinstance(self.source, Path) else self.source
        return f"{source.rpartition('.')[2]}:{self.factory}"

    @property
    def without_folders(self) -> str:
        source = self.source.name if isinstance(self.source, Path) else self.source
        return f"{source}:{self.call}"


def is_spec(text: str) -> bool:
    """Does it look like one?"""
    return bool(OF_FILE.fullmatch(text) or OF_MODULE.fullmatch(text))


def parse_spec(text: str) -> Spec:
    """The parts of a SPEC, of which the file exists and the call is one that can be read.

    Raises:
        ModelError: in one line.
    """
    in_file = OF_FILE.fullmatch(text)
    found = in_file or OF_MODULE.fullmatch(text)
    assert found is not None, text
    source: Path | str = Path(found["source"]) if in_file else found["source"]
    if isinstance(source, Path) and not source.is_file():
        raise ModelError(f"model file {source} does not exist")
    call = found["call"]
    if call is None:
        return Spec(source, "")
    spec = Spec(source, call if "(" in call else f"{call}()")
    _parsed(spec.call, call)
    return spec


def arguments_of(spec: Spec, look_up: Lookup) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword values; look_up: finds the first part of a dotted name."""
    call = _parsed(spec.call, spec.call)
    return _values(call, look_up)


def literal_argument(spec: Spec, name: str) -> Any:
    """What a keyword argument of the call says as a literal; None where it says nothing so."""
    for keyword in _parsed(spec.call, spec.call).keywords if spec.call else ():
        if keyword.arg == name and isinstance(keyword.value, ast.Constant):
            return keyword.value.value
    return None


def with_literal(spec: Spec, name: str, value: Any) -> str:
    """The SPEC as text, a literal keyword argument that it has (`literal_argument`) set anew."""
    call = _parsed(spec.call, spec.call)
    for keyword in call.keywords:
        if keyword.arg == name:
            keyword.value = ast.Constant(value)
    return f"{spec.source}:{ast.unparse(call)}"


def _parsed(call: str, typed: str) -> ast.Call:
    try:
        expression = ast.parse(call, mode="eval").body
        if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Name):
            raise ValueError(call)
        _check(expression)
        return expression
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ModelError(
            f"{typed!r} is not FACTORY(arguments) with arguments that are literals or names, for"
            f" example {EXAMPLE}"
        ) from None


def _check(call: ast.Call) -> None:
    """Raises ValueError for what is neither literal nor name nor a call of one."""
    if any(keyword.arg is None for keyword in call.keywords):
        raise ValueError("**")
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(value, ast.Call):
            _dotted(value.func)
            _check(value)
        elif isinstance(value, ast.Name | ast.Attribute):
            _dotted(value)
        else:
            ast.literal_eval(value)


def _dotted(expression: ast.expr) -> list[str]:
    """The parts of a dotted name; ValueError for anything else."""
    if isinstance(expression, ast.Name):
        return [expression.id]
    if isinstance(expression, ast.Attribute):
        return [*_dotted(expression.value), expression.attr]
    raise ValueError("no name")


def _values(call: ast.Call, look_up: Lookup) -> tuple[list[Any], dict[str, Any]]:
    positional = [_value(value, look_up) for value in call.args]
    return positional, {str(k.arg): _value(k.value, look_up) for k in call.keywords}


def _value(expression: ast.expr, look_up: Lookup) -> Any:
    if isinstance(expression, ast.Call):
        called = _dotted(expression.func)
        function = _replaced if called == ["replace"] else look_up(".".join(called))
        positional, keywords = _values(expression, look_up)
        return function(*positional, **keywords)
    if isinstance(expression, ast.Name | ast.Attribute):
        return look_up(".".join(_dotted(expression)))
    return ast.literal_eval(expression)


def _replaced(value: Any, **attributes: Any) -> Any:
    """A copy with attributes that it has set to other values."""
    made = copy.copy(value)
    for name, other in attributes.items():
        if not hasattr(made, name):
            raise ModelError(f"replace(): {type(made).__name__} has no attribute {name!r}")
        setattr(made, name, other)
    return made
