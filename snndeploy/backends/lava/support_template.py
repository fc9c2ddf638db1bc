"""What a run needs around the network: the command line, Lava's runtime, and the comparison."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.compiler.channels.pypychannel import CspRecvPort, CspSendPort
from lava.magma.compiler.compiler_graphs import find_processes
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg

LEAD = 1  # Lava steps before chip step 1: the host's first messages travel in it
MOST_NAMES = 3  # in one line
CONFIGS = {"sim": Loihi2SimCfg, "hardware": Loihi2HwCfg}


@dataclass
class Chip:
    """The bundle, the samples of this run (one after another), and the processes built so far."""

    folder: Path
    manifest: dict
    config: str
    samples: list[int]
    recordings: Path
    neurons: dict[str, Any] = field(default_factory=dict)  # processes by population
    copies: dict[tuple[str, int], Any] = field(default_factory=dict)  # ports by (name, delay)
    readers: dict[tuple[str, int], Any] = field(default_factory=dict)  # keep v: (name, step)

    def __post_init__(self) -> None:
        self.period: int = self.manifest["period"]
        self.timesteps: int = self.manifest["timesteps"]
        self.steps = len(self.samples) * self.period + LEAD

    def array(self, path: str) -> np.ndarray:
        return np.load(self.folder / path, mmap_mode="r", allow_pickle=False)

    def recording(self, name: str) -> Path:
        return self.recordings / f"{list(self.manifest['expected']).index(name)}.npy"

    def steps_read(self, name: str) -> list[int]:
        """The steps behind which a population's membranes are read, counted from 0."""
        heads = self.manifest["readouts"]
        read = [h for h in heads if h["population"] == name and h["kind"] == "membrane"]
        return sorted({step for head in read for step in head["steps"]})

    def first_row(self, position: int, depth: int) -> int:
        """Lava step, counted from 0, of aligned step 0 of the sample at that position."""
        return position * self.period + depth + LEAD

    def first_step(self, depth: int) -> int:
        """Lava step, counted from 1 as Lava does, of the first sample's aligned step 0."""
        return self.first_row(0, depth) + 1


def main(folder: Path, build: Callable[[Chip], None]) -> int:
    parser = argparse.ArgumentParser(description="Run this bundle on Lava and compare.")
    parser.add_argument("--config", choices=tuple(CONFIGS), default="sim")
    parser.add_argument("--samples", type=int, help="only the first N samples")
    parser.add_argument("--results", help="write spikes and outputs to this .npz file")
    arguments = parser.parse_args()
    if arguments.samples is not None and arguments.samples < 1:
        parser.error("--samples must be at least 1")
    manifest = json.loads((folder / "manifest.json").read_text())
    if arguments.config == "hardware" and (reason := no_hardware(manifest)):
        print(f"{reason}: use --config sim")
        return 3
    count = min(arguments.samples or manifest["samples"], manifest["samples"])
    end_with_the_caller()
    never_miss_a_message()
    started = time.monotonic()
    try:
        results = run_all(folder, manifest, arguments.config, count, build)
    except (Exception, KeyboardInterrupt) as error:
        end_now(f"{type(error).__name__}: {error}")
    print(f"{count} samples in {time.monotonic() - started:.1f} s", file=sys.stderr)
    if arguments.results:
        np.savez_compressed(arguments.results, **results)  # type: ignore[arg-type]
    return compare(folder, manifest, results)


def no_hardware(manifest: dict) -> str:
    """Why this bundle cannot run on a Loihi from here, "" when it can."""
    if names := manifest["simulation_only"]:
        listed = ", ".join(names[:MOST_NAMES]) + " ..." * (len(names) > MOST_NAMES)
        return f"{listed}: a process for simulation alone, for which Lava ships no microcode"
    if not loihi_extension_found():
        return "Intel's Lava extension for Loihi is not installed here"
    return ""


def loihi_extension_found() -> bool:
    try:
        import lava.magma.core.model.c.model  # noqa: F401
    except ImportError:
        return False
    return True


# --- running ------------------------------------------------------------------------------------


