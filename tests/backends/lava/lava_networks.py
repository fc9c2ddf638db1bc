"""Small networks by hand, one for each thing that a bundle must say to Lava."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.network import Injection, Network, Population, Projection, Readout

Case = tuple[Network, dict[int, np.ndarray]]
CASES: dict[str, Callable[[], Case]] = {}
T, SAMPLES = 6, 3


def case(make: Callable[[], Case]) -> Callable[[], Case]:
    CASES[make.__name__] = make
    return make


def weights(seed: int, *shape: int, low: int = -60, high: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, shape, endpoint=True).astype(np.int32)


def spikes(seed: int, *shape: int, rate: float = 0.4, samples: int = SAMPLES) -> np.ndarray:
    return (np.random.default_rng(seed).random((samples, *shape)) < rate).astype(np.int32)


def lif(name: str, shape: tuple[int, int, int], depth: int, **more) -> Population:
    return make_population(
        name, shape, **{"threshold": 60, "membrane_decay": 1024, **more}, depth=depth
    )


def program(name: str, shape: tuple[int, int, int], depth: int, **registers) -> Population:
    """A neuron program; its registers are in units of v, and it fires at 60 units of a."""
    values = {"threshold": (60 << 6) - 1, "amount": 60 << 6, "membrane_decay": 1024, **registers}
    return make_population(name, shape, "programmed", **values, depth=depth)


def link(source: Population, target: Population, connection, exponent=0, **more) -> Projection:
    delay = more.pop("delay", max(target.depth - source.depth - 1, 0))
    name = f"{source.name}.{target.name}"
    return Projection(name, source.name, target.name, connection, exponent, delay, **more)


def fed(populations, projections, *, timesteps=T, readout=None, extra=()) -> Network:
    injections = (Injection("input", "pixels", "spikes"), *extra)
    return Network(timesteps, tuple(populations), tuple(projections), injections, readout)


INPUT = make_population("input", (2, 6, 5), "input")
SAME = {"padding": (1, 1)}


@case
def two_convolutions() -> Case:
    first, second = lif("first", (4, 6, 5), 1), lif("second", (3, 3, 2), 2, membrane_decay=2048)
    projections = [
        link(INPUT, first, Conv(weights(1, 4, 2, 3, 3), **SAME)),
        link(first, second, Conv(weights(2, 3, 4, 3, 2), (2, 3), (1, 1)), 1),
    ]
    network = fed([INPUT, first, second], projections, readout=Readout("second", "count"))
    return network, {0: spikes(3, T, 2, 6, 5)}


@case
def residual_block() -> Case:
    """Shortcuts of one and two extra steps: a copy behind plain, and behind delayed synapses."""
    body = [lif(f"body{depth}", (3, 6, 5), depth) for depth in (1, 2, 3)]
    projections = [
        link(INPUT, body[0], Conv(weights(1, 3, 2, 3, 3), **SAME)),
        link(body[0], body[1], Conv(weights(2, 3, 3, 3, 3), **SAME)),
        link(body[1], body[2], Conv(weights(3, 3, 3, 3, 3), **SAME)),
        link(body[0], body[2], Conv(weights(4, 3, 3, 1, 1))),
        link(INPUT, body[2], Conv(weights(5, 3, 2, 1, 1)), 1),
    ]
    return fed([INPUT, *body], projections), {0: spikes(6, T, 2, 6, 5)}


@case
def biases_everywhere() -> Case:
    """Every population fires of itself, so one that is not reset in time differs."""
    rng = np.random.default_rng(1)
    stem = lif("stem", (2, 4, 4), 0, bias=np.array([900, -50]), bias_exponent=1)
    channel = lif("channel", (3, 4, 4), 1, bias=np.array([700, 1500, -300]), bias_exponent=1)
    each = lif("each", (3, 4, 4), 2, bias=rng.integers(0, 4000, (3, 4, 4)), membrane_decay=0)
    last = lif("last", (2, 2, 2), 3, bias=np.array([40, 90]), bias_exponent=5, threshold=150)
    readout = make_population("readout", (4, 1, 1), "integrator", bias=np.arange(4), depth=4)
    projections = [
        link(stem, channel, Conv(weights(2, 3, 2, 3, 3), **SAME)),
        link(channel, each, Conv(weights(3, 3, 3, 3, 3), **SAME)),
        link(each, last, Conv(weights(4, 2, 3, 2, 2), (2, 2))),
        link(last, readout, Dense(weights(5, 4, 2, 2, 2))),
    ]
    injections = (
        Injection("stem", "image", "bias", exponent=3),
        Injection("last", "shortcut", "bias", exponent=6),
    )
    network = Network(
        T,
        (stem, channel, each, last, readout),
        tuple(projections),
        injections,
        Readout("readout", "membrane"),
    )
    host = {
        0: rng.integers(-200, 900, (SAMPLES, 2, 4, 4)),
        1: rng.integers(-9, 60, (SAMPLES, 2, 2, 2)),
    }
    return network, host


@case
def or_pool() -> Case:
    pool = lif("pool", (2, 3, 2), 1, threshold=0, membrane_decay=4096)
    after = lif("after", (5, 1, 1), 2)
    ones = np.ones((2, 1, 2, 2), dtype=np.int32)
    projections = [
        link(INPUT, pool, Conv(ones, (2, 2), groups=2)),
        link(pool, after, Dense(weights(1, 5, 2, 3, 2))),
    ]
    return fed([INPUT, pool, after], projections), {0: spikes(2, T, 2, 6, 5, rate=0.2)}


@case
def grouped_and_dilated() -> Case:
    wide = lif("wide", (6, 6, 5), 1)
    grouped = lif("grouped", (4, 4, 3), 2, threshold=30)
    dilated = lif("dilated", (3, 2, 1), 3, threshold=30)
    projections = [
        link(INPUT, wide, Conv(weights(1, 6, 1, 3, 3), **SAME, groups=2)),
        link(wide, grouped, Conv(weights(2, 4, 3, 3, 3), groups=2)),
        link(grouped, dilated, Conv(weights(3, 3, 4, 2, 2), dilation=(2, 2))),
    ]
    return fed([INPUT, wide, grouped, dilated], projections), {0: spikes(4, T, 2, 6, 5)}


@case
def graded_injection() -> Case:
    """Into the first and into a later population, with signs, beside synapses."""
    stem, later = lif("stem", (2, 3, 3), 0), lif("later", (3, 3, 3), 1)
    connection = Conv(weights(1, 3, 2, 3, 3), **SAME)
    injections = (
        Injection("stem", "frames", "graded", exponent=2),
        Injection("later", "shortcut", "graded"),
    )
    network = Network(T, (stem, later), (link(stem, later, connection),), injections)
    rng = np.random.default_rng(2)
    return network, {
        0: rng.integers(-40, 60, (SAMPLES, T, 2, 3, 3)),
        1: rng.integers(-300, 300, (SAMPLES, T, 3, 3, 3)),
    }


@case
def relays() -> Case:
    """A graded stream, forwarded plain and shifted, its delayed copy, and a graded input."""
    source = make_population("input", (2, 4, 4), "input", payload_bound=200)
    stream = make_population("stream", (3, 4, 4), "relay", payload_bound=100_000, depth=1)
    shifted = make_population(
        "shifted", (3, 4, 4), "relay", payload_shift=5, payload_bound=30_000, depth=2
    )
    fires = lif("fires", (2, 4, 4), 3, threshold=3000)
    late = lif("late", (4, 1, 1), 4, threshold=500, membrane_decay=0)
    projections = [
        link(source, stream, Conv(weights(1, 3, 2, 1, 1, low=-6, high=7))),
        link(stream, shifted, Conv(weights(2, 3, 3, 3, 3, low=-5, high=4), **SAME)),
        link(shifted, fires, Conv(weights(3, 2, 3, 1, 1, low=-8, high=9))),
        link(stream, fires, Conv(weights(4, 2, 3, 1, 1, low=-3, high=4))),
        link(source, fires, Conv(weights(5, 2, 2, 1, 1))),
        link(fires, late, Dense(weights(6, 4, 2, 4, 4))),
        link(stream, late, Dense(weights(7, 4, 3, 2, 2, low=-2, high=2), (2, 2))),
    ]
    network = fed([source, stream, shifted, fires, late], projections)
    values = np.random.default_rng(8).integers(-200, 200, (SAMPLES, T, 2, 4, 4))
    return network, {0: values * spikes(9, T, 2, 4, 4)}


@case
def pooled_integrator() -> Case:
    """A readout from the end and from the middle: pooled dense, its remainder unused, delayed."""
    first, second = lif("first", (3, 6, 5), 1), lif("second", (4, 5, 5), 2)
    readout = make_population("readout", (3, 1, 1), "integrator", membrane_decay=409, depth=3)
    projections = [
        link(INPUT, first, Conv(weights(1, 3, 2, 3, 3), **SAME)),
        link(first, second, Conv(weights(2, 4, 3, 2, 1))),
        link(second, readout, Dense(weights(3, 3, 4, 2, 2), (2, 2)), 1),
        link(first, readout, Dense(weights(4, 3, 3, 1, 1, low=1, high=255), (6, 5)), 1),
    ]
    network = fed(
        [INPUT, first, second, readout], projections, readout=Readout("readout", "membrane")
    )
    return network, {0: spikes(5, T, 2, 6, 5)}


@case
def heads_at_several_steps() -> Case:
    """Membranes and spikes of some steps, a count, and a leaky membrane at its end."""
    network, injected = pooled_integrator()
    heads = (
        Readout("readout", "membrane", steps=(0, 2, T - 1), weights=np.ones((1, 3))),
        Readout("second", "spikes", steps=(1, 2), weights=np.ones((1, 2))),
        Readout("first", "count"),
    )
    return replace(network, heads=heads), injected


@case
def currents_with_memory() -> Case:
    kept = lif("kept", (3, 1, 1), 1, current_decay=0, membrane_decay=4096, threshold=900)
    slow = lif("slow", (4, 1, 1), 2, current_decay=1024, bias=np.array([500, -3, 7, 0]))
    fast = lif("fast", (4, 1, 1), 3, current_decay=4095)
    projections = [
        link(INPUT, kept, Dense(weights(1, 3, 2, 6, 5))),
        link(kept, slow, Dense(weights(2, 4, 3, 1, 1))),
        link(slow, fast, Dense(weights(3, 4, 4, 1, 1, low=0))),
    ]
    return fed([INPUT, kept, slow, fast], projections), {0: spikes(4, T, 2, 6, 5, rate=0.2)}


@case
def recurrent_with_axonal_delays() -> Case:
    """Reads the past: one sample a run, biases only from a population's first step."""
    rng = np.random.default_rng(1)
    hidden = lif("hidden", (6, 1, 1), 1, bias=np.full(6, 900), bias_exponent=1)
    after = lif("after", (5, 1, 1), 2, bias=np.full(5, 700), bias_exponent=1)
    projections = [
        link(INPUT, hidden, Dense(weights(2, 6, 2, 6, 5)), axonal_delay=rng.integers(0, 4, 60)),
        link(hidden, hidden, Dense(weights(3, 6, 6, 1, 1)), delay=1),
        link(hidden, after, Dense(weights(4, 5, 6, 1, 1)), axonal_delay=rng.integers(0, 3, 6)),
        link(after, hidden, Dense(weights(5, 6, 5, 1, 1))),
    ]
    network = fed([INPUT, hidden, after], projections, timesteps=9)
    return network, {0: spikes(6, 9, 2, 6, 5, rate=0.1, samples=2)}


