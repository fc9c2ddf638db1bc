"""The definition: one chip step of a Network, written to be read, not to be fast.

Everything is int64 numpy (the connections' own `sums`, the neurons' own `step`) and follows
`snndeploy.network` line by line; every other engine, and every backend, must equal what this file
computes.  It imports no kernel and shares no arithmetic with the fast engines.

The chip is *pipelined*: in chip step t (from 1) a population sees only spikes that were sent in
earlier chip steps: one step for the synapse, plus the projection's delay, plus the axonal delay.
A population of depth d therefore works on its aligned step tau in chip step tau + d + 1.  Its
*window* is the chip steps d+1 .. d+T, and it is reset right before the first of them.

Outside its window a population is stepped like any other (what arrives is integrated, its own bias
included), but it sends nothing and nothing of it is recorded or counted: on the chip the previous
or the next sample owns it then.  Spikes sent inside the window that are still inside a delay do
arrive, whenever that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.attention import attend
from snndeploy.engines.boundary import (
    Injected,
    count_samples,
    describe_overflows,
    read_outputs,
    readings_of,
)
from snndeploy.network import Network, Population, Projection
from snndeploy.neurons import Stepped, no_overflows, shift


class ReferenceChip:
    """The pipelined chip, `samples` copies side by side.

    chip_step: the last step done, 0 before the first.
    state, sent: by population; (samples, C, H, W) int64, `state[name]["v"]` the membrane and "u"
        the current, `sent[name][t - 1]` in chip step t.
    held: what arrived for attention over the full window, step by step.
    overflows: by population, events inside its windows.
    """

    def __init__(self, network: Network, samples: int = 1) -> None:
        self.network = network
        self.samples = samples
        self.chip_step = 0
        self.state = {
            p.name: {key: self._start(p, key) for key in ("u", *p.neuron.state)}
            for p in network.populations
        }
        self.held: dict[str, list[np.ndarray]] = {p.name: [] for p in network.populations}
        self.sent: dict[str, list[np.ndarray]] = {p.name: [] for p in network.populations}
        self.overflows = {p.name: no_overflows() for p in network.populations}

    def _silence(self, population: Population) -> np.ndarray:
        return np.zeros((self.samples, *population.shape), dtype=np.int64)

    def _start(self, population: Population, key: str) -> np.ndarray:
        return self._silence(population) + population.neuron.starts.get(key, 0)

    def aligned_step(self, population: Population) -> int | None:
        """tau of the chip step at hand, None outside the population's window."""
        tau = self.chip_step - population.depth - 1
        return tau if 0 <= tau < self.network.timesteps else None

    def step(self, values: Mapping[int, np.ndarray]) -> None:
        """One chip step.

        values: by index into network.injections, what the host sends for this chip step,
        (samples, C, H, W) integers: bias mantissas, graded values, or payloads of an input.
        """
        self.chip_step += 1
        stepped = {p.name: self._step_population(p, values) for p in self.network.populations}
        for population in self.network.populations:
            new, overflows = stepped[population.name]
            self.state[population.name] = dict(new.state)
            inside = self.aligned_step(population) is not None
            self.sent[population.name].append(new.payload if inside else self._silence(population))
            if inside or self._arrives(population) is not None:
                self.overflows[population.name] += overflows

    def _step_population(
        self, population: Population, values: Mapping[int, np.ndarray]
    ) -> tuple[Stepped, np.ndarray]:
        """What it does, and its overflows."""
        neuron, state, overflows = population.neuron, self._state(population), no_overflows()
        a, bias = self._silence(population), self._silence(population) + population.own_bias
        for index, injection in enumerate(self.network.injections):
            if injection.target != population.name or index not in values:
                continue
            value = values[index].astype(np.int64)
            if injection.mode == "bias":
                bias += shift(value, injection.exponent)
            else:
                a += value if injection.mode == "spikes" else shift(value, injection.exponent)
        for projection in self.network.incoming(population.name):
            total = projection.connection.sums(self._arriving(projection))
            a += shift(total, projection.exponent)
        if population.attention:
            return self._step_attended(population, state, a, bias, overflows), overflows
        return neuron.step(state, a, bias, population.input_maximum, overflows), overflows

    def _state(self, population: Population) -> dict[str, np.ndarray]:
        """The state that a step starts with: reset right before the sample's first."""
        state = dict(self.state[population.name])
        if self._arrives(population) == 0:
            state["u"] = self._silence(population)
        if self.aligned_step(population) == 0:
            state |= {key: self._start(population, key) for key in population.neuron.state}
        return state

    def _step_attended(
        self,
        population: Population,
        state: dict[str, np.ndarray],
        a: np.ndarray,
        bias: np.ndarray,
        overflows: np.ndarray,
    ) -> Stepped:
        """Refine the current, at once or when all T steps have arrived, then integrate it."""
        neuron, limit = population.neuron, population.input_maximum
        before, inside = (population.attention_at(place) for place in ("current", "membrane"))
        state["u"], w = neuron.arriving(state["u"], a, bias, limit, overflows)
        arrives = self._arrives(population)
        if before is not None and not before.full_window:
            w = attend(population, before, w[:, None], overflows)[:, 0]
        elif before is not None:
            held = self.held[population.name]
            if arrives is not None:
                held.append(w)
            else:
                overflows[:] = 0  # what no step of the sample brought
            tau = self.aligned_step(population)
            if tau is None:
                return Stepped(state, self._silence(population), w)
            if tau == 0:
                refined = attend(population, before, np.stack(held, axis=1), overflows)
                held[:] = list(np.moveaxis(refined, 1, 0))
            w = held[tau]

        def refine(v: np.ndarray) -> np.ndarray:
            assert inside is not None
            return attend(population, inside, v[:, None], overflows)[:, 0]

        return neuron.take_in(state, w, overflows, refine if inside else None)

    def _arrives(self, population: Population) -> int | None:
        """tau of the inputs that arrive in this chip step; not the one computed behind a window."""
        tau = self.chip_step - population.arrival - 1
        return tau if 0 <= tau < self.network.timesteps else None

    def _arriving(self, projection: Projection) -> np.ndarray:
        """Payloads (samples, C, H, W) that this chip step sees of the projection's source."""
        source = self.network.by_name[projection.source]
        extra = np.zeros(source.shape, dtype=np.int64)
        if projection.axonal_delay is not None:
            extra += np.asarray(projection.axonal_delay).reshape(source.shape)
        sent_in = self.chip_step - 1 - projection.delay - extra  # chip step, per source neuron
        arriving = self._silence(source)
        for chip_step in np.unique(sent_in[sent_in >= 1]).tolist():
            if chip_step < self.chip_step:  # a negative delay would read the future
                now = self.sent[source.name][chip_step - 1]
                arriving = np.where(sent_in == chip_step, now, arriving)
        return arriving