def run_all(
    folder: Path, manifest: dict, config: str, count: int, build: Callable[[Chip], None]
) -> dict[str, np.ndarray]:
    samples = list(range(count))
    runs = [[sample] for sample in samples] if manifest["one_sample_a_run"] else [samples]
    parts = []
    for chosen in runs:
        with tempfile.TemporaryDirectory() as recordings:
            chip = Chip(folder, manifest, config, chosen, Path(recordings))
            build(chip)
            parts.append(run(chip))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def run(chip: Chip) -> dict[str, np.ndarray]:
    """Of every population "spikes/NAME", (samples, T, C, H, W), and "outputs"."""
    sys.setrecursionlimit(100_000)  # Lava walks the network recursively
    membranes: dict[tuple[str, int], np.ndarray] = {}
    waiting = list(chip.neurons.values())
    while waiting:  # a Lava runtime holds what is connected
        together = find_processes(waiting[0])
        readers = {place: r for place, r in chip.readers.items() if r in together}
        membranes |= run_connected(waiting[0], chip, readers)
        waiting = [process for process in waiting if process not in together]
    results = {f"spikes/{name}": aligned(chip, name) for name in chip.manifest["expected"]}
    results["outputs"] = outputs(chip, results, membranes)
    return results


def run_connected(process: Any, chip: Chip, readers: dict) -> dict[tuple[str, int], np.ndarray]:
    """Run a process and all that it is connected to; the membranes that `readers` kept."""
    process.create_runtime(CONFIGS[chip.config](select_tag="fixed_pt"))
    finished = threading.Event()
    watcher = threading.Thread(target=watch, args=(process.runtime, finished), daemon=True)
    watcher.start()
    chunk = max(1, chip.steps // 20)
    for done in range(0, chip.steps, chunk):
        end = min(done + chunk, chip.steps)
        process.run(RunSteps(num_steps=end - done))
        print(f"step {end}/{chip.steps}", file=sys.stderr, flush=True)
    membranes = {place: reader.data.get() for place, reader in readers.items()}
    finished.set()
    watcher.join()
    process.stop()
    return membranes


def never_miss_a_message() -> None:
    """Repair a race in Lava 0.10.0's channels, the likely cause of a rare hang on a busy machine.

    A channel's thread wakes its reader through `observer`, which it reads twice while the reader
    may clear it in between: the thread then dies, and its channel with it.  It also skips the
    wake-up when it believes that the reader has not yet taken the message before.
    """

    def wake(port: Any) -> None:
        observer = port.observer
        if observer is not None:
            observer()

    def on_request(port: Any, request: Any) -> None:
        with contextlib.suppress(EOFError):
            while request.acquire() and not port._done:
                port._queue.put_nowait(0)
                wake(port)

    def on_acknowledge(port: Any, acknowledge: Any) -> None:
        with contextlib.suppress(EOFError):
            while acknowledge.acquire() and not port._done:
                port._semaphore.release()
                wake(port)

    CspRecvPort._req_callback = on_request
    CspSendPort._ack_callback = on_acknowledge


def watch(runtime: Any, finished: threading.Event) -> None:
    """End everything when one of Lava's processes dies: Lava itself would wait for ever."""
    actors = list(runtime._messaging_infrastructure.actors)
    while not finished.wait(0.5):
        for actor in actors:
            if not actor.is_alive():
                failure = actor.exception
                end_now(f"one of its processes died: {failure[0] if failure else actor.exitcode}")


def end_now(reason: str) -> None:
    with contextlib.suppress(OSError):  # nobody may be there to read it
        print(f"Lava failed: {reason}", file=sys.stderr, flush=True)
    end_children()
    os._exit(1)


def end_children() -> None:
    for child in multiprocessing.active_children():
        child.kill()


def end_with_the_caller() -> None:
    """Take Lava's processes along when this one is told to end, or when its caller is gone."""
    me = os.getpid()

    def on_signal(*_: Any) -> None:
        if os.getpid() == me:
            end_children()
        os._exit(1)

    def on_orphaned() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        end_now("the program that started it is gone")

    signal.signal(signal.SIGTERM, on_signal)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    caller = int(os.environ.get("LAVA_BUNDLE_CALLER", "0"))
    if caller:
        threading.Thread(target=on_orphaned, daemon=True).start()


# --- results ------------------------------------------------------------------------------------


def aligned(chip: Chip, name: str) -> np.ndarray:
    """A population's spikes, (samples, T, C, H, W), from the rows of its recording."""
    rows = np.load(chip.recording(name), mmap_mode="r")
    depth = chip.manifest["depth"][name]
    starts = [chip.first_row(position, depth) for position in range(len(chip.samples))]
    return np.stack([rows[a : a + chip.timesteps].transpose(0, 3, 2, 1) for a in starts])


def outputs(chip: Chip, results: dict, membranes: dict) -> np.ndarray:
    """The integers that are read, (samples, outputs): head by head, step by step."""
    found = [np.zeros((len(chip.samples), 0), dtype=np.int64)]
    for head in chip.manifest["readouts"]:
        name, spikes = head["population"], f"spikes/{head['population']}"
        if head["kind"] == "count":
            found.append(flat(results[spikes].sum(axis=1, dtype=np.int64)))
        elif head["kind"] == "spikes":
            found += [flat(results[spikes][:, step]) for step in head["steps"]]
        else:
            found += [flat(membrane(chip, name, step, membranes)) for step in head["steps"]]
    return np.concatenate(found, axis=1)


def flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1).astype(np.int64)