@case
def neuron_programs() -> Case:
    """Every form of a program, with biases and values of the host, graded payloads and a copy."""
    charged = program(
        "charged", (3, 6, 5), 1, amount=1, reset_value=-640, lower_bound=-1920, initial=2560
    )
    after = program(
        "after", (3, 6, 5), 2, reset="soft_after", current_decay=2048, lower_bound=-3000,
        bias=np.array([900, -50, 0]), bias_exponent=1,
    )  # fmt: skip
    several = program(
        "several", (2, 6, 5), 2, reset="soft", most_spikes=5, threshold=14_000, amount=9000
    )
    waits = program("waits", (3, 6, 5), 3, reset="none", membrane_decay=3000, refractory=2)
    drops = program(
        "drops", (4, 1, 1), 4, refractory=1, refractory_input="dropped", initial=-500,
        reset_value=200, membrane_decay=0,
    )  # fmt: skip
    readout = make_population("readout", (3, 1, 1), "integrator", depth=5)
    projections = [
        link(INPUT, charged, Conv(weights(1, 3, 2, 3, 3), **SAME)),
        link(charged, after, Conv(weights(2, 3, 3, 1, 1))),
        link(charged, several, Conv(weights(3, 2, 3, 3, 3, low=-40, high=127), **SAME)),
        link(after, waits, Conv(weights(4, 3, 3, 3, 3), **SAME)),
        link(several, waits, Conv(weights(5, 3, 2, 3, 3, low=-40, high=50), **SAME)),
        link(waits, drops, Dense(weights(6, 4, 3, 6, 5))),
        link(several, drops, Dense(weights(7, 4, 2, 3, 2), (2, 2))),
        link(INPUT, drops, Dense(weights(8, 4, 2, 6, 5))),
        link(drops, readout, Dense(weights(9, 3, 4, 1, 1))),
        link(several, readout, Dense(weights(10, 3, 2, 6, 5))),
    ]
    extra = (
        Injection("after", "image", "bias", exponent=2),
        Injection("waits", "frames", "graded", minimum=-30, maximum=30),
    )
    populations = [INPUT, charged, after, several, waits, drops, readout]
    network = fed(populations, projections, readout=Readout("readout", "membrane"), extra=extra)
    rng = np.random.default_rng(11)
    return network, {
        0: spikes(12, T, 2, 6, 5, rate=0.3),
        1: rng.integers(-200, 500, (SAMPLES, 3, 6, 5)),
        2: rng.integers(-30, 30, (SAMPLES, T, 3, 6, 5)),
    }


