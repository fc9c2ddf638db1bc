"""QuantizedModule: forward the chip's integers, backward the user's own layers.

For every population p of the chip, s the spikes of its sources and x(theta, s) what the user's
module brings to the same neurons when it is given the same spikes:

    forward    v[t] = sat24( rz(v[t-1] * leak) + sum of (integer kernel . s)[t] << 6 + bias )
    backward   dv/ds     = the integer kernels
               dv/dtheta = dx/dtheta / unit       rounding and clipping are straight through
               dS/dv     = the surrogate

The user's module runs as it stands, in float, with the integers' spikes in place of those of its
own neurons: so whatever stands between two layers of neurons has its own derivative.  Norms use
their running statistics, which stay; their weights and biases train.  Thresholds and decays stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snndeploy.data import Data
from snndeploy.errors import DataError, ModelError
from snndeploy.frontend.adapters import Adapter
from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.frontend.torch import traced
from snndeploy.frontend.torch_door import state_hash
from snndeploy.graph import Graph, Node
from snndeploy.network import Network
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.pipeline.options import Options
from snndeploy.pipeline.walk import compile_opened, fix_scales
from snndeploy.program import Program
from snndeploy.quantize.fixed import FixedScales
from snndeploy.target import Target
from snndeploy.tensors import tensor
from snndeploy.training.arrange import as_steps, as_value
from snndeploy.training.dynamics import UNIT
from snndeploy.training.integers import Integers, integers_of
from snndeploy.training.run import Run, require_trainable
from snndeploy.verdict import Shortcuts

SURROGATE_WIDTH = 2.0  # thresholds


@dataclass(frozen=True, eq=False)
class Answer:
    """logits: float64 (samples, classes), those of `simulate`.
    spikes: what every population sent, float64 (samples, steps, C, H, W), by its name."""

    logits: Any
    spikes: dict[str, Any]


def quantized(
    module: Any,
    target: str | Path | Target,
    *,
    calibration: str | Path | Data | np.ndarray | Any,
    example: Any = None,
    timesteps: int | None = None,
    input_signal: str | None = None,
    adapters: Iterable[Adapter] = (),
    shortcuts: Shortcuts = "auto",
    surrogate_width: float = SURROGATE_WIDTH,
    name: str = "",
) -> QuantizedModule:
    """A module that computes what `module`, compiled for `target`, computes there.

    calibration: inputs that set the integer scales, samples first, or a data file.  example: one
    valid input, batch of one (default: the first of the calibration).  timesteps, input_signal,
    adapters: as in `frontend.torch.trace`.  shortcuts: as in `Options`.  surrogate_width: of the
    derivative of a spike, in thresholds.

    Raises:
        DeployError: what cannot be compiled, or is compiled to what this does not compute.
    """
    chip = target if isinstance(target, Target) else Target.load(target)
    chip.require_compiled()
    data = calibration if isinstance(calibration, (str, Path)) else _data(calibration)
    if example is None:
        if isinstance(data, (str, Path)):
            raise ModelError("give an example input: calibration is a file")
        example = torch.as_tensor(data.inputs()[:1])
    graph, again = traced(
        module, example, timesteps=timesteps, input_signal=input_signal, adapters=adapters,
        name=name or type(module).__name__,
    )  # fmt: skip
    options = Options(calibration=data, shortcuts=shortcuts)
    return QuantizedModule(module, graph, again, chip, options, surrogate_width)


def _data(samples: Any) -> Data:
    if isinstance(samples, Data):
        return samples
    return Data(np.asarray(torch.as_tensor(samples).detach().cpu()), None, 1.0, "calibration")


class QuantizedModule(torch.nn.Module):
    """See the top of this file; `quantized` makes one.

    module: the user's, whose parameters these are.  scales: chosen when it was made, until
    `requantize`.
    """

    def __init__(
        self,
        module: Any,
        graph: Graph,
        again: Callable[[], Graph],
        target: Target,
        options: Options,
        surrogate_width: float,
    ) -> None:
        super().__init__()
        self.module = module
        self.target, self.surrogate_width = target, surrogate_width
        self._graph, self._options = again, options
        self._time_first = "time_first" in graph.by_name  # how a trace calls that input
        self._traced = [id(p) for p in module.parameters()]
        self.scales: FixedScales
        self.requantize()

    def requantize(self) -> None:
        """Choose the scales again, from the weights as they are and the calibration samples."""
        self.scales = fix_scales(self._opened(), self.target, self._options)
        require_trainable(self.network())

    def network(self) -> Network:
        """The integers, of the weights as they are."""
        return self._integers().network

    def forward(self, x: Any) -> Any:
        """The chip's logits, float64 (samples, classes); x: as the user's module takes it."""
        return self.answer(x).logits

    def answer(self, x: Any) -> Answer:
        """The chip's logits and spikes."""
        integers = self._integers()
        samples = _samples_first(x, self._time_first)
        _require_input(integers.model.input, samples)
        injected = integers.injected(samples)
        run = Run(integers.network, injected, len(samples), self.surrogate_width)
        walk = _Walk(integers, run)
        self.module.eval()
        with _neurons_replaced(self.module, walk):
            result = self.module(x)
        logits = walk.logits(result)
        return Answer(logits, run.payloads)

    def program(self, **options: Any) -> Program:
        """The program of the weights as they are, at these scales; options: of `Options`.

        Raises:
            DeployError: it does not fit the target.
        """
        given = replace(self._options, **options)
        return compile_opened(self._opened(), self.target, given, scales=self.scales)

    def _integers(self) -> Integers:
        if [id(p) for p in self.module.parameters()] != self._traced:
            raise ModelError(
                "parameters of the module were replaced by others since it was quantized; load"
                " values into them (load_state_dict), or quantize the module again"
            )
        return integers_of(self._graph, self.target, self.scales)

    def _opened(self) -> OpenedModel:
        graph = self._graph()
        facts = ModelFacts(
            name=graph.name,
            spec=graph.name,
            weights="as trained",
            parameters=sum(p.numel() for p in self.module.parameters()),
            parameters_sha256=state_hash(self.module),
            timesteps=graph.timesteps,
            input_shape=graph.input.shape[1:],
            input_signal=graph.input.attributes["signal"],
        )
        return OpenedModel(facts, graph)