def membrane(chip: Chip, name: str, step: int, membranes: dict) -> np.ndarray:
    """v after a step of every sample, (samples, C, H, W)."""
    too_early = (chip.manifest["depth"][name] + step + 1) // chip.period
    read: np.ndarray = membranes[name, step][..., too_early : too_early + len(chip.samples)]
    return read.T


def compare(folder: Path, manifest: dict, results: dict[str, np.ndarray]) -> int:
    """Print a table; 0 when every value is equal, else 1 after naming the first difference."""
    rows = []
    firsts = []
    for order, (name, path) in enumerate(manifest["expected"].items()):
        computed = results[f"spikes/{name}"]
        expected = load(folder, path, len(computed))
        differ = computed != expected
        fired = (np.count_nonzero(computed), np.count_nonzero(expected))
        rows.append((name, manifest["depth"][name], *fired, np.count_nonzero(differ)))
        if differ.any():
            where = tuple(int(i) for i in np.argwhere(differ)[0])
            values = (int(computed[where]), int(expected[where]))
            firsts.append((where[0], where[1], order, name, where[2:], values))
    print_table(("population", "depth", "spikes", "expected", "differing"), rows)
    outputs_differ = compare_outputs(folder, manifest, results["outputs"])
    if firsts:
        sample, step, _, name, neuron, (computed_one, expected_one) = min(firsts)
        print(
            f"FIRST DIFFERENCE: population {name}, neuron (c, y, x) = {neuron}, step {step}, "
            f"sample {sample}: Lava {computed_one}, expected {expected_one}"
        )
    if firsts or outputs_differ:
        return 1
    print("EQUAL: every spike of every population at every step")
    return 0


def compare_outputs(folder: Path, manifest: dict, computed: np.ndarray) -> int:
    """Print the line of what is read; the number of values that differ."""
    if not manifest["readouts"]:
        return 0
    expected = load(folder, manifest["expected_outputs"], len(computed))
    differ = computed != expected
    count = int(np.count_nonzero(differ))
    name = ", ".join(head["population"] for head in manifest["readouts"])
    print(f"outputs of {name}: {computed.size} values, {count} differing")
    if count:
        sample, index = (int(i) for i in np.argwhere(differ)[0])
        print(
            f"OUTPUT DIFFERS: sample {sample}, output {index}: Lava {computed[sample, index]}, "
            f"expected {expected[sample, index]}"
        )
    return count


def load(folder: Path, path: str, samples: int) -> np.ndarray:
    return np.load(folder / path, mmap_mode="r", allow_pickle=False)[:samples]


def print_table(header: tuple, rows: list[tuple]) -> None:
    width = max([len(header[0])] + [len(row[0]) for row in rows])
    for first, *others in [header, *rows]:
        print(f"{first:<{width}}" + "".join(f"{value:>11}" for value in others))
