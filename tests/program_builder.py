"""Small whole programs for tests of the program file: a random network and its surroundings."""

from __future__ import annotations

import numpy as np
from random_layouts import random_layout

from snndeploy.graph import Axes, Graph, Node, Signal
from snndeploy.layout.layout import Layout
from snndeploy.network import Network
from snndeploy.program import Golden, Program
from snndeploy.target import Target

FACTS = {
    "model": {"name": "random", "weights": "random (seed 0)", "parameters": 0},
    "audit": [{"layer": "conv", "operations": 3}],
    "flags": {"synapses_binary": True, "reasons": []},
    "layers": [],
    "quantization": [],
    "shortcuts": [],
    "made_with": {"snndeploy": "0"},
    "notes": ["made by a test"],
}


def program_of(network: Network, injected: dict[int, np.ndarray], seed: int = 0) -> Program:
    """A program around a network; its model only has the nodes that the injections name."""
    random = np.random.default_rng(seed)
    samples = max((len(values) for values in injected.values()), default=1)
    plain = random_layout(network, random)
    layout = Layout(
        plain.tiles,
        plain.positions,
        plain.mesh,
        plain.board,
        {"neurons": np.arange(plain.cores, dtype=np.int64)},
        {"neurons": 8192},
        "neurons: a test",
        ("a note",),
    )
    golden = Golden(
        x=random.normal(size=(samples, 3)).astype(np.float32),
        injected=injected,
        spikes={p.name: np.packbits(random.random(17) < 0.5) for p in network.populations},
        outputs=random.integers(-9, 9, (samples, 4)),
    )
    model = _model(network)
    return Program("random", model, network, layout, Target.load("loihi2"), golden, FACTS)


def _model(network: Network) -> Graph:
    signal = Signal("real")
    axes: Axes = ((("batch", 1),), (("feature", 3),))
    nodes = [Node("input", "input", attributes={"signal": "real"}, axes=axes, signal=signal)]
    for name in dict.fromkeys(injection.encoder_output for injection in network.injections):
        attributes = {"factor": 0.5, "offset": 0.0}
        parameters = {"weight": np.float32([[1.5, -0.0]]), "zero": np.array(2.0)}
        nodes.append(
            Node(name, "scale", ("input",), attributes, parameters, axes, "net", signal, "encoder")
        )
    return Graph(tuple(nodes), (nodes[-1].name,), network.timesteps, "random")