def host_values(network: Network, injected: Injected, chip_step: int) -> dict[int, np.ndarray]:
    """What the host sends for one chip step: each injection inside its population's window."""
    values = {}
    for index, injection in enumerate(network.injections):
        tau = chip_step - network.by_name[injection.target].arrival - 1
        if 0 <= tau < network.timesteps:
            given = injected[index]
            values[index] = given if injection.mode == "bias" else given[:, tau]
    return values


def run_reference(
    network: Network,
    injected: Injected,
    record: Iterable[str] | None = None,
    samples: int = 1,
) -> Activity:
    """Run `network.chip_steps` chip steps; everything in the result is aligned to tau.

    record: populations whose spikes and membranes (of neurons that have one) are kept (None: all).
    samples: only for a network without injections.
    """
    samples = count_samples(network, injected, samples)
    chip = ReferenceChip(network, samples)
    spikes = {
        p.name: np.zeros((samples, network.timesteps, *p.shape), dtype=np.int64)
        for p in network.populations
    }
    stateful = [p.name for p in network.populations if p.neuron.has_membrane]
    membranes = {name: np.zeros_like(spikes[name]) for name in stateful}
    for chip_step in range(1, network.chip_steps + 1):
        chip.step(host_values(network, injected, chip_step))
        for population in network.populations:
            tau = chip.aligned_step(population)
            if tau is not None:
                spikes[population.name][:, tau] = chip.sent[population.name][-1]
                if population.neuron.has_membrane:
                    membranes[population.name][:, tau] = chip.state[population.name]["v"]
    return _activity(network, chip, spikes, membranes, record)


def _activity(
    network: Network,
    chip: ReferenceChip,
    spikes: dict[str, np.ndarray],
    membranes: dict[str, np.ndarray],
    record: Iterable[str] | None,
) -> Activity:
    kept = set(network.by_name) if record is None else set(record)
    wide = {p.name for p in network.populations if p.neuron.sends_integers}
    return Activity(
        outputs=read_outputs(
            network,
            chip.samples,
            lambda head: readings_of(
                network, head, membranes.get(head.population), spikes[head.population]
            ),
        ),
        spike_counts={
            name: np.count_nonzero(sent, axis=(2, 3, 4)).astype(np.int64)
            for name, sent in spikes.items()
        },
        spikes={
            name: sent.astype(np.int32 if name in wide else np.uint8)
            for name, sent in spikes.items()
            if name in kept
        },
        membranes={name: v.astype(np.int32) for name, v in membranes.items() if name in kept},
        overflows=chip.overflows,
        warnings=describe_overflows(network, chip.overflows),
    )
