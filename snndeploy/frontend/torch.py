"""Trace a torch model to a Graph with `torch.export`, and prove that they agree.

Neuron modules are replaced by one custom op while the model is exported, so that their own loops
over time never reach the graph.  The model receives a clone: published models change their input
in place, which breaks export.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from snndeploy.errors import ModelError, UnsupportedError, one_line
from snndeploy.frontend.adapters import Adapter, find_neurons
from snndeploy.frontend.aten import TRANSLATORS, Call
from snndeploy.frontend.axes import TRACE_BATCH, expand_axes, input_axes, view_axes
from snndeploy.graph import Graph, Node, check
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import evaluate

EQUALITY_TOLERANCE = 1e-6  # float64 on both sides: only the order of sums may differ


@torch.library.custom_op("snndeploy::neuron", mutates_args=())
def _neuron(x: torch.Tensor, index: int) -> torch.Tensor:
    return torch.zeros_like(x)


@_neuron.register_fake
def _(x: torch.Tensor, index: int) -> torch.Tensor:
    return torch.empty_like(x)


def trace(
    module: Any,
    example: Any,
    *,
    timesteps: int | None = None,
    input_signal: str | None = None,
    adapters: Iterable[Adapter] = (),
    name: str = "",
    verify: bool = True,
) -> Graph:
    """Graph of a torch module.

    example: one valid input, batch of one first: (1, C, H, W), (1, features) or with time,
    (1, T, C, H, W) or (T, 1, C, H, W).  timesteps defaults to `module.timesteps`, input_signal
    ('binary', 'integer' or 'real') to `module.input_signal`, else 'real'.

    Raises:
        ModelError: the module raises, or the graph does not compute what the module does.
        UnsupportedError: an operation that the compiler does not know, named with its module.
    """
    module = module.eval()
    timesteps = timesteps or getattr(module, "timesteps", None)
    if not timesteps:
        raise ModelError(
            "the model does not say its number of time steps; give it an attribute `timesteps`"
        )
    found = find_neurons(module, adapters)
    if not found:
        raise ModelError(
            "no spiking neuron was recognised in the model; give its neurons a method"
            " neuron_parameters(), or an adapter with --adapters"
        )
    signal = input_signal or getattr(module, "input_signal", "real")
    if signal not in ("binary", "integer", "real"):
        raise ModelError(f"input signal {signal!r} is not one of binary, integer, real")
    exported = _export(module, found, _traced_input(example, int(timesteps)))
    graph = _Translation(exported, list(found.items()), int(timesteps), signal, name).graph()
    check(graph, "traced")
    if verify:
        verify_equal(graph, module, example)
    return graph


def _traced_input(example: Any, timesteps: int) -> Any:
    """The example with TRACE_BATCH samples (expanded: no memory)."""
    axis = _batch_axis(example, timesteps)
    shape = list(example.shape)
    if shape[axis] != 1:
        raise ModelError(f"the example input must hold one sample; its shape is {tuple(shape)}")
    shape[axis] = TRACE_BATCH
    return example.detach().float().expand(shape)


def _batch_axis(example: Any, timesteps: int) -> int:
    if example.dim() not in (2, 3, 4, 5):
        raise ModelError(f"an input of shape {tuple(example.shape)} is neither image nor sequence")
    time_first = (
        example.dim() in (3, 5) and example.shape[0] == timesteps and example.shape[1] == 1
    )
    return 1 if time_first and timesteps != 1 else 0


def _export(module: Any, found: dict[str, dict[str, Any]], example: Any) -> Any:
    class Wrapper(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, x: Any) -> Any:
            return self.model(x.clone())

    with _neurons_replaced(module, list(found)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.export.export(Wrapper().eval(), (example,), strict=False)
            return program.run_decompositions({})
        except Exception as error:
            raise ModelError(
                f"the model cannot be traced: {one_line(error)}; run it on one input of shape"
                f" {tuple(example.shape[1:])} to see where it stops"
            ) from None


@contextmanager
def _neurons_replaced(module: Any, paths: list[str]) -> Iterator[None]:
    neurons = [module.get_submodule(path) for path in paths]
    for index, neuron in enumerate(neurons):
        neuron.forward = _stand_in(index)
    try:
        yield
    finally:
        for neuron in neurons:
            del neuron.forward


def _stand_in(index: int) -> Callable[[Any], Any]:
    return lambda x, *rest, **more: torch.ops.snndeploy.neuron(x, index)


class _Translation:
    """One pass over an exported program."""

    def __init__(
        self,
        exported: Any,
        neurons: list[tuple[str, dict[str, Any]]],
        timesteps: int,
        signal: str,
        name: str,
    ) -> None:
        self.exported, self.neurons = exported, neurons
        self.timesteps, self.signal, self.name = timesteps, signal, name
        self.constants = self._constants()
        self.nodes: dict[str, Node] = {}
        self.alias: dict[str, str] = {}

    def graph(self) -> Graph:
        outputs: tuple[str, ...] = ()
        for call in self.exported.graph.nodes:
            if call.op == "placeholder" and call.name not in self.constants:
                self._input(call)
            elif call.op == "call_function":
                self._call(call)
            elif call.op == "output":
                outputs = tuple(self.alias[a.name] for a in call.args[0] if a is not None)
        if len(outputs) != 1:
            raise ModelError(f"the model returns {len(outputs)} tensors; one is needed")
        graph = Graph(tuple(self.nodes.values()), outputs, self.timesteps, self.name)
        return graph.select(outputs)

    def _constants(self) -> dict[str, np.ndarray]:
        """Parameters and buffers by the name of their placeholder."""
        signature = self.exported.graph_signature
        state = {**self.exported.state_dict, **self.exported.constants}
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

    def _input(self, call: Any) -> None:
        shape = tuple(int(size) for size in call.meta["val"].shape)
        try:
            axes = input_axes(shape, self.timesteps)
        except ValueError as error:
            raise ModelError(str(error)) from None
        self._add(Node("input", "input", attributes={"signal": self.signal}, axes=axes), call)

    def _call(self, call: Any) -> None:
        target, module = str(call.target), _module_path(call)
        if target == "<built-in function getitem>":
            self._getitem(call, module)
            return
        data = [a for a in _flat(call.args) if _is_data(a, self.constants)]
        missing = [a.name for a in data if a.name not in self.alias]
        if missing or (not data and target != "snndeploy.neuron.default"):
            raise self._refuse(target, module, "it does not depend on the input in a known way")
        inputs = tuple(self.alias[a.name] for a in data)
        try:
            node = self._node(call, target, module, inputs, tuple(data[0].meta["val"].shape))
        except ValueError as error:
            raise self._refuse(target, module, str(error)) from None
        if node is None:
            self.alias[call.name] = inputs[0]
            return
        self._add(node, call)

    def _getitem(self, call: Any, module: str) -> None:
        source, index = call.args
        if index != 0:
            raise self._refuse(str(source.target), module, f"its result number {index} is used")
        self.alias[call.name] = self.alias[source.name]

    def _node(
        self, call: Any, target: str, module: str, inputs: tuple[str, ...], shape: tuple[int, ...]
    ) -> Node | None:
        if target == "snndeploy.neuron.default":
            return self._neuron(call, inputs)
        if target.startswith(("aten.pad.", "aten.constant_pad_nd.")):
            return self._pad(call, inputs, module)
        if target not in TRANSLATORS:
            raise ValueError("the compiler does not know it")
        arguments = self._arguments(call)
        op, attributes, parameters = TRANSLATORS[target](Call(target, arguments, shape))
        if op == "identity":
            return None
        if op == "conv" and self.nodes[inputs[0]].op == "pad":
            pad = self.nodes[inputs[0]]
            both = zip(attributes["padding"], pad.attributes["padding"], strict=True)
            attributes["padding"] = [first + second for first, second in both]
            inputs = (pad.inputs[0],)
        node = Node(call.name, op, inputs, attributes, parameters, module=module)
        return replace(node, axes=self._axes(node, call))

    def _pad(self, call: Any, inputs: tuple[str, ...], module: str) -> Node:
        arguments = self._arguments(call)
        amounts = [int(v) for v in arguments["pad"]]
        if arguments.get("value") or arguments.get("mode", "constant") != "constant":
            raise ValueError("only padding with zeros is supported")
        left, right, top, bottom = (*amounts, 0, 0, 0, 0)[:4]
        attributes = {"padding": [top, bottom, left, right]}
        node = Node(call.name, "pad", inputs, attributes, module=module)
        return replace(node, axes=self._axes(node, call))

    def _neuron(self, call: Any, inputs: tuple[str, ...]) -> Node:
        path, parameters = self.neurons[int(call.args[1])]
        attributes = {**parameters, "timesteps": self.timesteps}
        node = Node(call.name, "neuron", inputs, attributes, module=path)
        return replace(node, axes=self._axes(node, call))

    def _axes(self, node: Node, call: Any) -> Any:
        sources = [self.nodes[name].axes for name in node.inputs]
        value = call.meta["val"]
        shape = tuple(int(size) for size in (value[0] if isinstance(value, tuple) else value).shape)
        if node.op == "view":
            return view_axes(sources[0], shape)
        if node.op == "expand":
            return expand_axes(sources[0], shape, self.timesteps)
        return KINDS[node.op].axes(node, sources)

    def _arguments(self, call: Any) -> dict[str, Any]:
        """Arguments by schema name; parameters and buffers as arrays."""
        names = [argument.name for argument in call.target._schema.arguments]
        bound = dict(zip(names, call.args, strict=False)) | dict(call.kwargs)
        return {key: self._value(value) for key, value in bound.items()}

    def _value(self, value: Any) -> Any:
        name = getattr(value, "name", None)
        return self.constants[name] if isinstance(name, str) and name in self.constants else value

    def _add(self, node: Node, call: Any) -> None:
        self.nodes[node.name] = node
        self.alias[call.name] = node.name

    def _refuse(self, target: str, module: str, reason: str) -> UnsupportedError:
        where = f" in module {module!r}" if module else ""
        name = target.removesuffix(".default")
        return UnsupportedError(
            f"operation {name}{where} cannot be compiled: {reason}; move it out of the traced"
            " model, or express it with conv, linear, norm, pool, add, multiply, mean or a neuron",
            node=module,
            reason=reason,
        )


def _flat(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, (list, tuple)):
            yield from _flat(argument)
        else:
            yield argument


def _is_data(argument: Any, constants: dict[str, np.ndarray]) -> bool:
    return isinstance(argument, torch.fx.Node) and argument.name not in constants


def _module_path(call: Any) -> str:
    stack = list((call.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]).removeprefix("model").removeprefix(".") if stack else ""


def verify_equal(graph: Graph, module: Any, example: Any) -> None:
    """Run module and graph on the same random inputs in float64: they must agree.

    Raises:
        ModelError: naming the first module whose output differs.
    """
    model = copy.deepcopy(module).double().eval()
    x = _random_like(example, graph.input.attributes["signal"])
    modules: dict[str, Any] = {}
    hooks = [
        child.register_forward_hook(_keep(modules, path))
        for path, child in model.named_modules()
        if path and not list(child.children())
    ]
    try:
        with torch.no_grad():
            theirs = model(torch.as_tensor(x).clone())
    except Exception as error:
        raise ModelError(f"the model raises on a random input: {one_line(error)}") from None
    finally:
        for hook in hooks:
            hook.remove()
    owners = {node.module: node.name for node in graph.nodes if node.module in modules}
    ours = evaluate(graph, x, {*graph.outputs, *owners.values()}, hoist=False, double=True)
    if _agree(ours[graph.outputs[0]], theirs):
        return
    for path, name in owners.items():
        if not _agree(ours[name], modules[path]):
            raise ModelError(
                f"the traced graph and the model differ first at {path!r}:"
                f" {_distance(ours[name], modules[path])}; its forward does something that the"
                " trace does not see (state kept between calls, or a neuron with other equations)"
            )
    raise ModelError(
        "the traced graph and the model differ at the output:"
        f" {_distance(ours[graph.outputs[0]], theirs)}"
    )


def _keep(store: dict[str, Any], path: str) -> Callable[..., None]:
    def hook(module: Any, inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            store[path] = output.detach().clone()

    return hook


def _random_like(example: Any, signal: str) -> np.ndarray:
    generator = np.random.default_rng(0)
    shape = tuple(example.shape)
    if signal == "real":
        return generator.normal(size=shape)
    return generator.integers(0, 2 if signal == "binary" else 4, size=shape).astype(np.float64)


def _agree(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, torch.Tensor) or ours.numel() != theirs.numel():
        return False
    difference = ours.reshape(-1) - theirs.reshape(-1).to(ours.dtype)
    scale = 1.0 + float(theirs.abs().max())
    return bool(difference.abs().max() <= EQUALITY_TOLERANCE * scale)


def _distance(ours: Any, theirs: Any) -> str:
    if ours.numel() != theirs.numel():
        return f"shapes {tuple(ours.shape)} and {tuple(theirs.shape)}"
    return f"largest difference {float((ours.reshape(-1) - theirs.reshape(-1)).abs().max()):.3g}"
