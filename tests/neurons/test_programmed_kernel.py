"""The compiled loop of a neuron program against its plain step, on random registers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pytest

from snndeploy.neurons import Programmed, no_overflows
from snndeploy.neurons.kernel import Kernel, PlainKernel, Result, Run, Wanted

SAMPLES, STEPS, NEURONS = 2, 20, 50


@dataclass
class Arrived:
    a: np.ndarray

    @property
    def shape(self) -> Any:
        return self.a.shape

    def total(self) -> np.ndarray:
        return self.a


def drawn(rng: np.random.Generator) -> Programmed:
    """Registers that matter for currents of some hundreds, now and then any that they hold."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Programmed):
        if isinstance(field.default, Enum):
            members = list(type(field.default))
            values[field.name] = members[int(rng.integers(len(members)))]
            continue
        low, high = field.metadata["bounds"]
        if rng.random() < 0.8:
            low, high = max(low, -5000), min(high, 9000)
        values[field.name] = int(rng.integers(low, high + 1))
    for key, plain in (("most_spikes", 1), ("refractory", 0)):
        values[key] = plain if rng.random() < 0.5 else values[key]
    return Programmed(**values)


@pytest.mark.parametrize("seed", range(60))
def test_equal_on_random_registers(seed: int):
    rng = np.random.default_rng(seed)
    neuron = drawn(rng)
    a = rng.integers(-200, 300, (SAMPLES, STEPS, NEURONS)) * (700 if seed % 5 == 0 else 1)
    kind = (np.int32, np.int64)[seed % 2]
    bias = (rng.integers(-3, 4, (1, NEURONS)) * int(rng.integers(0, 1000))).astype(np.int32)

    def ran(kernel: Kernel) -> tuple[Result, dict[str, np.ndarray], np.ndarray]:
        state, overflows = kernel.start(SAMPLES, NEURONS), no_overflows()
        run = Run("here", 32767, bias, state, overflows)
        return kernel.advance(run, Arrived(a.astype(kind)), Wanted(True, True)), state, overflows

    (plain, held, events), (fast, kept, counted) = map(
        ran, (PlainKernel(neuron), neuron.kernel(""))
    )
    assert plain.payload.dtype == fast.payload.dtype
    for key in ("payload", "counts", "updated", "membranes"):
        assert np.array_equal(getattr(plain, key), getattr(fast, key)), (key, neuron)
    assert all(np.array_equal(held[key], kept[key]) for key in ("u", "v", "waiting"))
    assert np.array_equal(events, counted)
