"""What the mapping modes cost: messages, hops, time and energy, and the time to map.

    python benchmarks/mapping.py pilotnet
    python benchmarks/mapping.py program NET.snnp [--data DATA.npz] [--samples 8]
    python benchmarks/mapping.py model SPEC --target hala_point [--only anneal]

pilotnet: pilotnet_lif with the spikes that Intel recorded (lava-dl 0.6.0's tests), on loihi1.
program: a compiled program, mapped anew in each mode; with data it is simulated, else its
populations fire at 0.2 spikes a neuron and step.
model: the structure of a model, without weights, at 0.2 spikes a neuron and step.

Each line: mode and objective, seconds to map, cores, chips, messages a spike, hops a message, hop
energy a step, latency and energy a sample.  `row-major` is the line above with its cores placed
row by row instead of annealed.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from snndeploy.mapping import Layout, place
from snndeploy.mapping.arrange import row_major
from snndeploy.mapping.expect import expect
from snndeploy.network import Network
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing
from snndeploy.timing.energy import chip_energy
from snndeploy.traffic.counter import TrafficCounter

CASES = (
    ("naive", "cores"), ("channel", "cores"), ("tiles", "cores"), ("tiles", "balanced"),
    ("anneal", "cores"), ("anneal", "balanced"), ("anneal", "latency"), ("anneal", "energy"),
)  # fmt: skip
RECORDED = {
    "input0": "input", "conv1": "conv-0", "conv2": "conv-1", "conv3": "conv-2", "conv4": "conv-3",
    "conv5": "conv-4", "dense7": "fc-0", "dense8": "fc-1", "dense9": "fc-2",
}  # fmt: skip
STEPS = 24  # that were recorded

Spikes = Mapping[str, np.ndarray]


def pilotnet() -> tuple[Network, dict[str, np.ndarray]]:
    """The network and its recorded spikes, (1, steps, channels, height, width)."""
    from snndeploy.frontend.netx.reader import load_netx

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from recordings import network_file, trace

    with tempfile.TemporaryDirectory() as folder:
        network = load_netx(network_file("gts/pilotnet_lif/network.net", Path(folder)), STEPS)
    spikes = {p.name: np.zeros((1, STEPS, *p.shape), np.uint8) for p in network.populations}
    for name, file in RECORDED.items():
        found = trace(f"gts/pilotnet_lif/{file}.npy")  # (width, height, channels, steps), or less
        found = found.reshape(*[1] * (4 - found.ndim), *found.shape).T
        spikes[name] = found[None]
    return network, spikes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("pilotnet", "program", "model"))
    parser.add_argument("name", nargs="?")
    parser.add_argument("--target")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--only", help="one mode")
    options = parser.parse_args()
    cases = [case for case in CASES if options.only in (None, case[0])]
    if options.what == "pilotnet":
        network, spikes = pilotnet()
        rates = {name: float((values != 0).mean()) for name, values in spikes.items()}
        compare(network, Target.load(options.target or "loihi1"), rates, cases, spikes)
    elif options.what == "program":
        compare_program(options, cases)
    else:
        compare_model(options, cases)
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def compare_program(options: argparse.Namespace, cases: list[tuple[str, str]]) -> None:
    from snndeploy.data import load_data
    from snndeploy.program import load
    from snndeploy.simulator.run import simulate

    made = load(Path(options.name))
    if options.data is None:
        target = Target.load(options.target) if options.target else made.target
        return compare(made.network, target, {}, cases)
    x = load_data(options.data).take(options.samples).inputs()
    seen = simulate(made, x, reference=False)
    steps = len(x) * made.network.timesteps
    rates = {name: layer.spikes / layer.neurons / steps for name, layer in seen.layers.items()}
    for mode, objective in cases:
        start = time.perf_counter()
        layout = place(made.network, made.target, rates, mode=mode, objective=objective)
        taken = time.perf_counter() - start
        found = simulate(replace(made, layout=layout), x, reference=False)
        latency, energy = found.timing_mean("latency_seconds"), found.energies[0].total.mean()
        messages = found.totals["messages_out"] / found.totals["spikes"]
        report(mode, objective, taken, layout, messages, None, None, latency, energy)


def compare_model(options: argparse.Namespace, cases: list[tuple[str, str]]) -> None:
    from snndeploy.pipeline import load_graph
    from snndeploy.verdict import judge

    target = Target.load(options.target or "loihi2")
    _, graph = load_graph(options.name, random_weights=True)
    verdict = judge(graph, target)
    verdict.require()
    network = verdict.assumed[0].structure
    compare(network, target, {}, cases)


def compare(
    network: Network,
    target: Target,
    rates: Mapping[str, float],
    cases: list[tuple[str, str]],
    spikes: Spikes | None = None,
) -> None:
    """Map and count in each case; without spikes, the expected counts at the rates."""
    for mode, objective in cases:
        start = time.perf_counter()
        layout = place(network, target, rates, mode=mode, objective=objective)
        taken = time.perf_counter() - start
        counts(network, target, rates, layout, spikes, mode, objective, taken)
        if mode == "anneal":
            _, positions = row_major(layout.cores, target)
            other = replace(layout, positions=positions)
            counts(network, target, rates, other, spikes, "row-major", objective, 0.0)
        print(f"    {layout.binding}")


def counts(
    network: Network,
    target: Target,
    rates: Mapping[str, float],
    layout: Layout,
    spikes: Spikes | None,
    mode: str,
    objective: str,
    taken: float,
) -> None:
    if spikes is None:
        found = expect(network, layout, target, rates)
        report(
            mode, objective, taken, layout, found.messages / found.spikes,
            found.hops / found.messages, found.hop_pj * 1e-12, found.latency_seconds,
            found.energy_joules,
        )  # fmt: skip
        return
    counter = TrafficCounter(network, layout, 1)
    for population in network.populations:
        counter(population, spikes[population.name])
    traffic = counter.result()
    timing = analytic_timing(traffic, layout, target, network.timesteps)
    energy = chip_energy(traffic, timing, layout, target)
    hops = traffic.hops_east_west + traffic.hops_north_south + traffic.hops_inter_chip
    hop_joules = sum(joules for name, joules in energy.breakdown.items() if name.startswith("hop "))
    report(
        mode, objective, taken, layout, traffic.messages_out.sum() / traffic.spikes.sum(),
        hops.sum() / traffic.messages_in.sum(), hop_joules / network.timesteps,
        float(timing.latency_seconds.mean()), float(energy.total.mean()),
    )  # fmt: skip


def report(
    mode: str,
    objective: str,
    taken: float,
    layout: Layout,
    messages: float,
    hops: float | None,
    hop_joules: float | None,
    latency: float | None,
    energy: float,
) -> None:
    way = "" if hops is None or hop_joules is None else (
        f" {hops:5.2f} hops/message {hop_joules * 1e9:10,.0f} nJ of hops/step"
    )  # fmt: skip
    print(
        f"{mode:<9} {objective:<8} {taken:6.1f} s {layout.cores:6,} cores {layout.chips:4} chips"
        f" {messages:6.2f} messages/spike{way} {1e6 * (latency or 0.0):12,.1f} us"
        f" {energy * 1e6:12,.1f} uJ",
        flush=True,
    )


if __name__ == "__main__":
    main()