@case
def soft_resets() -> Case:
    """Of a `lif`: with memory, a bias, a threshold below 0, and an amount that is none of it."""
    plain = lif("plain", (3, 6, 5), 1, reset="soft", reset_amount=60)
    kept = lif(
        "kept", (3, 6, 5), 2, reset="soft", reset_amount=90, current_decay=1024, threshold=-5,
        bias=np.array([300, -900, -4000]), bias_exponent=1,
    )  # fmt: skip
    free = lif(
        "free", (4, 1, 1), 3, reset="soft", reset_amount=700, membrane_decay=0, threshold=600
    )
    projections = [
        link(INPUT, plain, Conv(weights(1, 3, 2, 3, 3), **SAME)),
        link(plain, kept, Conv(weights(2, 3, 3, 3, 3), **SAME)),
        link(kept, free, Dense(weights(3, 4, 3, 2, 2), (3, 2))),
        link(INPUT, free, Dense(weights(4, 4, 2, 6, 5))),
    ]
    network = fed([INPUT, plain, kept, free], projections, readout=Readout("free", "count"))
    return network, {0: spikes(5, T, 2, 6, 5)}


@case
def recurrent_programs() -> Case:
    """Two that would fire before their first step, feeding back several spikes with delays."""
    rng = np.random.default_rng(1)
    hidden = program(
        "hidden", (6, 1, 1), 1, initial=8000, reset="soft", most_spikes=7, membrane_decay=500,
        bias=np.full(6, 300), bias_exponent=1,
    )  # fmt: skip
    after = program("after", (5, 1, 1), 3, initial=4000, refractory=1, current_decay=3072)
    projections = [
        link(INPUT, hidden, Dense(weights(2, 6, 2, 6, 5)), axonal_delay=rng.integers(0, 4, 60)),
        link(hidden, hidden, Dense(weights(3, 6, 6, 1, 1, low=-40, high=10)), delay=1),
        link(hidden, after, Dense(weights(4, 5, 6, 1, 1)), axonal_delay=rng.integers(0, 3, 6)),
        link(after, hidden, Dense(weights(5, 6, 5, 1, 1, low=-40, high=20))),
    ]
    network = fed(
        [INPUT, hidden, after], projections, timesteps=9, readout=Readout("after", "count")
    )
    return network, {0: spikes(6, 9, 2, 6, 5, rate=0.1, samples=2)}


