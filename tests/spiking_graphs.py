"""Random spiking networks as graphs: layers on a grid or not, neurons of every form.

    net = random_net(rng, CHIPS["loihi2"], grid=True)       # one number chooses all
    program = compiled(net, target)
    net.graph, net.events

The graph's own reference (`snndeploy.ops.evaluate` in double precision) is what a chip must do.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.graph import Graph, Node
from snndeploy.pipeline import Options
from snndeploy.pipeline.walk import compile_opened
from snndeploy.program import Program
from snndeploy.target import Target

SAMPLES = 4
CONV = {"stride": [1, 1], "dilation": [1, 1], "groups": 1}
PLAIN = {"kind": "lif", "v_reset": 0.0, "reset": "hard", "time_axis": 1}


@dataclass(frozen=True, eq=False)
class Net:
    """events: (samples, timesteps, *shape) float32."""

    graph: Graph
    events: np.ndarray

    def __str__(self) -> str:
        return "\n".join(
            f"  {n.name}: {n.op} {n.step_shape} {dict(n.attributes)} {list(n.parameters)}"
            f"{' with feedback' if n.feedback else ''}"
            for n in self.graph.nodes
        )


class Rows:
    """Nodes in a row; `shape` is that of one step's features."""

    def __init__(self, timesteps: int, shape: tuple[int, ...], signal: str = "binary") -> None:
        self.timesteps, self.shape = timesteps, shape
        self.nodes: list[Node] = []
        self.add("input", "input", signal=signal)

    def axes(self, *, merged: bool = False, flat: bool = False, time: int | None = None) -> tuple:
        atoms = tuple(("feature", size) for size in self.shape)
        steps = (("time", self.timesteps if time is None else time),)
        front = ((("batch", 1), *steps),) if merged else ((("batch", 1),), steps)
        return (*front, atoms) if flat else (*front, *((atom,) for atom in atoms))

    def add(self, name: str, op: str, parameters: Any = None, **more: Any) -> None:
        axes = more.pop("axes", None) or self.axes()
        feedback = more.pop("feedback", None)
        inputs = (self.nodes[-1].name,) if self.nodes else ()
        self.nodes.append(
            Node(name, op, inputs, more, parameters or {}, axes, module=name, feedback=feedback)
        )

    @property
    def place(self) -> int:
        return len(self.nodes)

    def layer(self, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
        parameters = {"weight": weight.astype(np.float32)}
        if bias is not None:
            parameters["bias"] = bias.astype(np.float32)
        here = self.place
        if weight.ndim == 4:
            self.add(f"merged{here}", "view", axes=self.axes(merged=True))
            self.shape = (len(weight), *self.shape[1:])
            around = [size // 2 for size in weight.shape[2:] for _ in range(2)]
            merged = self.axes(merged=True)
            self.add(f"layer{here}", "conv", parameters, padding=around, **CONV, axes=merged)
            self.add(f"apart{here}", "view")
            return
        if len(self.shape) > 1:
            self.add(f"flat{here}", "view", axes=self.axes(flat=True))
        self.shape = (len(weight),)
        self.add(f"layer{here}", "linear", parameters)

    def delay(self, steps: int) -> None:
        self.add(f"delay{self.place}", "delay", steps=steps, time_axis=1, timesteps=self.timesteps)

    def neuron(self, back: np.ndarray | None = None, **values: Any) -> None:
        feedback = None if back is None else self.fed_back(back)
        stated = PLAIN | values
        self.add(
            f"neuron{self.place}", "neuron", timesteps=self.timesteps, feedback=feedback, **stated
        )

    def fed_back(self, weight: np.ndarray) -> Graph:
        """One step: a linear layer on the last spikes (1, C)."""
        axes = ((("batch", 1),), (("feature", self.shape[0]),))
        entry = Node("spikes", "input", (), {"signal": "binary"}, {}, axes)
        parameters = {"weight": weight.astype(np.float32)}
        layer = Node("recurrent", "linear", ("spikes",), {}, parameters, axes, module="recurrent")
        return Graph((entry, layer), ("recurrent",), 1, "feedback")

    def graph(self, name: str = "net") -> Graph:
        answer = ((("batch", 1),), (("feature", self.shape[0]),))
        self.add("answer", "mean", dimensions=[1], keep=False, axes=answer)
        return Graph(tuple(self.nodes), ("answer",), self.timesteps, name)


def opened(graph: Graph) -> OpenedModel:
    count = sum(v.size for node in graph.nodes for v in node.parameters.values())
    facts = ModelFacts(
        graph.name, graph.name, "random", count, "0" * 64, graph.timesteps,
        graph.input.shape[1:], graph.input.attributes["signal"],
    )  # fmt: skip
    return OpenedModel(facts, graph)


def compiled(net: Net, target: Target, calibration: np.ndarray | None = None) -> Program:
    """calibration: inputs; None: the net's own events."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, x=net.events if calibration is None else calibration)
        options = Options(calibration=path, mapping="tiles", objective="cores")
        return compile_opened(opened(net.graph), target, options)


# random nets


@dataclass(frozen=True)
class Forms:
    """What a target's neuron has."""

    soft: bool
    program: bool

    @classmethod
    def of(cls, target: Target) -> Forms:
        return cls(target.soft_reset or target.neuron_program, target.neuron_program)


def random_neuron(
    rng: np.random.Generator, forms: Forms, step: float, largest: int, decays: Any, currents: Any
) -> dict[str, Any]:
    """Parameters whose numbers are multiples of `step`."""
    pick = rng.choice
    resets = ["hard"] + ["soft"] * forms.soft + ["soft_after", "none"] * forms.program
    threshold = int(rng.integers(1, 3 * largest + 1)) * step
    found: dict[str, Any] = {
        "threshold": threshold, "decay": float(pick(decays)), "fires_at": str(pick(["ge", "gt"])),
        "reset": str(pick(resets)), "current_decay": float(pick(currents)),
    }  # fmt: skip
    hard = found["reset"] == "hard"
    if forms.program:
        if pick(3) == 0:
            found["initial"] = int(rng.integers(-largest, largest + 1)) * step
        if pick(3) == 0:
            found["lower_bound"] = -int(rng.integers(0, 2 * largest + 1)) * step
        if hard and pick(3) == 0:
            found["v_reset"] = -int(rng.integers(0, largest + 1)) * step
            if found.get("lower_bound") is not None and found["decay"] > 0:
                least = math.floor(found["v_reset"] / found["decay"] / step) * step
                found["lower_bound"] = min(found["lower_bound"], least)
        if pick(4) == 0:
            found["refractory"] = int(rng.integers(1, 5))
            found["refractory_input"] = str(pick(["integrated", "dropped"]))
        if pick(4) == 0:
            found |= {"most_spikes": int(rng.integers(2, 8)), "fires_at": "ge"}
    elif hard and found["decay"] > 0 and pick(3) == 0:
        rest = -int(rng.integers(0, largest + 1)) * step
        found |= {"v_reset": rest * found["decay"], "initial": rest * found["decay"]}
    return found


def random_weight(rng: np.random.Generator, shape: Any, step: float | None, largest: int) -> Any:
    """step: of a grid; None: ordinary weights, whose largest is `largest`.  Never all zero: such a
    layer has no grid."""
    if step is None:
        return rng.normal(size=shape) * largest / 3
    found = rng.integers(-largest, largest + 1, shape)
    found.flat[0] = found.flat[0] or largest
    return found * step


def random_net(
    rng: np.random.Generator,
    target: Target,
    *,
    timesteps: int,
    decays: Any,
    currents: Any = (0.0,),
    grid: bool = True,
    layers: int = 0,
    largest: int = 0,
    recurrent: bool = True,
    filtered_bias: bool = False,
) -> Net:
    """1 to 3 layers of neurons and a readout.

    filtered_bias: also layers with a bias in front of a synaptic current.
    """
    forms = Forms.of(target)
    step = float(2.0 ** -rng.integers(0, 5)) if grid else None
    largest = largest or int(rng.choice([1, 3, 20]))
    plane = bool(rng.integers(3) == 0)
    rows = Rows(timesteps, (2, 4, 4) if plane else (int(rng.integers(1, 9)),))
    for index in range(layers or int(rng.integers(1, 4))):
        kernel = len(rows.shape) > 1 and (index == 0 or rng.integers(2) == 0)
        outputs, inputs = int(rng.integers(2, 6)), int(np.prod(rows.shape))
        shape = (outputs, rows.shape[0], 3, 3) if kernel else (outputs, inputs)
        values = random_neuron(rng, forms, step or 0.1, largest, decays, currents)
        bias = None
        if rng.integers(3) == 0 and (filtered_bias or not values["current_decay"]):
            bias = random_weight(rng, outputs, step, largest)
        if rng.integers(4) == 0 and bias is None and index:
            rows.delay(int(rng.integers(1, 4)))
        rows.layer(random_weight(rng, shape, step, largest), bias)
        back = None
        if recurrent and len(rows.shape) == 1 and rng.integers(4) == 0:
            back = random_weight(rng, (outputs, outputs), step, max(1, largest // 2))
        rows.neuron(back, **values)
    rows.layer(random_weight(rng, (3, int(np.prod(rows.shape))), step, largest))
    rate = float(rng.choice([0.1, 0.4, 0.9]))
    events = rng.random((SAMPLES, timesteps, *rows.nodes[0].step_shape)) < rate
    return Net(rows.graph(), events.astype(np.float32))
