"""From an exported torch program to a Graph: one pass over its calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend.aten import TRANSLATORS, Call
from snndeploy.frontend.axes import concrete_shape, expand_axes, input_axes, view_axes
from snndeploy.graph import Axes, Graph, Node
from snndeploy.ops import KINDS

NEURON_OP = "snndeploy.neuron.default"
PAD_OPS = ("aten.pad.default", "aten.constant_pad_nd.default")


@dataclass(frozen=True)
class Source:
    """What the exported program does not say.

    neurons: path and parameters of every neuron module, in the order of the custom op's index.
    batch_axis: the batch dimension of the model's input; the graph's own is always the first.
    """

    neurons: Sequence[tuple[str, dict[str, Any]]]
    timesteps: int
    signal: str
    batch_axis: int
    name: str = ""


def translate(exported: Any, source: Source) -> Graph:
    """Graph of a `torch.export` program.

    Raises:
        ModelError: another number of outputs than one, or an input of the wrong length.
        UnsupportedError: an operation that the compiler does not know, named with its module.
    """
    return _Translation(exported, source).graph()


class _Translation:
    def __init__(self, exported: Any, source: Source) -> None:
        self.exported, self.source = exported, source
        self.constants = _constants(exported)
        self.nodes: dict[str, Node] = {}
        self.alias: dict[str, str] = {}

    def graph(self) -> Graph:
        calls = list(self.exported.graph.nodes)
        (output,) = (call for call in calls if call.op == "output")
        results = [result for result in output.args[0] if result is not None]
        if len(results) != 1:
            raise ModelError(f"the model returns {len(results)} tensors; one is needed")
        needed = _needed(results)
        for call in calls:
            if call.op == "placeholder" and call.name not in self.constants:
                self._input(call)
            elif call.op == "call_function" and call.name in needed:
                self._call(call)
        if results[0].name not in self.alias:
            raise ModelError("the model's output does not depend on its input")
        outputs = (self.alias[results[0].name],)
        graph = Graph(tuple(self.nodes.values()), outputs, self.source.timesteps, self.source.name)
        return graph.select(outputs)

    def _input(self, call: Any) -> None:
        """The input node; its samples come first, even where the model takes time first."""
        try:
            axes = input_axes(_shape(call), self.source.batch_axis, self.source.timesteps)
        except ValueError as error:
            raise ModelError(str(error)) from None
        attributes = {"signal": self.source.signal}
        if self.source.batch_axis == 0:
            self._add(Node("input", "input", attributes=attributes, axes=axes), call)
            return
        time, batch, *features = axes
        first = Node("input", "input", attributes=attributes, axes=(batch, time, *features))
        self._add(first, call)
        order = {"order": [1, 0, *range(2, len(axes))]}
        self._add(Node("time_first", "permute", ("input",), order, axes=axes), call)

    def _call(self, call: Any) -> None:
        target, module = str(call.target), _module_path(call)
        if target == "<built-in function getitem>":
            self._getitem(call, module)
            return
        data = [a for a in _flat((call.args, call.kwargs.values())) if self._is_data(a)]
        if not data or any(a.name not in self.alias for a in data):
            reason = "it does not depend on the input in a known way"
            raise _refused(target, module, reason)
        inputs = tuple(self.alias[a.name] for a in data)
        try:
            node = self._node(call, target, module, inputs, _shape(data[0]))
        except ValueError as error:
            raise _refused(target, module, str(error)) from None
        if node is None:
            self.alias[call.name] = inputs[0]
        else:
            self._add(node, call)

    def _getitem(self, call: Any, module: str) -> None:
        source, index = call.args
        if index != 0:
            raise _refused(str(source.target), module, f"its result number {index} is used")
        self.alias[call.name] = self.alias[source.name]

    def _node(
        self, call: Any, target: str, module: str, inputs: tuple[str, ...], shape: tuple[int, ...]
    ) -> Node | None:
        """The call as a node, or None where it changes nothing."""
        if target == NEURON_OP:
            path, parameters = self.source.neurons[int(call.args[1])]
            stated = {key: value for key, value in parameters.items() if key != "attention"}
            attributes = {**stated, "timesteps": self.source.timesteps}
            return self._with_axes(Node(call.name, "neuron", inputs, attributes, module=path), call)
        if target in PAD_OPS:
            attributes = {"padding": _zero_padding(self._arguments(call))}
            return self._with_axes(Node(call.name, "pad", inputs, attributes, module=module), call)
        if target not in TRANSLATORS:
            raise ValueError("the compiler does not know it")
        translated = TRANSLATORS[target](Call(target, self._arguments(call), shape))
        op, attributes, parameters = translated
        if op == "identity":
            return None
        if op == "concatenate":
            attributes["timesteps"] = self.source.timesteps
        if op == "conv":
            inputs, attributes = self._absorb_padding(inputs, attributes)
        node = Node(call.name, op, inputs, attributes, parameters, module=module)
        return self._with_axes(node, call)

    def _absorb_padding(
        self, inputs: tuple[str, ...], attributes: dict[str, Any]
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        """A conv behind zero padding pads itself."""
        before = self.nodes[inputs[0]]
        if before.op != "pad":
            return inputs, attributes
        both = zip(attributes["padding"], before.attributes["padding"], strict=True)
        padding = [first + second for first, second in both]
        return (before.inputs[0],), {**attributes, "padding": padding}

    def _with_axes(self, node: Node, call: Any) -> Node:
        """The node with its axes, which must agree with the traced shape."""
        shape = _shape(call)
        axes = self._axes(node, shape)
        if concrete_shape(axes) != shape:
            raise ValueError(
                f"its result has shape {shape}, where {concrete_shape(axes)} was expected"
            )
        return replace(node, axes=axes)

    def _axes(self, node: Node, shape: tuple[int, ...]) -> Axes:
        sources = [self.nodes[name].axes for name in node.inputs]
        if node.op == "view":
            return view_axes(sources[0], shape, self.source.timesteps)
        if node.op == "expand" or "other" in node.parameters:
            return expand_axes(sources[0], shape, self.source.timesteps)
        return KINDS[node.op].axes(node, sources)

    def _arguments(self, call: Any) -> dict[str, Any]:
        """Arguments by schema name; parameters and buffers as arrays."""
        names = [argument.name for argument in call.target._schema.arguments]
        bound = dict(zip(names, call.args, strict=False)) | dict(call.kwargs)
        return {key: self._value(value) for key, value in bound.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._value(part) for part in value]
        name = getattr(value, "name", None)
        return self.constants[name] if isinstance(name, str) and name in self.constants else value

    def _is_data(self, argument: Any) -> bool:
        return _is_call(argument) and argument.name not in self.constants

    def _add(self, node: Node, call: Any) -> None:
        self.nodes[node.name] = node
        self.alias[call.name] = node.name


def _constants(exported: Any) -> dict[str, np.ndarray]:
    """Parameters and buffers by the name of their placeholder."""
    signature = exported.graph_signature
    state = {**exported.state_dict, **exported.constants}
    found = {}
    for kind in (
        signature.inputs_to_parameters,
        signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):
        for placeholder, target in kind.items():
            if target in state:
                found[placeholder] = state[target].detach().cpu().numpy()
    return found


def _zero_padding(arguments: dict[str, Any]) -> list[int]:
    """(top, bottom, left, right) of a pad call."""
    amounts = [int(v) for v in arguments["pad"]]
    if arguments.get("value") or arguments.get("mode", "constant") != "constant":
        raise ValueError("only padding with zeros is supported")
    if any(amounts[4:]) or any(amount < 0 for amount in amounts):
        raise ValueError("only rows and columns can be padded, and not by negative amounts")
    left, right, top, bottom = (*amounts, 0, 0, 0, 0)[:4]
    return [top, bottom, left, right]


def _needed(results: Iterable[Any]) -> set[str]:
    """Names of the calls that the results depend on."""
    needed: set[str] = set()
    stack = list(results)
    while stack:
        call = stack.pop()
        if call.name not in needed:
            needed.add(call.name)
            stack.extend(call.all_input_nodes)
    return needed


def _shape(call: Any) -> tuple[int, ...]:
    """Traced shape of a call's (first) result."""
    value = call.meta["val"]
    return tuple(int(size) for size in (value[0] if isinstance(value, tuple) else value).shape)


def _flat(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, str) or not isinstance(argument, Iterable) or _is_call(argument):
            yield argument
        else:
            yield from _flat(argument)


def _is_call(argument: Any) -> bool:
    return hasattr(argument, "all_input_nodes")


def _module_path(call: Any) -> str:
    stack = list((call.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).removeprefix("model").removeprefix(".") if stack else ""


def _refused(target: str, module: str, reason: str) -> UnsupportedError:
    where = f" in module {module!r}" if module else ""
    name = target.removesuffix(".default")
    return UnsupportedError(
        f"operation {name}{where} cannot be compiled: {reason}; move it out of the traced"
        " model, or express it with conv, linear, norm, pool, add, multiply, mean or a neuron",
        node=module,
        reason=reason,
    )
