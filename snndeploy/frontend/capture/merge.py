"""The same steps found twice become one node: a step that nobody read first is in one."""

from __future__ import annotations

from typing import Any

from snndeploy.frontend.capture.alike import ANY
from snndeploy.frontend.capture.rolled import Delay, Numbers, Rolled, Steps, reachable


def merge(output: Rolled) -> Rolled:
    """The output, with every node once."""
    while True:
        known: dict[Any, Rolled] = {}
        instead: dict[Rolled, Rolled] = {}
        for node in reachable(output):
            key = _key(node)
            if key is None or known.setdefault(key, node) is node:
                continue
            instead[node] = known[key]
            _join(known[key], node)
        if not instead:
            return output
        for node in reachable(output):
            _redirect(node, instead)
        output = instead.get(output, output)


def _key(node: Rolled) -> Any:
    if isinstance(node, Steps):
        return node.call.name, *((name, _frozen(value)) for name, value in node.arguments.items())
    if isinstance(node, Numbers):
        return "numbers", node.numbers, node.shape
    if isinstance(node, Delay):
        value = node.initial.uniform
        return "delay", node.source, node.initial if value is None else value
    return None


def _frozen(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return tuple(_frozen(part) for part in argument)
    return argument if isinstance(argument, Rolled) else (type(argument).__name__, str(argument))


def _join(kept: Rolled, other: Rolled) -> None:
    if isinstance(kept, Steps) and isinstance(other, Steps):
        pairs = zip(kept.members, other.members, strict=True)
        kept.members = tuple(two if one is ANY else one for one, two in pairs)


def _redirect(node: Rolled, instead: dict[Rolled, Rolled]) -> None:
    def other(argument: Any) -> Any:
        if isinstance(argument, (list, tuple)):
            return [other(part) for part in argument]
        return instead.get(argument, argument) if isinstance(argument, Rolled) else argument

    for name in ("arguments", "source"):
        value = getattr(node, name, None)
        if isinstance(value, dict):
            node.arguments = {key: other(part) for key, part in value.items()}  # type: ignore[attr-defined]
        elif isinstance(value, Rolled):
            node.source = other(value)  # type: ignore[attr-defined]
