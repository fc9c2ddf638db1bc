"""From an exported torch program to a Graph: one pass over its calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend.aten import translate_call
from snndeploy.graph import Graph, Node
from snndeploy.ops import kind_of
from snndeploy.ops.axes import concrete_shape, input_axes
from snndeploy.ops.call import Call
from snndeploy.tensors import tensor

NEURON_OP = "snndeploy.neuron.default"
OVER_TIME = {  # operations on whole sequences, time first, that the capture of loops writes
    "snndeploy.delay.default": ("delay", "steps"),
    "snndeploy.leaky.default": ("leaky", "decay"),
}
OTHER_RESULT_OP = "snndeploy.other_result_of_neuron.default"
NOT_STATED = ("attention", "channel_scale")  # of a description; they are nodes or bodies


@dataclass(frozen=True)
class Source:
    """What the exported program does not say.

    neurons: path and parameters of every neuron module, in the order of the custom op's index.
    batch_axis: the batch dimension of the model's input; the graph's own is always the first.
    timed: the input's other leading dimension is time.
    """

    neurons: Sequence[tuple[str, dict[str, Any]]]
    timesteps: int
    signal: str
    batch_axis: int
    name: str = ""
    timed: bool = False


def translate(exported: Any, source: Source) -> Graph:
    """Graph of a `torch.export` program.

    Raises:
        ModelError: no output, or an input of the wrong length.
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
        if not results:
            raise ModelError("the model returns no tensor")
        needed = _needed(results)
        for call in calls:
            if call.op == "placeholder" and call.name not in self.constants:
                self._input(call)
            elif call.op == "call_function" and call.name in needed:
                self._call(call)
        if not all(result.name in self.alias for result in results):
            raise ModelError("the model's output does not depend on its input")
        outputs = tuple(self.alias[result.name] for result in results)
        graph = Graph(tuple(self.nodes.values()), outputs, self.source.timesteps, self.source.name)
        return graph.select(outputs)

    def _input(self, call: Any) -> None:
        """The input node; its samples come first, even where the model takes time first."""
        try:
            axes = input_axes(
                _shape(call), self.source.batch_axis, self.source.timesteps, timed=self.source.timed
            )
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
        if target == OTHER_RESULT_OP:
            raise ModelError(
                f"the model uses more of neuron {module!r} than its spikes, which come first of its"
                " results; its description states nothing else"
            )
        data = [a for a in _flat((call.args, call.kwargs.values())) if self._is_data(a)]
        if not data:
            self.constants[call.name] = self._folded(call, target, module)
            return
        if any(a.name not in self.alias for a in data):
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

    def _folded(self, call: Any, target: str, module: str) -> Any:
        """The value of a call that reads stored tensors and numbers alone, or its results.

        Raises:
            UnsupportedError: it draws random numbers.
        """
        if any(tag.name == "nondeterministic_seeded" for tag in call.target.tags):
            raise _refused(target, module, "it draws random numbers")
        given = {key: _as_tensor(value) for key, value in self._arguments(call).items()}
        found = call.target(**given)
        results = found if isinstance(found, (tuple, list)) else [found]
        arrays = [result.detach().cpu().numpy() for result in results]
        return arrays if isinstance(found, (tuple, list)) else arrays[0]

    def _getitem(self, call: Any, module: str) -> None:
        source, index = call.args
        if source.name in self.constants:
            self.constants[call.name] = self.constants[source.name][index]
            return
        if index != 0:
            raise _refused(str(source.target), module, f"its result number {index} is used")
        self.alias[call.name] = self.alias[source.name]

    def _node(
        self, call: Any, target: str, module: str, inputs: tuple[str, ...], shape: tuple[int, ...]
    ) -> Node | None:
        """The call as a node, or None where it changes nothing."""
        if target == NEURON_OP:
            path, found = self.source.neurons[int(call.args[1])]
            inputs = self._scaled(call, path, inputs, found.get("channel_scale"))
            stated = {key: value for key, value in found.items() if key not in NOT_STATED}
            axis = found["time_axis"] % len(_shape(call))
            given = {**stated, "time_axis": axis, "timesteps": self.source.timesteps}
            return self._with_axes(Node(call.name, "neuron", inputs, given, module=path), call)
        if target in OVER_TIME:
            op, key = OVER_TIME[target]
            given = {key: call.args[1], "time_axis": 0, "timesteps": self.source.timesteps}
            return self._with_axes(Node(call.name, op, inputs, given, module=module), call)
        first = self.nodes[inputs[0]]
        op, attributes, parameters, axes = translate_call(
            Call(
                target, self._arguments(call), shape, first.axes, _shape(call),
                self.source.timesteps,
            )
        )  # fmt: skip
        if not op:
            return None
        node = Node(call.name, op, inputs, attributes, parameters, axes or (), module=module)
        layer = kind_of(node).layer
        return self._with_axes((layer and layer.absorbs(node, first)) or node, call)

    def _scaled(
        self, call: Any, path: str, inputs: tuple[str, ...], scales: Sequence[float] | None
    ) -> tuple[str, ...]:
        """A neuron's inputs, scaled a channel where its description has a threshold a channel."""
        if scales is None:
            return inputs
        axes = self.nodes[inputs[0]].axes
        features = [
            i for i, atoms in enumerate(axes) if {label for label, _ in atoms} == {"feature"}
        ]
        channels = concrete_shape(axes)[features[0]] if features else 1
        if channels != len(scales):
            raise ModelError(
                f"neuron {path!r} states {len(scales)} thresholds, and its input has {channels}"
                " channels"
            )
        held = {"scale": np.asarray(scales), "shift": np.zeros(len(scales))}
        where = {"channel_axis": features[0]}
        front = Node(f"{call.name}_scale", "norm", inputs, where, held, axes, path)
        self.nodes[front.name] = front
        return (front.name,)

    def _with_axes(self, node: Node, call: Any) -> Node:
        """The node with its axes, which must agree with the traced shape."""
        shape = _shape(call)
        axes = node.axes or kind_of(node).axes(node, [self.nodes[n].axes for n in node.inputs])
        if concrete_shape(axes) != shape:
            raise ValueError(
                f"its result has shape {shape}, where {concrete_shape(axes)} was expected"
            )
        return replace(node, axes=axes)

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


def _as_tensor(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_tensor(part) for part in value]
    return tensor(value) if isinstance(value, np.ndarray) else value


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
    first = value[0] if isinstance(value, (list, tuple)) else value
    return tuple(int(size) for size in first.shape)


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
