"""What attention costs a chip: multiplications, additions, and what a full window must hold.

Multiply-accumulates are those of its convolutions and linear layers, and one a product (of masks
too), quotient or static scale; additions are those of means, sums and adds.  Comparisons, table
look-ups (sigmoid), rankings and a mean's one division are not counted: the papers have no price for
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from snndeploy.graph import Graph, Node
from snndeploy.layout.layout import Layout
from snndeploy.network import Attention, Network, Population
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import node_inputs

BUFFER_BYTES = 3  # a 24-bit current


@dataclass(frozen=True)
class Work:
    """Of one run of an attention graph: one step, or one sample if it needs the full window."""

    macs: int
    additions: int


def work_of(graph: Graph) -> Work:
    """Operations of one run of the graph."""
    macs = sum(_macs(graph, node) for node in graph.nodes)
    return Work(macs, sum(_additions(graph, node) for node in graph.nodes))


def buffer_bytes(population: Population) -> int:
    """What the population holds while a full window fills."""
    steps = population.depth - population.arrival
    return steps * population.neurons * BUFFER_BYTES


def runs(attention: Attention, timesteps: int) -> int:
    """How often a sample runs the graph."""
    return 1 if attention.full_window else timesteps


def on_chip(network: Network, layout: Layout) -> dict[str, np.ndarray]:
    """MACs and additions of attention on the chip, int64 (cores, chip steps), of any sample.

    Each core does the share of its neurons; a full window is worked off in its first step.
    """
    shape = (layout.cores, network.chip_steps)
    found = {name: np.zeros(shape, dtype=np.int64) for name in ("macs", "additions")}
    for population in network.populations:
        for attention in population.attention:
            if attention.unit != "chip":
                continue
            neurons = np.zeros(layout.cores, dtype=np.int64)
            for tile in layout.tiles_of(population.name):
                neurons[tile.core] += tile.neurons
            before = np.cumsum(neurons)
            steps = slice(population.depth, population.depth + runs(attention, network.timesteps))
            work = work_of(attention.graph)
            for name, amount in (("macs", work.macs), ("additions", work.additions)):
                each = np.diff(before * amount // population.neurons, prepend=0)
                found[name][:, steps] += each[:, None]
    return found


def _macs(graph: Graph, node: Node) -> int:
    if node.op in ("multiply", "divide", "norm"):
        return prod(node.shape)
    if node.op == "scale" and node.attributes["factor"] not in (1.0, -1.0):
        return prod(node.shape)
    if node.op not in ("conv", "linear"):
        return 0
    steps = graph.timesteps if node.has_time else 1
    return KINDS[node.op].macs(node, node_inputs(graph, node)) * steps


def _additions(graph: Graph, node: Node) -> int:
    if node.op in ("mean", "sum", "avg_pool"):
        return prod(node_inputs(graph, node)[0].shape)
    return prod(node.shape) if node.op in ("add", "subtract") else 0
