"""A format of the tests' own: a graph in JSON, as its weights and neurons in a row.

    {"name": "chain", "timesteps": 4, "shape": [3],
     "layers": [{"weight": [...]}, {"threshold": 1.0, "decay": 0.5}, {"weight": [...]}]}

Binary events (time, *shape) come in; the last layer's mean over time goes out.  A weight of two
dimensions is a linear layer, one of four a convolution that keeps the plane.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.frontend.door import Door, ModelFacts, OpenedModel
from snndeploy.graph import Graph, Node

NEURON = {"kind": "lif", "v_reset": 0.0, "fires_at": "ge", "reset": "hard", "time_axis": 1}
CONV = {"stride": [1, 1], "dilation": [1, 1], "groups": 1}


class _Rows:
    """Nodes in a row; `shape` is that of one step's features."""

    def __init__(self, timesteps: int, shape: list[int]) -> None:
        self.timesteps, self.shape, self.nodes = timesteps, shape, []
        self.add("input", "input", signal="binary")

    def axes(self, *, merged: bool = False, flat: bool = False) -> tuple:
        atoms = tuple(("feature", size) for size in self.shape)
        time = (("time", self.timesteps),)
        front = ((("batch", 1), *time),) if merged else ((("batch", 1),), time)
        return (*front, atoms) if flat else (*front, *((atom,) for atom in atoms))

    def add(self, name: str, op: str, parameters: dict | None = None, **more: Any) -> None:
        axes = more.pop("axes", None) or self.axes()
        inputs = (self.nodes[-1].name,) if self.nodes else ()
        self.nodes.append(Node(name, op, inputs, more, parameters or {}, axes, module=name))

    def layer(self, index: int, record: dict) -> None:
        if "threshold" in record:
            self.add(f"neuron{index}", "neuron", timesteps=self.timesteps, **NEURON | record)
            return
        weight = np.array(record["weight"], dtype=np.float32)
        if weight.ndim == 4:
            self.convolution(index, weight)
            return
        if len(self.shape) > 1:
            self.add(f"flat{index}", "view", axes=self.axes(flat=True))
        self.shape = [len(weight)]
        self.add(f"layer{index}", "linear", {"weight": weight})

    def convolution(self, index: int, weight: np.ndarray) -> None:
        self.add(f"merged{index}", "view", axes=self.axes(merged=True))
        self.shape = [len(weight), *self.shape[1:]]
        around = [size // 2 for size in weight.shape[2:] for _ in range(2)]
        self.add(
            f"layer{index}", "conv", {"weight": weight}, padding=around, **CONV,
            axes=self.axes(merged=True),
        )  # fmt: skip
        self.add(f"apart{index}", "view")

    def graph(self, name: str) -> Graph:
        answer = ((("batch", 1),), (("feature", self.shape[0]),))
        self.add("answer", "mean", dimensions=[1], keep=False, axes=answer)
        return Graph(tuple(self.nodes), ("answer",), self.timesteps, name)


def opened(spec, options, need, step) -> OpenedModel:
    step("read the toy")
    content = Path(spec).read_bytes()
    record = json.loads(content)
    rows = _Rows(options.timesteps or record["timesteps"], record["shape"])
    for index, layer in enumerate(record["layers"]):
        rows.layer(index, layer)
    graph = rows.graph(record["name"])
    facts = ModelFacts(
        name=record["name"],
        spec=Path(spec).name,
        weights=Path(spec).name,
        parameters=sum(value.size for node in graph.nodes for value in node.parameters.values()),
        parameters_sha256=hashlib.sha256(content).hexdigest(),
        timesteps=graph.timesteps,
        input_shape=graph.input.shape[1:],
        input_signal="binary",
    )
    return OpenedModel(facts, graph)


DOOR = Door(
    kind="a toy",
    form="TOY.toy",
    takes=lambda spec: spec.endswith(".toy"),
    gives="model",
    options=frozenset({"timesteps"}),
    open=opened,
)


def eighths(*shape: int) -> list:
    """Weights that binary fractions hold: -5/8 to 5/8, in an order of their own."""
    count = int(np.prod(shape))
    return (((np.arange(count) * 7 % 11) - 5) / 8).reshape(shape).tolist()


FIRES = {"threshold": 0.5, "decay": 0.5}
CHAIN = {
    "name": "chain", "timesteps": 4, "shape": [3],
    "layers": [{"weight": eighths(5, 3)}, FIRES, {"weight": eighths(2, 5)}],
}  # fmt: skip
PLANE = {
    "name": "plane", "timesteps": 3, "shape": [1, 4, 4],
    "layers": [
        {"weight": eighths(2, 1, 3, 3)}, FIRES, {"weight": eighths(2, 2, 3, 3)}, FIRES,
        {"weight": eighths(3, 32)},
    ],
}  # fmt: skip


def write_toys(folder: Path) -> None:
    """chain.toy and plane.toy, and events for each of them in chain.npz and plane.npz."""
    for record in (CHAIN, PLANE):
        (folder / f"{record['name']}.toy").write_text(json.dumps(record))
        shape = (6, record["timesteps"], *record["shape"])
        events = np.arange(np.prod(shape)).reshape(shape) * 5 % 7 < 3
        np.savez(folder / f"{record['name']}.npz", x=events.astype(np.float32))
