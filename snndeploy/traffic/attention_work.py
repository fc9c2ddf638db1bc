"""What attention costs a chip: multiplications, additions, and what a full window must hold.

Multiply-accumulates are those of its convolutions and linear layers, and one a product (of masks
too), quotient or static scale; additions are those of means, sums and adds.  Comparisons, table
look-ups (sigmoid), rankings and a mean's one division are not counted: the papers have no price for
them.
"""

from __future__ import annotations

import numpy as np

from snndeploy.graph import Graph
from snndeploy.layout.layout import Layout
from snndeploy.network import Attention, Network, Population
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.ops.kind import Work

BUFFER_BYTES = 3  # a 24-bit current


def work_of(graph: Graph) -> Work:
    """Operations of one run of the graph: one step, or one sample if it needs the full window."""
    parts = [kind_of(n).cost.work(n, node_inputs(graph, n), graph.timesteps) for n in graph.nodes]
    return Work(sum(part.macs for part in parts), sum(part.additions for part in parts))


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
