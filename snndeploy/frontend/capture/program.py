"""An exported program as values: constants folded, equal expressions one, writes in place undone.

Every value is made once: two calls of the same operator on the same values are one object, so
that the walk over time may compare by identity.  Constants are compared by value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch.export.graph_signature import OutputKind
from torch.utils._pytree import tree_unflatten

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend.answer import answer_of
from snndeploy.frontend.capture.masks import ranked
from snndeploy.frontend.capture.simplify import SIMPLER
from snndeploy.frontend.capture.values import (
    Call,
    Constant,
    Given,
    Program,
    Value,
    computed,
    full,
    needed_calls,
    replaced,
    self_is_tensor,
    values_in,
)

aten = torch.ops.aten

BY_SHAPE = {
    "aten.zeros_like.default", "aten.ones_like.default", "aten.full_like.default",
    "aten.new_zeros.default", "aten.new_ones.default", "aten.new_full.default",
}  # fmt: skip
IGNORED = {"aten._assert_tensor_metadata.default", "aten._assert_scalar.default"}
PLACES = ("device", "layout", "pin_memory", "memory_format", "non_blocking")


def read_program(exported: Any, timesteps: int) -> tuple[Program, str]:
    """The program, and a note on what was taken where it returns several tensors.

    Raises:
        ModelError: no tensor is returned, or an output that does not read the input.
        UnsupportedError: random numbers, or an operator's second result.
    """
    return _Reader(exported).program(timesteps)


@dataclass
class _Reader:
    exported: Any
    made: dict[Any, Value] = field(default_factory=dict)
    known: dict[Any, Any] = field(default_factory=dict)  # of the exported graph's nodes
    together: dict[str, None] = field(default_factory=dict)  # modules whose samples meet
    number: int = 0

    def program(self, timesteps: int) -> tuple[Program, str]:
        given: Given | None = None
        held = _held(self.exported)
        for node in self.exported.graph.nodes:
            if node.op == "placeholder" and node.name in held:
                self.known[node] = self._stored(held[node.name], node.name)
            elif node.op == "placeholder":
                value = node.meta["val"]
                given = Given(tuple(value.shape), value.dtype)
                self.known[node] = given
            elif node.op == "call_function":
                self.known[node] = self._node(node)
            elif node.op == "output":
                answer, taken = answer_of(self._returned(node), timesteps, self._stacked)
        if answer is None:
            raise ModelError("the model returns no tensor")
        calls = needed_calls(answer)
        if given is None or not any(given in call.sources() for call in calls):
            raise ModelError("the model's output does not depend on its input")
        said = f"of all that the model returns, {taken} is taken as its answer"
        return Program(given, answer, calls, tuple(self.together)), said if taken else ""

    def _returned(self, output: Any) -> Any:
        """What the module returns, as it returns it; states that it changed come before."""
        kinds = self.exported.graph_signature.output_specs
        parts = [
            self._known(part)
            for part, spec in zip(output.args[0], kinds, strict=True)
            if spec.kind is OutputKind.USER_OUTPUT
        ]
        return tree_unflatten(parts, self.exported.call_spec.out_spec)

    def _stacked(self, parts: list[Any]) -> Value:
        return self.call(aten.stack.default, {"tensors": parts, "dim": 0}, "")

    def _node(self, node: Any) -> Any:
        target, module = node.target, module_path(node)
        if str(target) == "<built-in function getitem>":
            return self._item(node, module)
        if str(target) in IGNORED:
            return None
        names, of_tensors = _arguments_of(target)
        given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
        arguments = {key: self._known(value) for key, value in given.items()}
        for name in of_tensors:  # numbers in a tensor's place are constants
            value = arguments.get(name)
            if isinstance(value, (int, float, bool)):
                arguments[name] = self.constant(value)
        value = node.meta.get("val")
        if str(target) == "aten.unbind.int":
            return self._unbound(arguments, value, module)
        if str(target) in ("aten.split.Tensor", "aten.split_with_sizes.default", "aten.chunk"):
            return self._parts(arguments, value, module)
        if str(target) == "aten.broadcast_tensors.default":
            return [
                self.call(aten.expand.default, {"self": one, "size": list(part.shape)}, module)
                for one, part in zip(arguments["tensors"], value, strict=True)
            ]
        if str(target) == "aten.topk.default":
            return ranked(self, arguments, module)
        return self.call(target, arguments, module, value)

    def _known(self, argument: Any) -> Any:
        if isinstance(argument, torch.fx.Node):
            return self.known[argument]
        if isinstance(argument, (list, tuple)):
            return [self._known(part) for part in argument]
        return argument

    def _item(self, node: Any, module: str) -> Any:
        source, index = node.args
        found = self.known[source]
        if isinstance(found, list) and index < len(found):
            return found[index]
        if index != 0:
            raise UnsupportedError(
                f"result number {index} of {source.target} in module {module!r} is used; the"
                " compiler knows the first alone",
                node=module,
                reason="a second result of an operator",
            )
        return found

    def _unbound(self, arguments: dict[str, Any], value: Any, module: str) -> list[Value]:
        along = arguments.get("dim", 0)
        return [self.select(arguments["self"], along, i, module) for i in range(len(value))]

    def _parts(self, arguments: dict[str, Any], value: Any, module: str) -> list[Value]:
        along, start, parts = arguments.get("dim", 0), 0, []
        for part in value:
            stop = start + part.shape[along]
            sliced = {"self": arguments["self"], "dim": along, "start": start, "end": stop}
            parts.append(self.call(aten.slice.Tensor, sliced, module))
            start = stop
        return parts

    # constants

    def constant(self, value: Any, dtype: Any = None) -> Constant:
        if not isinstance(value, torch.Tensor):
            key: Any = (type(value).__name__, value)
            return self._once(key, lambda: Constant(value, (), type(value)))
        small = _collapsed(value)
        raw = small.numpy().tobytes()
        kind = dtype or value.dtype
        key = (str(kind), tuple(value.shape), tuple(small.shape), raw)
        return self._once(key, lambda: Constant(small, tuple(value.shape), kind))

    def _stored(self, tensor: Any, name: str) -> Constant:
        if tensor.dim() == 0 or tensor.numel() == 1:
            return self.constant(tensor.detach())
        shape = tuple(tensor.shape)
        return self._once(("stored", name), lambda: Constant(tensor.detach(), shape, tensor.dtype))

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    # calls

    def call(self, target: Any, arguments: dict[str, Any], module: str, like: Any = None) -> Value:
        """The value of one call: folded, simplified, or made; like: what it gives, if known."""
        name = str(target)
        arguments = {
            key: value
            for key, value in arguments.items()
            if value is not None and key not in PLACES
        }
        if torch.Tag.nondeterministic_seeded in target.tags and arguments.get("train", True):
            raise UnsupportedError(
                f"operation {name.removesuffix('.default')} in module {module or '(the model)'!r}"
                " draws random numbers; compile a model that does the same at every run, and draw"
                " spikes of an image before it: frames (time, ...) as data",
                node=module,
                reason="random numbers",
            )
        if name in BY_SHAPE:
            return self._filled(target, arguments)
        sources = list(values_in(arguments.values()))
        if all(isinstance(source, Constant) for source in sources):
            return self._folded(target, arguments)
        simple = SIMPLER.get(name)
        found = simple(self, arguments, module) if simple else None
        if found is not None:
            return found
        return self.made_call(target, arguments, module, like)

    def made_call(
        self, target: Any, arguments: dict[str, Any], module: str, like: Any = None
    ) -> Call:
        key = (str(target), *((name, _frozen(value)) for name, value in arguments.items()))

        def make() -> Call:
            self.number += 1
            result = like[0] if isinstance(like, (tuple, list)) else like
            if result is None:
                given = {name: replaced(value, _meta) for name, value in arguments.items()}
                result = computed(target, given)
            shape = tuple(int(size) for size in result.shape)
            return Call(target, arguments, shape, result.dtype, module, self.number)

        return self._once(key, make)

    def _folded(self, target: Any, arguments: dict[str, Any]) -> Value:
        with torch.no_grad():
            tensors = {name: replaced(value, full) for name, value in arguments.items()}
            if self_is_tensor(target) and isinstance(tensors.get("self"), (int, float)):
                tensors["self"] = torch.tensor(tensors["self"])
            found = computed(target, tensors)
            sources = [s for s in values_in(arguments.values()) if isinstance(s, Constant)]
            uniform = all(source.uniform is not None for source in sources)
            if uniform and found.is_floating_point():
                return self.constant(self._exact(target, arguments, found), found.dtype)
            return self.constant(found)

    def _exact(self, target: Any, arguments: dict[str, Any], found: Any) -> Any:
        """One number in all places, in double precision: 0.3 is 0.3, also in float32."""
        doubles = {name: replaced(value, _double) for name, value in arguments.items()}
        if isinstance(doubles.get("dtype"), torch.dtype):
            doubles["dtype"] = torch.float64
        exact = computed(target, doubles)
        same = exact.shape == found.shape and exact.is_floating_point()
        return exact if same and torch.allclose(exact.to(found.dtype), found) else found

    def _filled(self, target: Any, arguments: dict[str, Any]) -> Value:
        like = torch.zeros((), dtype=arguments["self"].dtype).expand(arguments["self"].shape)
        kind = target(**{**arguments, "self": like}).dtype
        if kind.is_floating_point:
            like, arguments = like.to(torch.float64), {**arguments, "dtype": torch.float64}
        return self.constant(target(**{**arguments, "self": like}), kind)

    def select(self, value: Value, along: int, index: int, module: str) -> Value:
        return self.call(aten.select.int, {"self": value, "dim": along, "index": index}, module)

    def stack(self, members: list[Value], along: int, module: str) -> Value:
        return self.call(aten.stack.default, {"tensors": members, "dim": along}, module)


@cache
def _arguments_of(target: Any) -> tuple[list[str], list[str]]:
    """Names of an operator's arguments, and of those that are tensors."""
    found = target._schema.arguments
    return [a.name for a in found], [a.name for a in found if str(a.type) == "Tensor"]


