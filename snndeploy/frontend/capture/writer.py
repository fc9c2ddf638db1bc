"""Torch calls written one by one, with their shapes: what `translate` reads of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch

from snndeploy.errors import UnsupportedError, one_line
from snndeploy.frontend.capture.operators import short
from snndeploy.frontend.capture.values import VIEWS, Constant, full, self_is_tensor

aten = torch.ops.aten


@dataclass(eq=False)
class Writer:
    """Writes torch calls one by one; every call's shape is found on tensors without data."""

    timesteps: int
    graph: Any = field(default_factory=torch.fx.Graph)
    held: dict[str, Any] = field(default_factory=dict)
    names: dict[Any, Any] = field(default_factory=dict)

    def given(self, shape: Sequence[int], name: str = "x") -> Any:
        node = self.graph.placeholder(name)
        node.meta["val"] = torch.empty(tuple(shape), device="meta")
        return node

    def constant(self, tensor: Any, key: Any = None) -> Any:
        """A stored tensor; the same key gives the same node."""
        key = id(tensor) if key is None else key
        if key not in self.names:
            first = next((n for n in self.graph.nodes if n.op != "placeholder"), None)
            name = f"constant_{len(self.held)}"
            with self.graph.inserting_before(first) if first else self.graph.inserting_after():
                node = self.graph.placeholder(name)
            dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
            node.meta["val"] = torch.empty(tensor.shape, dtype=dtype, device="meta")
            self.held[node.name] = tensor
            self.names[key] = node
        return self.names[key]

    def call(self, target: Any, /, *arguments: Any, module: str = "", **named: Any) -> Any:
        if str(target) in VIEWS:  # strides are ours
            target = aten.reshape.default
            named = {"shape" if key == "size" else key: value for key, value in named.items()}
        arguments, named = (
            tuple(_plain(a) for a in arguments),
            {k: _plain(v) for k, v in named.items()},
        )
        node = self.graph.create_node("call_function", target, arguments, named, name=short(target))
        places, keys = torch.fx.node.map_arg((arguments, named), _first)
        keys = dict(keys)
        if isinstance(keys.get("self"), (int, float)) and self_is_tensor(target):
            keys["self"] = torch.tensor(keys["self"], device="meta")
        try:
            node.meta["val"] = target(*places, **keys)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            # the operator on shapes alone: steps that only looked alike do not fit together
            raise UnsupportedError(
                f"operation {short(target)} in module {module!r} does not fit a loop over time:"
                f" {one_line(error)}; let neurons say what they compute in neuron_parameters()",
                node=module,
                reason="the loop could not be rolled up",
            ) from None
        node.meta["nn_module_stack"] = {"": (f"model.{module}" if module else "model", None)}
        return node

    def shape(self, node: Any) -> tuple[int, ...]:
        return tuple(int(size) for size in _first(node).shape)

    def exported(self, output: Any) -> Any:
        """What `translate` reads of an exported program."""
        self.graph.output((output,))
        signature = SimpleNamespace(
            inputs_to_parameters={},
            inputs_to_buffers={name: name for name in self.held},
            inputs_to_lifted_tensor_constants={},
        )
        return SimpleNamespace(
            graph=self.graph, graph_signature=signature, state_dict=self.held, constants={}
        )

    # arithmetic on sequences (time, batch, ...)

    def scaled(self, x: Any, factor: Any, offset: Any, module: str) -> Any:
        """factor * x + offset; numbers, or one a channel."""
        factor, offset = _small(factor), _small(offset)
        if factor.numel() == offset.numel() == 1:
            if float(factor) != 1:
                x = self.call(aten.mul.Tensor, x, float(factor), module=module)
            if float(offset) != 0:
                x = self.call(aten.add.Tensor, x, float(offset), module=module)
            return x
        return self._by_channel(x, factor, offset, module)

    def _by_channel(self, x: Any, factor: Any, offset: Any, module: str) -> Any:
        shape = self.shape(x)
        channels = shape[2]
        for value in (factor, offset):
            rank = len(shape) - 1
            sizes = [1] * (rank - value.dim()) + list(value.shape)
            if any(size != 1 for i, size in enumerate(sizes) if i != 1):
                raise ValueError("a constant that differs within a channel")
        weight, bias = (v.reshape(-1).expand(channels).contiguous() for v in (factor, offset))
        zeros = torch.zeros(channels, dtype=torch.float64)
        parts = [self.constant(part) for part in (weight, bias, zeros, zeros + 1)]
        flat = self.call(aten.view.default, x, [shape[0] * shape[1], *shape[2:]], module=module)
        normed = self.call(
            aten.batch_norm.default, flat, *parts, False, 0.0, 0.0, False, module=module
        )
        return self.call(aten.view.default, normed, list(shape), module=module)

    def repeated(self, x: Any, module: str) -> Any:
        """An ordinary value at every step."""
        first = self.call(aten.unsqueeze.default, x, 0, module=module)
        sizes = [self.timesteps, *self.shape(x)]
        return self.call(aten.expand.default, first, sizes, module=module)


def full_tensor(value: Constant) -> Any:
    """A constant as a tensor of its whole shape."""
    found = full(value)
    return found.contiguous() if torch.is_tensor(found) else torch.tensor(found)


def _first(node: Any) -> Any:
    """What a call gives, without data; of several results the first."""
    value = node.meta["val"]
    return value[0] if isinstance(value, (tuple, list)) else value


def _plain(argument: Any) -> Any:
    return list(argument) if isinstance(argument, tuple) else argument


def _small(value: Any) -> Any:
    """A tensor without repeated entries."""
    value = torch.as_tensor(value, dtype=torch.float64)
    if bool((value == value.reshape(-1)[0]).all()):
        return value.reshape(-1)[:1]
    return value
