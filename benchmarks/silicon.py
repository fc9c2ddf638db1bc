"""The runs that were measured on silicon, predicted with the shipped targets.

    python benchmarks/silicon.py [--data FOLDER] [--json FILE] [--only NAME] [--no-own-maps]
                                 [--page docs/silicon.md]

pilotnet_lif_loihi2   PilotNet LIF, Intel's profile of its benchmark: times, counts by core, words,
                      power, on the cores of Intel's compiler
dvs_gesture_loihi1    the DVS-gesture network of SANA-FE's repository on its map
nxtf_mnist_loihi1     NxTF's MNIST network on its map

Measured values, and SANA-FE's where known, stand beside; docs/silicon.md says what agrees, what
does not, and what was fitted on what.  FOLDER holds silicon/ and images/ (default: the variable
SNNDEPLOY_SHARED_DATA, else ../shared/data); PilotNet itself is taken from lava-dl's wheel, which is
downloaded once.  Nothing here is fitted: a target's numbers are used as they are.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from silicon_shown import show
from silicon_workloads import CHIP_STEPS, Replay, dvs_gesture, nxtf_mnist, pilotnet

from snndeploy.engines.activity import Traffic
from snndeploy.errors import DeployError
from snndeploy.files.writing import check_writable, write_json
from snndeploy.layout.layout import Layout
from snndeploy.mapping import Objective, place
from snndeploy.target.events import STATIC_POWER
from snndeploy.timing.analytic import Timing, analytic_timing
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder
from snndeploy.timing.energy import Energy, chip_energy
from snndeploy.traffic.counter import TrafficCounter

SCHEMA = "snndeploy.silicon/1"
MICRO = 1e6
STEADY = 32  # from here on PilotNet repeats, every 16 steps
JUDGED = {"pilotnet_lif_loihi2": (1, 64), "dvs_gesture_loihi1": (1, 61)}
COUNTS: dict[str, Callable[[Traffic], np.ndarray]] = {  # what Loihi 2's counters count
    "synaptic_operations": lambda traffic: traffic.synaptic_operations,
    "neuron_updates": lambda traffic: 2 * traffic.neuron_accesses + traffic.spikes,
    "messages_out": lambda traffic: traffic.messages_out,
    "spikes_in": lambda traffic: traffic.messages_in,
}
MORE = 16  # steps behind those that are judged: the last step of a run waits for all messages
CORE_WORDS = 20480  # of Loihi 2, in its figure of memory; of them some are taken before any network
TAKEN_WORDS = 3170
OFF_CHIP = ("host bytes in", "host bytes out")
OWN: tuple[tuple[Objective, bool], ...] = (  # our own mapping, on no more cores than the measured
    ("balanced", False), ("balanced", True), ("cores", False),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Prediction:
    """A replay on one layout, counted, timed and priced."""

    layout: Layout
    traffic: Traffic
    timing: Timing
    energy: Energy

    @property
    def step_us(self) -> np.ndarray:
        """(samples, steps)"""
        return self.timing.step_seconds * MICRO


def predict(replay: Replay, layout: Layout | None = None) -> Prediction:
    """The analytic model on the measured map, or on another."""
    layout = layout or replay.layout
    network, target = replay.network, replay.target
    samples = len(next(iter(replay.spikes.values())))
    counter = TrafficCounter(network, layout, samples, target)
    for population in network.populations:
        counter(population, replay.spikes[population.name], replay.updated[population.name])
    traffic = counter.result()
    timing = analytic_timing(traffic, layout, target, network.timesteps)
    return Prediction(layout, traffic, timing, chip_energy(traffic, timing, layout, target))


def cycle_step_us(replay: Replay, samples: int = 1) -> np.ndarray:
    """The same steps with every message moved, (samples, steps)."""
    recorder = SpikeRecorder(replay.network, range(samples))
    for population in replay.network.populations:
        name = population.name
        recorder(population, replay.spikes[name][:samples], replay.updated[name][:samples])
    found = cycle_timing(replay.network, replay.layout, replay.target, recorder)
    return found.step_seconds * MICRO


def errors(predicted: np.ndarray, measured: np.ndarray) -> dict[str, float]:
    """Means, their ratio less one, mean absolute error of the steps, and correlation."""
    return {
        "mean_us": float(predicted.mean()),
        "mean_error": float(predicted.mean() / measured.mean() - 1),
        "mape": float((abs(predicted - measured) / measured).mean()),
        "r": float(np.corrcoef(predicted, measured)[0, 1]),
    }


def judged(name: str, steps: list[int], measured: list[float], **series: Any) -> dict[str, Any]:
    """The errors of each series on the steps that are judged."""
    first, stop = JUDGED[name]
    chosen = [place for place, step in enumerate(steps) if first <= step < stop]
    at = [steps[place] for place in chosen]
    truth = np.array(measured)[chosen]
    found = {"steps": f"{at[0]}-{at[-1]}", "measured_mean_us": float(truth.mean())}
    return found | {
        key: errors(np.array(values)[at if len(values) == CHIP_STEPS else chosen], truth)
        for key, values in series.items()
    }


# one workload a function


def run_dvs(data: Path, own: bool) -> dict[str, Any]:
    return run_dvs_replay(dvs_gesture(data), dvs_gesture(data, by_channel=False), own)


def run_dvs_replay(replay: Replay, by_row: Replay, own: bool) -> dict[str, Any]:
    """Places are known here, so that `cycle` is what is predicted.

    by_row: the same with the other reading of layer 4's cores.
    """
    found, cycle = predict(replay), cycle_step_us(replay)[0]
    other = {
        "analytic_by_row": predict(by_row).step_us[0],
        "cycle_by_row": cycle_step_us(by_row)[0],
    }
    source = replay.source
    return head(replay) | {
        "model": "cycle",
        "step_us": rounded(cycle),
        "step_us_analytic": rounded(found.step_us[0]),
        **{f"step_us_{name}": rounded(values) for name, values in other.items()},
        "mean_step_us": float(cycle.mean()),
        "measured": {"steps": source["steps"], "step_us": source["measured"],
                     "sana_fe_step_us": source["sana_fe"]},
        "errors": judged(
            replay.name, source["steps"], source["measured"], analytic=found.step_us[0],
            cycle=cycle, **other, sana_fe=source["sana_fe"],
        ),
        **own_maps(replay, own),
    }  # fmt: skip


def run_nxtf(data: Path, own: bool) -> dict[str, Any]:
    replay = nxtf_mnist(data)
    found, cycle = predict(replay), cycle_step_us(replay)
    measured = replay.source["measured"]["spiking_us"]
    return head(replay) | {
        "images": replay.source["images"],
        "correct": replay.source["correct"],
        "mean_step_us": float(found.step_us.mean()),
        "mean_step_us_cycle": float(cycle.mean()),
        "measured": {"mean_step_us": measured,
                     "management_us": replay.source["measured"]["management_us"]},
        "errors": {"analytic": float(found.step_us.mean() / measured - 1),
                   "cycle": float(cycle.mean() / measured - 1)},
        **own_maps(replay, own),
    }  # fmt: skip


def run_pilotnet(data: Path, own: bool) -> dict[str, Any]:
    replay = pilotnet(data, steps=CHIP_STEPS + MORE)
    found, cycle = predict(replay), cycle_step_us(replay)[0, :CHIP_STEPS]
    source, step_us = replay.source, found.step_us[0, :CHIP_STEPS]
    steps = [entry["step"] for entry in source["step_us"]]
    measured = [entry["us"] for entry in source["step_us"]]
    steady = step_us[STEADY:]
    return head(replay) | {
        "model": "analytic",
        "step_us": rounded(step_us),
        "step_us_cycle": rounded(cycle),
        "mean_step_us": float(steady.mean()),
        "mean_step_us_cycle": float(cycle[STEADY:].mean()),
        "measured": {"mean_step_us": source["published"]["mean_step_us"], "steps": steps,
                     "step_us": measured},
        "errors": judged(
            replay.name, steps, measured, analytic=step_us, cycle=cycle
        ) | {"mean_step": float(steady.mean() / source["published"]["mean_step_us"] - 1)},
        "energy": pilotnet_energy(replay, found),
        "cores": (cores := by_core(replay, found)),
        "layers": by_layer(replay, cores),
        **own_maps(replay, own, slice(STEADY, CHIP_STEPS)),
    }  # fmt: skip


def pilotnet_energy(replay: Replay, found: Prediction) -> dict[str, Any]:
    """Of a step in the pattern that repeats; the host's bytes are not the chip's."""
    steady = slice(STEADY, CHIP_STEPS)
    traffic = replace(
        found.traffic,
        **{key: value[:, steady] for key, value in vars(found.traffic).items() if key != "links"},
    )
    seconds = found.timing.step_seconds[:, steady]
    timing = replace(found.timing, step_seconds=seconds, latency_seconds=seconds.sum(axis=1))
    energy = chip_energy(traffic, timing, found.layout, replay.target)
    charged = [line for line in energy.lines if line.name not in OFF_CHIP and line.joules.any()]
    steps = seconds.shape[1]
    each = {line.name: float(line.joules.mean()) * MICRO / steps for line in charged}
    static = each.pop("static power", 0.0)
    published = replay.source["published"]
    period = published["mean_step_us"]
    truth = {"dynamic_uj_per_step": published["dynamic_power_w"] * period,
             "total_uj_per_step": published["total_power_w"] * period,
             "static_power_w": published["static_power_w"]}  # fmt: skip
    ours = {"dynamic_uj_per_step": sum(each.values()),
            "total_uj_per_step": sum(each.values()) + static,
            "static_power_w": replay.target.number(STATIC_POWER) * found.layout.chips}  # fmt: skip
    return ours | {
        "breakdown_uj_per_step": each | {"static power": static},
        "marks": {line.name: line.mark for line in charged},
        "scope": energy.scope,
        "measured": truth,
        "errors": {key: ours[key] / value - 1 for key, value in truth.items()},
    }


def by_core(replay: Replay, found: Prediction) -> list[dict[str, Any]]:
    """Counts of the whole measured run and words of memory, by the source's core numbers."""
    steps = replay.source["run"]["steps"]
    totals = {name: long_run(count(found.traffic)[0], steps, replay)
              for name, count in COUNTS.items()}  # fmt: skip
    words = {
        name: found.layout.use[key] // 8
        for name, key in (("synmem_words", "synapse_memory_bytes"),
                          ("memory_words", "core_memory_bytes"))
        if key in found.layout.use
    }  # fmt: skip
    measured = {entry["core"]: entry for entry in replay.source["cores"]}
    cores = []
    for tile in sorted(found.layout.tiles, key=lambda tile: tile.core):
        core = tile.core
        truth = {k: v for k, v in measured.get(core, {}).items() if k not in ("core", "layer")}
        cores.append(
            {"core": core, "layer": tile.population}
            | {name: int(values[core]) for name, values in (totals | words).items()}
            | ({"memory_used": memory_used(int(words["memory_words"][core]))}
               if "memory_words" in words else {})
            | {"measured": truth}
        )  # fmt: skip
    return cores


