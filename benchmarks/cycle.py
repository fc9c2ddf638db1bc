"""One image in `cycle` timing: seconds, events a second, and how far it is from `analytic`.

    python benchmarks/cycle.py [MODEL] [--target loihi2] [--program NET.snnp] [--threads 2]
                               [--pipelined]

MODEL is a shipped network (default gac-ms-resnet18-cifar10), compiled with random weights unless
it ships trained ones; --program takes a compiled one.  The image is random, or the program's first
golden sample.  The asked figure: gac-ms-resnet18-cifar10 in less than 60 s.

CPU seconds are of all threads together: on a loaded machine, trust them and not the wall clock.
The first line compiles the kernels (cached after the first run) and is not timed.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from snndeploy import pipeline, program
from snndeploy.engines.engine import run_network
from snndeploy.program import Program
from snndeploy.shelf import model_entry
from snndeploy.simulator.run import encode
from snndeploy.timing.cycle import CycleTiming, cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder, walk_of

ASKED_SECONDS = 60


def main() -> None:
    options = _options()
    made = program.load(options.program) if options.program else _compiled(options)
    network, layout = made.network, made.layout
    print(f"{made.name} on {made.target.name}: {layout.cores:,} cores, {layout.chips} chips,"
          f" {network.chip_steps} chip steps, {network.neurons:,} neurons")  # fmt: skip
    recorder = _recorded(made)
    start = time.perf_counter()
    walk = walk_of(network, layout)
    print(f"tables: {time.perf_counter() - start:.1f} s")
    cycle_timing(network, layout, made.target, recorder, steps=[0], walk=walk)
    for pipelined in (False, True) if options.pipelined else (False,):
        wall, cpu = time.perf_counter(), time.process_time()
        timing = cycle_timing(
            network, layout, made.target, recorder,
            walk=walk, pipelined=pipelined, threads=options.threads,
        )  # fmt: skip
        _report(timing, time.perf_counter() - wall, time.process_time() - cpu)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="gac-ms-resnet18-cifar10")
    parser.add_argument("--target", default="loihi2")
    parser.add_argument("--program")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pipelined", action="store_true")
    return parser.parse_args()


def _compiled(options: argparse.Namespace) -> Program:
    start = time.perf_counter()
    trained = bool(model_entry(options.model).weights)
    made = pipeline.compile(options.model, target=options.target, random_weights=not trained)
    print(f"compile: {time.perf_counter() - start:.1f} s")
    return made


def _recorded(made: Program) -> SpikeRecorder:
    shape = (1, *made.model.input.shape[1:])
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    if made.golden is not None:
        image = made.golden.x[:1]
    injected, _ = encode(made, image)
    recorder = SpikeRecorder(made.network)
    for index, values in injected.items():
        recorder.observe_injection(index, values)
    start = time.perf_counter()
    run_network(made.network, injected, observer=recorder, samples=1)
    print(f"spikes: {time.perf_counter() - start:.1f} s")
    return recorder


def _report(timing: CycleTiming, wall: float, cpu: float) -> None:
    name = "full pipeline" if timing.pipelined else "one image"
    messages, events = int(timing.messages.sum()), timing.events
    print(f"{name}: {messages:,} messages, {events:,} events in {wall:.1f} s"
          f" ({cpu:.1f} CPU s, {1e9 * cpu / events:.0f} ns an event);"
          f" asked {ASKED_SECONDS} s")  # fmt: skip
    print(f"  chip: {timing.step_seconds.sum() * 1e3:.3f} ms, {timing.ratio:.3f} times analytic,"
          f" at most {timing.largest_ratio:.3f} in a step;"
          f" {timing.stalled_messages.sum():,} messages stalled,"
          f" busiest link {timing.link_utilisation.max():.0%}")  # fmt: skip


if __name__ == "__main__":
    main()