@case
def long_delays() -> Case:
    """69 steps: longer than a synapse can hold, for a convolution and for a dense layer."""
    far = lif("far", (2, 6, 5), 70)
    dense = lif("dense", (3, 1, 1), 70)
    projections = [
        link(INPUT, far, Conv(weights(1, 2, 2, 3, 3), **SAME)),
        link(INPUT, dense, Dense(weights(2, 3, 2, 6, 5))),
    ]
    return fed([INPUT, far, dense], projections, timesteps=2), {0: spikes(3, 2, 2, 6, 5)}


@case
def separate_parts() -> Case:
    """Two networks that share nothing, one population that hears nobody, one single time step."""
    first = lif("first", (2, 6, 5), 1)
    alone = lif("alone", (3, 2, 2), 0, bias=np.array([3000, 3900, 100]))
    second = lif("second", (3, 1, 1), 1, threshold=20)
    projections = [
        link(INPUT, first, Conv(weights(1, 2, 2, 3, 3), **SAME)),
        link(alone, second, Dense(weights(2, 3, 3, 2, 2))),
    ]
    host = Injection("alone", "image", "bias", exponent=1)
    network = fed([INPUT, first, alone, second], projections, timesteps=1, extra=(host,))
    values = np.random.default_rng(3).integers(0, 900, (SAMPLES, 3, 2, 2))
    return network, {0: spikes(4, 1, 2, 6, 5), 1: values}