def memory_used(words: int) -> float:
    """What the source's figure of memory shows of a core."""
    return round((words + TAKEN_WORDS) / CORE_WORDS, 4)


def by_layer(replay: Replay, cores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words of weights a core, beside those that Intel's compiler printed: means over a layer's
    cores, cut to whole words."""
    found = []
    for entry in reversed(replay.source["allocation"]):
        own = [core["synmem_words"] for core in cores if core["layer"] == entry["layer"]]
        found.append({"layer": entry["layer"], "cores": len(own), "synmem_words": int(np.mean(own)),
                      "measured": {"synmem_words": entry["synmem_words"]}})  # fmt: skip
    return found


def long_run(counts: np.ndarray, steps: int, replay: Replay) -> np.ndarray:
    """Sums over `steps` steps of counts (steps, cores) that repeat from step STEADY on."""
    period = replay.source["run"]["steps_per_sample"]
    times, rest = divmod(steps - STEADY, period)
    pattern = counts[STEADY : STEADY + period]
    total: np.ndarray = counts[:STEADY].sum(axis=0) + times * pattern.sum(axis=0)
    return total + pattern[:rest].sum(axis=0)


def own_maps(replay: Replay, wanted: bool, steps: slice = slice(None)) -> dict[str, Any]:
    """Our own mapping of the same run: cores, mean step, and that over the measured map's.

    steps: those whose mean is taken.  The measured map is priced as ours is: an encoding that its
    compiler chose is no merit of a mapping.
    """
    if not wanted:
        return {}
    tiles = tuple(replace(tile, encoding=None) for tile in replay.layout.tiles)
    given_us = predict(replay, replace(replay.layout, tiles=tiles)).step_us[:, steps].mean()
    found = []
    for objective, as_many in OWN:
        most = replay.layout.cores if as_many else None
        start = time.perf_counter()
        layout = place(
            replay.network, replay.target, replay.rates, objective=objective, max_cores=most
        )
        taken = time.perf_counter() - start
        step_us = predict(replay, layout).step_us[:, steps]
        found.append({
            "objective": objective, "no_more_cores": as_many, "cores": layout.cores,
            "mean_step_us": float(step_us.mean()),
            "times_given_map": float(step_us.mean() / given_us),
            "seconds_to_map": round(taken, 1), "binding": layout.binding,
        })  # fmt: skip
    return {"own_maps": found}


def head(replay: Replay) -> dict[str, Any]:
    return {
        "target": replay.target.name,
        "source": replay.source.get("source", "SLAM-Lab/SANA-FE, docs/sana_fe.svg"),
        "given_map": {"cores": replay.layout.cores, "notes": list(replay.layout.notes)},
    }


def rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


RUNS: dict[str, Callable[[Path, bool], dict[str, Any]]] = {
    "pilotnet_lif_loihi2": run_pilotnet,
    "dvs_gesture_loihi1": run_dvs,
    "nxtf_mnist_loihi1": run_nxtf,
}


def data_folder(given: Path | None) -> Path:
    named = given or os.environ.get("SNNDEPLOY_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared/data"
    if not (folder / "silicon").is_dir():
        raise SystemExit(f"{folder} has no folder silicon; name the data's folder with --data")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="the folder that holds silicon/ and images/")
    parser.add_argument("--json", type=Path, help="write everything that was found")
    parser.add_argument("--only", choices=RUNS, help="one of the runs")
    parser.add_argument("--no-own-maps", action="store_true", help="the measured maps alone")
    parser.add_argument("--page", type=Path, help="docs/silicon.md, to be brought up to date")
    options = parser.parse_args()
    folder = data_folder(options.data)
    if options.json:
        check_writable(options.json)
    found: dict[str, Any] = {"schema": SCHEMA}
    for name, run in RUNS.items():
        if options.only in (None, name):
            found[name] = run(folder, not options.no_own_maps)
            show(name, found[name])
    if options.json:
        write_json(options.json, found)
    if options.page:
        from silicon_page import update

        update(found, options.page)


if __name__ == "__main__":
    try:
        main()
    except DeployError as error:
        raise SystemExit(f"silicon.py: {error}") from None
