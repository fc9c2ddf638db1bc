"""Builds the random networks of `random_networks.py`, one question at a time.

Depths and delays are consistent: delay = target.depth - source.depth - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from populations import altered, make_population

from snndeploy.connections import Connection, Conv, Dense, Shape
from snndeploy.network import (
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    Injection,
    Network,
    Population,
    Projection,
    Readout,
)

SMALLEST_WEIGHT, LARGEST_WEIGHT = -128, 127


@dataclass(frozen=True)
class Features:
    """What a random network may contain; a backend switches off what it cannot do."""

    injections: tuple[str, ...] = ("bias", "graded", "spikes")
    relays: bool = True
    graded_inputs: bool = True
    pools: bool = True
    dense: bool = True
    groups: bool = True
    dilation: bool = True
    delays: bool = True  # residual sources and slack in depths
    shared_connections: bool = True
    soft_reset: bool = True
    neuron_bias: bool = True  # one bias per neuron, not only per channel
    recurrent: bool = False
    current_decay: bool = False
    axonal_delays: bool = False
    programmed: bool = False  # neuron programs, in all their forms
    overflow: bool = False  # large exponents: wraps and saturations happen
    negative_exponents: bool = False
    weight_step: int = 1  # 2: even weights, as Loihi needs for mixed signs
    membrane_decays: tuple[int, ...] = (0, 1024, 2048, 3072, 4096, -1)  # -1: any
    payload_shifts: tuple[int, ...] = (0, 0, 1, 3)
    populations: int = 5  # at most, inputs and readout excluded
    timesteps: int = 8  # at most


class Chooser(Protocol):
    def integer(self, low: int, high: int) -> int: ...


@dataclass
class Builder:
    choose: Chooser
    rng: np.random.Generator
    features: Features
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)

    def chance(self, one_in: int) -> bool:
        return self.choose.integer(0, one_in - 1) == one_in - 1

    def pick(self, options: Sequence[Any]) -> Any:
        return options[self.choose.integer(0, len(options) - 1)]

    # --- connections ---

    def weights(self, *shape: int) -> np.ndarray:
        limit = self.pick((1, 20, 127))
        step = self.features.weight_step
        mantissas = self.rng.integers(max(-limit - 1, SMALLEST_WEIGHT), limit + 1, shape) // step
        mantissas[self.rng.random(shape) < 0.1] = 0
        return (mantissas * step).astype(np.int32)

    def conv(self, source: Shape) -> Conv:
        channels, height, width = source
        groups = channels if self.features.groups and self.chance(4) else 1
        dilation = 2 if self.features.dilation and self.chance(5) else 1
        kernel = [self.choose.integer(1, 3) for _ in range(2)]
        padding = [self.choose.integer(0, 2) for _ in range(2)]
        for axis, size in enumerate((height, width)):
            if size + 2 * padding[axis] < dilation * (kernel[axis] - 1) + 1:
                kernel[axis], padding[axis] = 1, 0
        return Conv(
            self.weights(groups * self.choose.integer(1, 4), channels // groups, *kernel),
            stride=(self.choose.integer(1, 2), self.choose.integer(1, 3)),
            padding=(padding[0], padding[1]),
            dilation=(dilation, dilation),
            groups=groups,
        )

    def dense(self, source: Shape) -> Dense:
        channels, height, width = source
        pool = self.pick(((1, 1), (min(2, height), min(2, width)), (height, width)))
        columns = (height // pool[0], width // pool[1])
        return Dense(self.weights(self.choose.integer(1, 6), channels, *columns), pool)

    def or_pool(self, source: Shape) -> Conv:
        channels, height, width = source
        kernel = (min(2, height), min(2, width))
        weight = np.ones((channels, 1, *kernel), dtype=np.int32) * self.features.weight_step
        return Conv(weight, stride=kernel, groups=channels)

    def reaching(self, source: Shape, target: Shape) -> Connection | None:
        """A new connection of exactly the target's shape, or None."""
        if self.features.dense and target[1:] == (1, 1) and self.chance(2):
            return Dense(self.weights(target[0], *source))
        for stride, kernel in ((1, 3), (1, 1), (2, 1), (2, 3)):
            weight = self.weights(target[0], source[0], kernel, kernel)
            conv = Conv(weight, (stride, stride), (kernel // 2, kernel // 2))
            if conv.output_shape(source) == target:
                return conv
        return None

    # --- populations ---

    def exponent(self) -> int:
        if self.features.overflow:
            return self.pick((4, 7, 9, 11))
        if self.features.negative_exponents and self.chance(3):
            return -self.choose.integer(1, 3)
        return self.pick((0, 0, 1, 3))

    def project(self, source: Population, target: str, connection: Connection) -> None:
        axonal = None
        if self.features.axonal_delays and self.chance(2):
            axonal = self.rng.integers(0, 4, source.neurons).astype(np.int64)
        self.projections.append(
            Projection(
                f"projection{len(self.projections)}", source.name, target, connection,
                self.exponent(), axonal_delay=axonal,
            )
        )  # fmt: skip

    def magnitude(self, name: str) -> float:
        """A guess of how large a is, to choose a threshold that some neurons pass."""
        total = 1.0
        for projection in self.projections:
            if projection.target == name:
                weight = projection.connection.weight.astype(np.float64)
                spread = np.sqrt(0.3 * (weight.reshape(weight.shape[0], -1) ** 2).sum(axis=1))
                total += float(spread.mean()) * 2.0**projection.exponent
        return total

    def neurons(self, name: str, shape: Shape, depth: int) -> Population:
        magnitude = self.magnitude(name)
        fires_at = int(magnitude * self.pick((0.05, 0.2, 0.5, 1.0)))
        if self.features.programmed and self.chance(2):
            return self.program(name, shape, depth, fires_at)
        decay = self.pick(self.features.membrane_decays)
        bias = None
        if self.chance(2):
            bias_shape = shape if self.features.neuron_bias and self.chance(2) else shape[:1]
            limit = min(int(magnitude) + 1, 4095)
            bias = self.rng.integers(-limit, limit + 1, bias_shape).astype(np.int32)
        soft = self.features.soft_reset and self.chance(4)
        current_decay = NO_CURRENT_MEMORY
        if self.features.current_decay and self.chance(2):
            current_decay = self.choose.integer(0, 4096)
        return make_population(
            name,
            shape,
            threshold=fires_at - self.choose.integer(0, 1),  # fires at > or >=
            membrane_decay=self.choose.integer(0, 4096) if decay < 0 else decay,
            current_decay=current_decay,
            bias=bias,
            bias_exponent=self.choose.integer(0, 7) if bias is not None else 0,
            reset="soft" if soft else "hard",
            reset_amount=max(fires_at, 1) if soft else 0,
            depth=depth,
        )

    def program(self, name: str, shape: Shape, depth: int, fires_at: int) -> Population:
        """A neuron program of any form; its registers are in units of v."""
        unit = max(fires_at, 1) << MEMBRANE_SHIFT
        bound = self.pick((None, None, 0, 0.4, 2))
        started = {"lower_bound": -int(bound * unit)} if bound is not None else {}
        return make_population(
            name,
            shape,
            "programmed",
            threshold=unit - self.choose.integer(0, 1),
            membrane_decay=self.pick((0, 100, 1024, 4096)),
            current_decay=self.pick((NO_CURRENT_MEMORY, NO_CURRENT_MEMORY, 1024, 3072)),
            reset=self.pick(("hard", "soft", "soft_after", "none")),
            reset_value=self.pick((0, -unit // 3, unit // 4)),
            amount=self.pick((unit, unit // 2 + 1)),
            initial=self.pick((0, unit // 2, -unit // 2, 2 * unit)),
            refractory=self.pick((0, 0, 1, 3)),
            refractory_input=self.pick(("integrated", "dropped")),
            most_spikes=self.pick((1, 1, 3, 1 << 15)),
            bias=self.rng.integers(-fires_at, fires_at + 1, shape[:1]) if self.chance(3) else None,
            bias_exponent=self.choose.integer(0, 4),
            depth=depth,
            **started,
        )

    def add_source(self) -> None:
        shape = tuple(self.choose.integer(low, high) for low, high in ((1, 4), (1, 7), (1, 7)))
        mode = self.pick(self.features.injections)
        if mode == "spikes":
            graded = self.features.graded_inputs and self.chance(4)
            bound = self.pick((3, 200, 40000)) if graded else 1
            self.populations.append(make_population("input", shape, "input", payload_bound=bound))
        else:
            stem = self.neurons("stem", shape, 0)
            in_units_of_v = stem.neuron.name == "programmed"
            self.populations.append(altered(stem, threshold=60 << MEMBRANE_SHIFT * in_units_of_v))
        self.inject(self.populations[-1], mode)

    def inject(self, target: Population, mode: str) -> None:
        exponent = self.choose.integer(0, 7) if mode == "bias" else self.exponent()
        minimum, maximum = -200, 200
        if mode == "spikes":
            minimum = 0 if target.neuron.payload_bound <= 200 else -target.neuron.payload_bound
            exponent, maximum = 0, target.neuron.payload_bound
        self.injections.append(
            Injection(target.name, f"output{len(self.injections)}", mode,
                      exponent=exponent, minimum=minimum, maximum=maximum)
        )  # fmt: skip

    def add_population(self, index: int) -> None:
        name = f"population{index}"
        last = self.populations[-1]
        source = self.pick(self.populations) if self.features.delays and self.chance(4) else last
        if self.features.pools and self.chance(6):
            connection: Connection = self.or_pool(source.shape)
        elif self.features.dense and self.chance(5):
            connection = self.dense(source.shape)
        else:
            connection = self.conv(source.shape)
        shape = connection.output_shape(source.shape)
        self.project(source, name, connection)
        if self.features.delays:
            self.merge_others(name, shape)
        sources = {p.source for p in self.projections if p.target == name}
        depth = 1 + max(p.depth for p in self.populations if p.name in sources)
        depth += int(self.features.delays and self.chance(6))
        if self.features.relays and not self.features.overflow and self.chance(6):
            payload_shift = self.pick(self.features.payload_shifts)
            population = make_population(
                name, shape, "relay", payload_shift=payload_shift, payload_bound=32767, depth=depth
            )
        else:
            population = self.neurons(name, shape, depth)
        if (
            isinstance(connection, Conv)
            and population.neuron.name == "lif"
            and not sources - {source.name}
        ):
            if connection.groups == source.shape[0] and (connection.weight > 0).all():
                population = altered(population, threshold=0, membrane_decay=4096)  # OR pool
        self.populations.append(population)
        host = [m for m in self.features.injections if m != "spikes"]
        if population.neuron.fires and host and self.chance(5):
            self.inject(population, self.pick(host))

    def merge_others(self, name: str, shape: Shape) -> None:
        """Residual sources, and connections shared with an earlier target of the same shape."""
        by_name = {p.name: p for p in self.populations}
        if self.features.shared_connections and self.chance(2):
            for projection in tuple(self.projections):
                source = by_name[projection.source]
                same = projection.connection.output_shape(source.shape) == shape
                if same and projection.target != name and self.chance(2):
                    self.project(source, name, projection.connection)
        if self.chance(2):
            source = self.pick(self.populations)
            connection = self.reaching(source.shape, shape)
            if connection is not None:
                self.project(source, name, connection)

    def add_loops(self) -> None:
        """Projections that go backward in the list of populations, or onto themselves."""
        body = [p for p in self.populations if p.neuron.fires]
        for _ in range(self.choose.integer(1, 2) if body else 0):
            source = self.pick(body)
            target = self.pick(body[: body.index(source) + 1])
            connection = self.reaching(source.shape, target.shape)
            if connection is not None:
                self.project(source, target.name, connection)
                loop = replace(self.projections[-1], delay=self.choose.integer(0, 2))
                self.projections[-1] = loop

    def add_readout(self) -> Readout:
        source = self.populations[-1]
        connection = Dense(self.weights(3, source.shape[0], 1, 1), source.shape[1:])
        if not self.features.dense:
            connection = Conv(self.weights(3, *source.shape))
        self.project(source, "readout", connection)
        population = self.neurons("readout", (3, 1, 1), source.depth + 1)
        kind = self.pick(("membrane", "count"))
        if kind == "membrane":
            population = altered(population, kind="integrator", threshold=0, reset="hard")
        self.populations.append(population)
        return Readout("readout", kind)

    def network(self) -> Network:
        self.add_source()
        for index in range(self.choose.integer(1, self.features.populations)):
            self.add_population(index)
        readout = self.add_readout()
        if self.features.recurrent:
            self.add_loops()
        depth = {p.name: p.depth for p in self.populations}
        aligned = [
            replace(p, delay=max(p.delay, depth[p.target] - depth[p.source] - 1))
            for p in self.projections
        ]
        return Network(
            self.choose.integer(1, self.features.timesteps),
            tuple(self.populations), tuple(aligned), tuple(self.injections), readout,
        )  # fmt: skip
