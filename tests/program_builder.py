"""Small whole programs for tests of the program file: a random network and its surroundings."""

from __future__ import annotations

import numpy as np
from random_layouts import random_layout

from snndeploy.costs.layers import LayerCost
from snndeploy.frontend.door import ModelFacts
from snndeploy.graph import Axes, Graph, Node, Signal
from snndeploy.layout.layout import Layout
from snndeploy.lower.real_network import LoweringCost
from snndeploy.network import Network
from snndeploy.passes.audit import AuditRow, Flags
from snndeploy.program import Facts, Golden, Program
from snndeploy.quantize.quantize import LayerQuantization
from snndeploy.target import Target
from snndeploy.verdict.plan import Attended, ChipLayer, HostLayer, HostValue, Plan

FACTS = Facts(
    model=ModelFacts("random", "random", "random (seed 0)", 0, "", 4, (3,), "real"),
    audit=(AuditRow("conv", "conv", "body", "binary", "accumulate", 3, 1.0, False, "", ""),),
    flags=Flags(True, False, False, ("a reason",)),
    layers=(LayerCost("conv", 3, "layer", 4, ("input",), ("conv",)),),
    calibration_samples=0,
    quantization=(
        LayerQuantization("conv", 0.5, None, 0, 0.0, 8, (2, -1), 1.0, 0, 0.25, 9, 10, True),
    ),
    shortcuts=(LoweringCost("none", 3, 1.5, 0, None),),
    notes=("made by a test",),
    made_with={"snndeploy": "0"},
    plan=Plan(
        "none",
        "calibration's rates",
        (LoweringCost("none", 3, 1.5, 0, None),),
        (ChipLayer("conv", "binary", ("x",)),),
        (HostLayer("stem", 9, "encoder"),),
        (HostValue("x", "once"),),
        (Attended("gate", "host", 4, False),),
    ),
)


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
