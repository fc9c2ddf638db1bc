"""What calibration data says about a model: inputs of neurons, encoder values, firing rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from snndeploy.graph import Graph
from snndeploy.ops.evaluate import by_step, evaluate


@dataclass(frozen=True, eq=False)
class Calibration:
    """Recorded on the float model, per graph node, (samples, steps, *step shape).

    values: spikes of neurons (uint8), currents and encoder values (float32).
    """

    samples: int
    values: Mapping[str, np.ndarray]

    def rate(self, node: str) -> float:
        return float(np.mean(self.values[node] != 0))

    def rates(self) -> dict[str, float]:
        return {name: self.rate(name) for name in self.values}


def calibrate(graph: Graph, x: np.ndarray, nodes: Iterable[str]) -> Calibration:
    """Run the float model on `x` and keep what `nodes` compute."""
    wanted = list(dict.fromkeys(nodes))
    tensors = evaluate(graph, x, wanted)
    kept: dict[str, np.ndarray] = {}
    for name in wanted:
        node = graph.by_name[name]
        value = by_step(node, tensors.pop(name), len(x))
        binary = node.signal is not None and node.signal.kind == "binary"
        kept[name] = value.astype(np.uint8 if binary else np.float32)
    return Calibration(len(x), kept)
