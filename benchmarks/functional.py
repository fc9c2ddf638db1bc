"""Milliseconds per time step of the functional simulator, beside torch's float32 layers.

    python benchmarks/functional.py [--net A C15 C02 R34] [--threads 1] [--samples 1] [--repeats 7]

A: MLP 784-512-512-10, T = 100.   C15, C02: CIFAR-size body, 64 x 32 x 32 input, convolutions 3 x 3
to 128, 128, 256 (stride 2), 256, 512 (stride 2), 512, T = 6, every population at 15 or 2 % spikes.
R34: a chain as large as MS-ResNet-34 at 224 x 224, T = 6, 15 %: for its memory.

torch: the same convolutions or products in float32, batched over T, neurons left out.  Both are
measured in turns in one run and the best of each is taken: trust the ratio, not the times.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from snndeploy.connections import Connection, Conv, Dense
from snndeploy.engines.engine import run_network
from snndeploy.engines.onednn import kernel_name
from snndeploy.network import Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Input, Integrator, Lif

LEAK = 3072  # of 4096, lost at every step
C_LAYERS = ((128, 1), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))
R34_LAYERS = (
    ((64, 2),) + ((64, 1),) * 6 + ((128, 2),) + ((128, 1),) * 7
    + ((256, 2),) + ((256, 1),) * 11 + ((512, 2),) + ((512, 1),) * 5
)  # fmt: skip


def conv_connections(channels: int, layers: tuple[tuple[int, int], ...]) -> list[Connection]:
    rng = np.random.default_rng(0)
    connections: list[Connection] = []
    for outputs, stride in layers:
        weight = rng.integers(-127, 128, (outputs, channels, 3, 3)).astype(np.int32)
        connections.append(Conv(weight, (stride, stride), (1, 1)))
        channels = outputs
    return connections


def chain(
    shape: tuple[int, int, int], connections: list[Connection], timesteps: int, rate: float
) -> tuple[Network, dict[int, np.ndarray]]:
    """Populations in a row, their thresholds set so that each fires at about `rate`."""
    populations = [Population("input", shape, Input())]
    projections = []
    for index, connection in enumerate(connections):
        output = connection.output_shape(populations[-1].shape)
        populations.append(Population(f"p{index}", output, Lif(LEAK), depth=index + 1))
        projections.append(Projection(f"c{index}", populations[-2].name, f"p{index}", connection))
    network = Network(
        timesteps, tuple(populations), tuple(projections),
        (Injection("input", "x", "spikes"),), Readout(populations[-1].name, "count"),
    )  # fmt: skip
    given = np.random.default_rng(1).random((1, timesteps, *shape)) < rate
    injected = {0: given.astype(np.uint8)}
    for index in range(1, len(populations)):
        network = fire_at(network, injected, index, rate)
    return network, injected


def fire_at(network: Network, injected: dict[int, np.ndarray], index: int, rate: float) -> Network:
    """Set one population's threshold from the membranes that it would have without firing."""
    populations = list(network.populations)
    silent = replace(populations[index], neuron=Integrator(LEAK))
    first = replace(
        network, populations=(*populations[:index], silent),
        projections=network.projections[:index], readout=None,
    )  # fmt: skip
    membranes = run_network(first, injected, record_membranes=[silent.name]).membranes[silent.name]
    threshold = int(np.quantile(membranes, 1 - rate)) >> 6
    populations[index] = replace(populations[index], neuron=Lif(LEAK, threshold=threshold))
    return replace(network, populations=tuple(populations))


def torch_layers(
    network: Network, samples: int, spikes: dict[str, np.ndarray]
) -> Callable[[], None]:
    """The float32 layers on the same spikes, each from its own source."""
    work = []
    for projection in network.projections:
        source = torch.from_numpy(spikes[projection.source]).float().flatten(0, 1)
        weight = torch.from_numpy(projection.connection.weight).float()
        if isinstance(projection.connection, Conv):
            fast = torch.channels_last
            source, weight = (
                source.contiguous(memory_format=fast),
                weight.contiguous(memory_format=fast),
            )
        else:
            source, weight = source.flatten(1), weight.flatten(1)
        work.append((projection.connection, source, weight))

    def run() -> None:
        for connection, source, weight in work:
            if isinstance(connection, Conv):
                torch.nn.functional.conv2d(
                    source, weight, None, connection.stride, connection.padding
                )
            else:
                torch.nn.functional.linear(source, weight)

    return run


def best_ms(functions: list[Callable[[], object]], repeats: int) -> list[float]:
    """The best time of each, measured in turns so that a busy moment hits all."""
    best = [float("inf")] * len(functions)
    for _ in range(repeats):
        for index, function in enumerate(functions):
            start = time.perf_counter()
            function()
            best[index] = min(best[index], (time.perf_counter() - start) * 1e3)
    return best


def build(name: str) -> tuple[Network, dict[int, np.ndarray]]:
    if name == "A":
        rng = np.random.default_rng(0)
        sizes = ((784, 512), (512, 512), (512, 10))
        weights = [rng.integers(-127, 128, (o, i, 1, 1)).astype(np.int32) for i, o in sizes]
        return chain((784, 1, 1), [Dense(weight) for weight in weights], 100, 0.15)
    if name == "R34":
        return chain((64, 112, 112), conv_connections(64, R34_LAYERS), 6, 0.15)
    rate = {"C15": 0.15, "C02": 0.02}[name]
    return chain((64, 32, 32), conv_connections(64, C_LAYERS), 6, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", nargs="+", choices=["A", "C15", "C02", "R34"],
                        default=["A", "C15", "C02"])  # fmt: skip
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"kernel: {kernel_name()}; torch {torch.__version__}; {arguments.threads} thread(s)")
    print("net   rate   ms/step   observed   torch float32   ratio   peak memory")
    for name in arguments.net:
        network, injected = build(name)
        injected = {0: np.repeat(injected[0], arguments.samples, axis=0)}
        names = list(network.by_name)
        activity = run_network(network, injected, record=names)
        rates = [activity.spikes[n].mean() for n in names[1:]]
        functions = [
            lambda network=network, injected=injected: run_network(network, injected),
            lambda network=network, injected=injected: run_network(
                network, injected, observer=lambda population, spikes, updated: None
            ),
            torch_layers(network, arguments.samples, activity.spikes),
        ]
        del activity
        steps = network.timesteps * arguments.samples
        ours, observed, theirs = (t / steps for t in best_ms(functions, arguments.repeats))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"{name:4} {np.mean(rates):6.1%} {ours:9.4f} {observed:10.4f} {theirs:15.4f} "
            f"{theirs / ours:7.1f} {peak:8.2f} GB"
        )


if __name__ == "__main__":
    main()
