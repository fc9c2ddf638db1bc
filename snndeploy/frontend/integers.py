"""What doors of integer networks share: the facts, and the graph that only hands the input on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from snndeploy.frontend.door import ModelFacts, OpenedNetwork
from snndeploy.graph import Axes, Graph, Node
from snndeploy.network import Network


def opened_network(network: Network, spec: str) -> OpenedNetwork:
    """A network of integers that one file holds, with its facts."""
    path = Path(spec)
    entry = input_graph(network, path.stem).input
    facts = ModelFacts(
        name=path.stem,
        spec=path.name,
        weights=path.name,
        parameters=sum(p.connection.weight.size for p in network.projections),
        parameters_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        timesteps=network.timesteps,
        input_shape=entry.shape[1:],
        input_signal=entry.attributes["signal"],
    )
    return OpenedNetwork(facts, network)


def input_graph(network: Network, name: str) -> Graph:
    """A graph that only passes the input on to the network's injection.

    Its samples have one array each: (channels, height, width) where the input neurons are driven
    by a bias, (timesteps, channels, height, width) where the host sends spikes.
    """
    (injection,) = network.injections
    shape = network.by_name[injection.target].shape
    time: Axes = () if injection.mode == "bias" else ((("time", network.timesteps),),)
    axes: Axes = ((("batch", 1),), *time, *((("feature", size),) for size in shape))
    signal = "real" if injection.mode == "bias" else "integer"
    node = Node(injection.encoder_output, "input", attributes={"signal": signal}, axes=axes)
    return Graph((node,), (node.name,), network.timesteps, name)
