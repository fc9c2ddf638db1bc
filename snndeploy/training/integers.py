"""From a module's parameters, as they are now, to the chip's integers at scales that stay.

These are the steps of `pipeline.walk` between the trace and the layout, without calibration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snndeploy.errors import UnsupportedError
from snndeploy.graph import Graph
from snndeploy.lower.lower import lower
from snndeploy.network import Network
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.walk import with_host_nodes
from snndeploy.quantize.fixed import FixedScales
from snndeploy.quantize.quantize import quantize
from snndeploy.simulator.run import injections_of
from snndeploy.target import Target


@dataclass(frozen=True, eq=False)
class Integers:
    """The network that a program would hold, and the float graph beside it."""

    model: Graph
    network: Network

    def injected(self, x: np.ndarray) -> dict[int, np.ndarray]:
        """What the host sends for a batch, by index of the injection."""
        outputs = tuple(dict.fromkeys(i.encoder_output for i in self.network.injections))
        values = evaluate(self.model.select(outputs), x, outputs) if outputs else {}
        injected, _ = injections_of(self.network, self.model, values, len(x))
        return injected


def integers_of(graph: Callable[[], Graph], target: Target, scales: FixedScales) -> Integers:
    """graph: gives the traced graph with the parameters as they are."""
    parted = partition(infer_signals(graph()), integer_input_on_chip=target.graded_spikes)
    mode: Literal["compose", "relay"] = "relay" if scales.shortcuts == "relay" else "compose"
    real = lower(parted, mode, attention=True)  # to refuse it as what cannot be trained
    made = quantize(real, target, scales.calibration, chosen=scales.chosen)
    _require_one_reading(made.network)
    return Integers(with_host_nodes(parted, [real]), made.network)


def _require_one_reading(network: Network) -> None:
    """Refuse answers that `Run.answer` does not compute.

    Raises:
        UnsupportedError: several heads or readings, or work of the host behind them.
    """
    for readout in network.readouts:
        plain = not readout.steps and readout.weights is None and readout.finish is None
        if network.heads or not plain:
            raise UnsupportedError(
                f"{readout.population}: several heads or readings, or work of the host behind them,"
                " are not computed by fine-tuning on integers; return one mean or sum over time",
                node=readout.population,
                reason="readout",
            )