@case
def all_weight_ranges() -> Case:
    """Every way of saying 8 bits to Dense: each sign, mixed odd and even, wide, shifted right."""
    ranges = {
        "positive": weights(1, 4, 2, 6, 5, low=0, high=255),
        "negative": weights(2, 4, 2, 6, 5, low=-255, high=0),
        "int8": np.clip(weights(3, 4, 2, 6, 5, low=-140, high=140), -128, 127),
        "even": weights(4, 4, 2, 6, 5, low=-128, high=127) * 2,
        "wide": weights(5, 4, 2, 6, 5, low=-128, high=127) * 8,
        "zero": np.zeros((4, 2, 6, 5), dtype=np.int32),
    }
    populations, projections = [INPUT], []
    for exponent in (0, 3, -2):
        for name, weight in ranges.items():
            target = lif(
                f"{name}{exponent}",
                (4, 1, 1),
                1,
                bias=np.array([3100, 2800, 500, 10]),
                bias_exponent=6 + exponent,
                threshold=int(5000 * 2.0**exponent) if name == "positive" else 60,
            )
            populations.append(target)
            projections.append(link(INPUT, populations[-1], Dense(weight), exponent))
    even = weights(6, 4, 2, 3, 3) * 4
    populations.append(lif("halved", (4, 6, 5), 1))
    projections.append(link(INPUT, populations[-1], Conv(even, **SAME), -2))
    return fed(populations, projections, timesteps=4), {0: spikes(7, 4, 2, 6, 5, samples=2)}