class _Walk:
    """The user's module and the integers, side by side."""

    def __init__(self, integers: Integers, run: Run) -> None:
        self.model, self.run = integers.model, run
        self.waiting = list(integers.network.populations)
        self.calls: dict[str, list[Node]] = {}
        for population in self.waiting:
            node = self.model.by_name.get(population.origin)
            if node is not None and node.is_neuron:
                self.calls.setdefault(node.module, []).append(node)

    def neuron(self, path: str, x: Any) -> Any:
        """What the module's neuron at `path` answers to currents x: the integers' spikes."""
        if not self.calls[path]:
            raise ModelError(f"neuron {path} is called more often than when it was traced")
        node = self.calls[path].pop(0)
        currents = as_steps(node, self._scaled(node, x), self.run.samples)
        spikes = self._advance(node.name, currents - currents.detach())
        return as_value(node, spikes.detach(), self.run.samples).to(x.dtype)

    def _scaled(self, node: Node, x: Any) -> Any:
        """The currents as the graph has them: scaled a channel where thresholds are a channel's."""
        (front,) = node_inputs(self.model, node)
        if front.module != node.module:
            return x
        return kind_of(front).evaluate(front, [x], self.run.samples, self.model.timesteps)

    def logits(self, result: Any) -> Any:
        """The chip's logits; backward, the module's own layers behind its last neuron."""
        network = self.run.network
        if missing := [path for path, nodes in self.calls.items() if nodes]:
            raise ModelError(f"neuron {missing[0]} is called less often than when it was traced")
        for population in self.waiting:
            self.run.advance(population)
        node = self.model.by_name[self.model.outputs[0]]
        answers = as_steps(node, result, self.run.samples).mean(1)
        answers = answers.reshape(self.run.samples, -1).double()
        readout = network.readout
        assert readout is not None
        offset = 0.0 if readout.offset is None else tensor(readout.offset)
        exact = self.run.answer() * readout.scale + offset
        return exact + (answers - answers.detach())

    def _advance(self, node: str, straight: Any) -> Any:
        """The populations up to that of a node; straight: zero, with the module's derivative."""
        while self.waiting:
            population = self.waiting.pop(0)
            if population.origin != node:
                self._require_no_neuron(population.origin)
                self.run.advance(population)
                continue
            added = straight.reshape(*straight.shape[:2], *population.shape).double()
            return self.run.advance(population, added * (UNIT / population.scale))
        raise AssertionError(f"no population computes {node}")

    def _require_no_neuron(self, origin: str) -> None:
        for path, nodes in self.calls.items():
            if origin in (node.name for node in nodes):
                raise ModelError(f"neuron {path} is called later than when it was traced")


@contextmanager
def _neurons_replaced(module: Any, walk: _Walk) -> Iterator[None]:
    """The neurons that the chip computes answer what it computes; those of the encoder stay."""
    neurons = {path: module.get_submodule(path) for path in walk.calls}
    for path, neuron in neurons.items():
        neuron.forward = _stand_in(walk, path)
    try:
        yield
    finally:
        for neuron in neurons.values():
            del neuron.forward


def _stand_in(walk: _Walk, path: str) -> Callable[..., Any]:
    return lambda x, *rest, **more: walk.neuron(path, x)


def _samples_first(x: Any, time_first: bool) -> np.ndarray:
    samples = x.detach().cpu()
    found: np.ndarray = (samples.transpose(0, 1) if time_first else samples).numpy()
    return found.astype(np.float32)


def _require_input(node: Node, samples: np.ndarray) -> None:
    expected, found = tuple(node.shape[1:]), tuple(samples.shape[1:])
    if found != expected:
        raise DataError(f"samples have shape {found}, the model takes {expected}")