def module_path(node: Any) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).removeprefix("model").removeprefix(".") if stack else ""


def _held(exported: Any) -> dict[str, Any]:
    signature = exported.graph_signature
    state = {**exported.state_dict, **exported.constants}
    kinds = (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    )
    pairs = [pair for kind in kinds for pair in kind.items()]
    return {placeholder: state[target] for placeholder, target in pairs if target in state}


def _collapsed(tensor: Any) -> Any:
    """The tensor with every dimension along which it does not change kept once."""
    small = tensor.detach()
    for index in range(small.dim()):
        first = small.narrow(index, 0, min(1, small.shape[index]))
        if small.shape[index] > 1 and bool((small == first).all()):
            small = first
    return small


def _double(value: Any) -> Any:
    found = full(value)
    if isinstance(found, torch.Tensor) and found.is_floating_point():
        return value.value.to(torch.float64).expand(value.shape)
    return found


def _frozen(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return tuple(_frozen(part) for part in argument)
    if isinstance(argument, (Constant, Given, Call)):
        return argument
    return type(argument).__name__, str(argument)


def _meta(value: Value) -> Any:
    if isinstance(value, Constant) and value.is_number:
        return torch.tensor(value.value, device="meta")
    return torch.empty(value.shape, dtype=value.dtype, device="meta")
