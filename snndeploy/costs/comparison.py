"""One network's figures by one convention, and two of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import Any

from snndeploy.costs.activity import Activity
from snndeploy.costs.attended import AttentionCost, attention_of
from snndeploy.costs.convention import Convention
from snndeploy.costs.energy import (
    PJ_TO_MJ,
    LayerEnergy,
    PaperEnergy,
    Saving,
    ann_energy_mj,
    delta_mac,
    layer_energies,
    nasar,
    paper_energy,
)
from snndeploy.costs.layers import (
    LayerCost,
    NeuronLayer,
    layer_costs,
    neuron_layers,
    synaptic_nodes,
)
from snndeploy.costs.pools import arriving, behind_pools
from snndeploy.errors import DataError, DeployError
from snndeploy.graph import Graph


@dataclass(frozen=True)
class NetworkCosts:
    """What a network computes, whoever says how active it is.

    input_events: the first layer reads events, so that the share of non-zero inputs (phi_0)
    matters; else it reads real values.  behind_pools: layers that read what a pool left.
    """

    name: str
    parameters: int
    timesteps: int
    layers: tuple[LayerCost, ...]
    neurons: tuple[NeuronLayer, ...]
    attention: tuple[AttentionCost, ...]
    input_events: bool
    behind_pools: tuple[str, ...] = ()

    @property
    def spiking(self) -> bool:
        """False for an ANN counterpart, all of whose operations are multiply-accumulates."""
        return bool(self.neurons)

    @property
    def neuron_count(self) -> int:
        return sum(layer.neurons for layer in self.neurons)

    @property
    def convolution_neurons(self) -> int:
        """Neurons behind convolutions alone, which some tables of the papers print (C13)."""
        return sum(layer.neurons for layer in self.neurons if layer.behind_convolution)


def network_costs(graph: Graph, name: str, parameters: int) -> NetworkCosts:
    """The costs of a partitioned graph."""
    attention = attention_of(graph)
    return NetworkCosts(
        name=name,
        parameters=parameters,
        timesteps=graph.timesteps,
        layers=layer_costs(graph, attention),
        neurons=neuron_layers(graph),
        attention=attention.costs,
        input_events=graph.input.attributes["signal"] != "real",
        behind_pools=behind_pools(graph, synaptic_nodes(graph, attention)),
    )


@dataclass(frozen=True)
class Costed:
    """A network priced by a convention at some activity (None: the upper bound, rate 1)."""

    network: NetworkCosts
    activity: Activity | None
    convention: Convention
    lines: tuple[LayerEnergy, ...]
    energy: PaperEnergy
    attention: tuple[AttentionCost, ...] = field(default=())

    @property
    def macs(self) -> float:
        """Multiply-accumulates of a sample, attention included."""
        return self._operations("mac") + self.delta_mac1 + self.delta_mac2

    @property
    def acs(self) -> float:
        """Accumulates of a sample."""
        return self._operations("ac")

    @property
    def delta_mac1(self) -> int:
        return sum(cost.macs(self.convention)[0] for cost in self.attention)

    @property
    def delta_mac2(self) -> int:
        return sum(cost.macs(self.convention)[1] for cost in self.attention)

    @property
    def ann_mj(self) -> float | None:
        """The counterpart without spikes, and without attention; None of an ANN itself."""
        if not self.network.spiking:
            return None
        return ann_energy_mj(self.network.layers, self.convention.mac_pj)

    @property
    def ann_ratio(self) -> float | None:
        """How many times the energy of the network its counterpart takes."""
        if self.ann_mj is None or not self.energy.total_mj:
            return None
        return self.ann_mj / self.energy.total_mj

    @cached_property
    def nasar(self) -> float | None:
        """Mean firing rate of all neurons; None where no rates are known."""
        return self._mean_rate(self.network.neurons)

    @cached_property
    def convolution_nasar(self) -> float | None:
        """The same over the neurons behind convolutions."""
        return self._mean_rate([n for n in self.network.neurons if n.behind_convolution])

    @property
    def arriving_behind_pools(self) -> tuple[float, ...] | None:
        """Events over FL * phi of the layers behind pools; None where nothing was measured."""
        if self.activity is None:
            return None
        network, seen = self.network, self.activity
        return arriving(network.layers, network.behind_pools, seen.rates, seen.events)

    @property
    def spikes(self) -> float | None:
        """Spikes of a sample."""
        if self.nasar is None:
            return None
        return self.nasar * self.network.neuron_count * self.network.timesteps

    def _operations(self, work: str) -> float:
        return sum(line.operations for line in self.lines if line.work == work)

    def _mean_rate(self, layers: Sequence[NeuronLayer]) -> float | None:
        if self.activity is None or not layers:
            return None
        return nasar({layer.name: layer.neurons for layer in layers}, self.activity.rates)

    def as_json(self) -> dict[str, Any]:
        """What was not computed is absent."""
        return {
            "model": self._model(),
            "activity": self._activity(),
            "convention": {**asdict(self.convention), "text": str(self.convention)},
            "layers": [asdict(line) for line in self.lines],
            "attention": [self._attended(cost) for cost in self.attention],
            "totals": _present(
                mac=self.macs,
                ac=self.acs,
                delta_mac1=self.delta_mac1,
                delta_mac2=self.delta_mac2,
                nasar=self.nasar,
                convolution_nasar=self.convolution_nasar,
                spikes=self.spikes,
                mac_mj=self.energy.mac_mj,
                ac_mj=self.energy.ac_mj,
                encoder_attention_mj=self.energy.encoder_attention_mj,
                total_mj=self.energy.total_mj,
                ann_mj=self.ann_mj,
                ann_ratio=self.ann_ratio,
            ),
        }

    def _model(self) -> dict[str, Any]:
        network = self.network
        return {
            "name": network.name,
            "parameters": network.parameters,
            "timesteps": network.timesteps,
            "neurons": network.neuron_count,
            "convolution_neurons": network.convolution_neurons,
            "behind_pools": [
                _present(layer=name, events_to_formula=ratio)
                for name, ratio in zip_longest(
                    network.behind_pools, self.arriving_behind_pools or ()
                )
            ],
        }

    def _activity(self) -> dict[str, Any]:
        if self.activity is None:
            return {"source": UPPER_BOUND, "upper_bound": self.network.spiking}
        seen = self.activity
        labels = {layer.name: layer.label for layer in self.network.neurons}
        return _present(
            source=seen.source,
            upper_bound=False,
            rates={labels[name]: rate for name, rate in seen.rates.items() if name in labels},
            input_rate=seen.input_rate,
            samples=seen.samples,
            accuracy=seen.accuracy,
        )

    def _attended(self, cost: AttentionCost) -> dict[str, Any]:
        mac1, mac2 = cost.macs(self.convention)
        return {
            "layer": cost.layer,
            "location": cost.location,
            "neurons": cost.neurons,
            "delta_mac1": mac1,
            "delta_mac2": mac2,
            "energy_mj": self.convention.mac_pj * (mac1 + mac2) * PJ_TO_MJ,
        }


UPPER_BOUND = "every neuron at every step: an upper bound"


def price(network: NetworkCosts, activity: Activity | None, convention: Convention) -> Costed:
    """The network's energy; without activity, that of a network that fires everywhere.

    Raises:
        DataError: the input holds events and nobody said how many.
        DeployError: the convention does not fit the network.
    """
    if not network.spiking:
        return _price_ann(network, activity, convention)
    _refuse_once(network, convention)
    rates = activity.rates if activity else {layer.name: 1.0 for layer in network.neurons}
    arguments = (network.layers, network.timesteps, rates, convention, _phi0(network, activity))
    events = activity.events if activity else None
    return Costed(
        network=network,
        activity=activity,
        convention=convention,
        lines=layer_energies(*arguments, events),
        energy=paper_energy(*arguments, events=events, attention=network.attention),
        attention=network.attention,
    )


def _phi0(network: NetworkCosts, activity: Activity | None) -> float:
    if activity is None:
        return 1.0
    if activity.input_rate is not None:
        return activity.input_rate
    if network.input_events:
        raise DataError(
            f"{network.name} reads events, and nobody said how many: give --input-rate, the share"
            " of its first layer's input that is not zero (the papers' phi_0)"
        )
    return 1.0


def _refuse_once(network: NetworkCosts, convention: Convention) -> None:
    if convention.first_layer == "once" and convention.encoder == "included":
        changing = [layer.name for layer in network.layers if layer.first and layer.repeats > 1]
        if changing:
            raise DeployError(
                f"{network.name}: the convention computes the first layer once, but the input of"
                f" {changing[0]} changes with the time step; use first-layer=every_step"
            )


def _price_ann(network: NetworkCosts, activity: Activity | None, convention: Convention) -> Costed:
    """Every layer and its attention once, all multiply-accumulates."""
    exact = convention.operations == "exact"
    lines = []
    for layer in network.layers:
        count = layer.events if exact and layer.events is not None else layer.flops
        energy = convention.mac_pj * count * PJ_TO_MJ
        lines.append(LayerEnergy(layer.name, "ann", layer.flops, None, count, "mac", energy))
    total = sum(line.energy_mj for line in lines)
    total += convention.mac_pj * delta_mac(network.attention, convention) * PJ_TO_MJ
    return Costed(
        network=network,
        activity=activity,
        convention=convention,
        lines=tuple(lines),
        energy=PaperEnergy(total, 0.0, 0.0, str(convention)),
        attention=network.attention,
    )


@dataclass(frozen=True)
class Comparison:
    """Network b against network a, the papers' "vanilla"."""

    a: Costed
    b: Costed

    @property
    def saving(self) -> Saving:
        """Delta_MAC and Delta_AC of a sample; Delta_E is the difference of the energies.

        At one price a MAC and one an AC that is the papers' E_MAC Delta_MAC - E_AC Delta_AC.
        """
        return Saving(
            base_mj=self.a.energy.total_mj,
            delta_mac=self.b.macs - self.a.macs,
            delta_ac=self.a.acs - self.b.acs,
            delta_mj=self.b.energy.total_mj - self.a.energy.total_mj,
        )

    def as_json(self) -> dict[str, Any]:
        saved = self.saving
        return {
            "schema": "snndeploy.comparison/1",
            "a": self.a.as_json(),
            "b": self.b.as_json(),
            "change": _present(
                delta_mac1=self.b.delta_mac1 - self.a.delta_mac1,
                delta_mac2=self.b.delta_mac2 - self.a.delta_mac2,
                delta_mac=saved.delta_mac,
                delta_ac=saved.delta_ac,
                delta_mj=saved.delta_mj,
                r_ee=saved.r_ee,
                r_rec=saved.r_rec,
            ),
        }


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
