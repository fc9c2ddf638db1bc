"""The runs that were measured on silicon, replayed: networks, inputs, resets and core maps.

Every replay is in *chip time*, as a chip's counters are: step k is the chip's, all populations
are stepped in each of them, and a spike of one step arrives in the next.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.connections import Conv, Dense
from snndeploy.engines.engine import run_network
from snndeploy.frontend.netx.reader import InputNeuron, load_netx
from snndeploy.layout.layout import Layout
from snndeploy.mapping import given_layout
from snndeploy.mapping.arrange import row_major
from snndeploy.mapping.strips import boxes_of
from snndeploy.network import Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Lif
from snndeploy.target import Target

CHIP_STEPS = 128
INPUT_EXPONENT = 6
LISTED = 4  # the layer of DVS gesture whose cores the source lists as ranges of numbers
NXTF_ENCODING = "sparse"  # synapse_encoding of the notebook
TRACES = Path(__file__).resolve().parents[1] / "tests"  # where the wheel is fetched and checked


@dataclass(frozen=True, eq=False)
class Replay:
    """A run in chip time.

    network: every population at depth 0.  spikes, updated: by population, uint8 (samples, steps,
        C, H, W).  layout: the measured map.  source: what was measured, as the data folder has it.
    """

    name: str
    network: Network
    target: Target
    layout: Layout
    spikes: dict[str, np.ndarray]
    updated: dict[str, np.ndarray]
    source: dict[str, Any]

    @property
    def rates(self) -> dict[str, float]:
        """Spikes a neuron and step of every population."""
        return {name: float(values.mean()) for name, values in self.spikes.items()}


# Loihi 2: PilotNet LIF, silent input


def pilotnet(data: Path, chip: str = "loihi2", steps: int = CHIP_STEPS) -> Replay:
    """PilotNet LIF as Intel's benchmark ran it: no frame reached it, a reset every 16 steps."""
    source = _json(data / "silicon/pilotnet_lif_loihi2.json")
    run, target = source["run"], Target.load(chip)
    period = int(run["reset_interval"])
    network = load_netx(pilotnet_file(), period, apply_input_transform=False)
    silence = np.zeros((1, *network.populations[0].shape), dtype=np.int32)
    first = int(run["reset_offset"])  # steps of the input before its first reset
    start = _recorded(in_chip_time(network, first + network.depth), silence)
    sample = _recorded(network, silence)
    layout = _placed(_pilotnet_boxes(network, source["allocation"]), network, target)
    return Replay(
        "pilotnet_lif_loihi2", in_chip_time(network, steps), target, layout,
        *(_joined(network, *pieces, first, steps) for pieces in zip(start, sample, strict=True)),
        source,
    )  # fmt: skip


def pilotnet_file() -> Path:
    """`network.net` of the lava-dl wheel, which is downloaded once and checked by its hash."""
    sys.path.insert(0, str(TRACES))
    from recordings import cache_folder, network_file

    return network_file("gts/pilotnet_lif/network.net", cache_folder())


def _joined(
    network: Network,
    start: dict[str, np.ndarray],
    sample: dict[str, np.ndarray],
    first: int,
    steps: int,
) -> dict[str, np.ndarray]:
    """What each layer does until its first reset, which reaches one layer a step, and then the
    same sample again and again, since its input and biases are constant."""
    found = {}
    for population in network.populations:
        before = start[population.name][:, : first + population.depth]
        times = -(-steps // network.timesteps)
        repeated = np.concatenate([before, *[sample[population.name]] * times], axis=1)
        found[population.name] = repeated[:, :steps]
    return found


def _pilotnet_boxes(network: Network, allocation: Sequence[dict[str, Any]]) -> Iterator[Any]:
    """The box and share of every core, in the order of the source."""
    for entry in allocation:  # dense10 first, and every layer backwards
        shape = network.by_name[entry["layer"]].shape
        share = entry["share_width_height_channels"]
        size = share[::-1] if share else (-(-shape[0] // entry["cores"]), 1, 1)
        boxes = _cut(entry["layer"], shape, size, bool(share))
        assert len(boxes) == entry["cores"], f"{entry['layer']}: {len(boxes)} cores"
        yield from ([box] for box in boxes)


def _cut(
    layer: str, shape: Sequence[int], size: Sequence[int], alike: bool
) -> list[dict[str, Any]]:
    """Boxes of one size along every axis; alike: the last ones keep the full room."""
    ranges = [
        [(start, min(start + step, edge)) for start in range(0, edge, step)]
        for edge, step in zip(shape, size, strict=True)
    ]
    return [
        {"layer": layer, "channels": list(c), "rows": list(r), "columns": list(x)}
        | ({"share": list(size)} if alike else {})
        for c in ranges[0]
        for r in ranges[1]
        for x in ranges[2]
    ]


# Loihi 1: DVS gesture


def dvs_gesture(data: Path, chip: str = "loihi1", *, by_channel: bool = True) -> Replay:
    """The convolutional network of SANA-FE's DVS challenge: 128 steps from zero, no reset.

    by_channel: how the cores of layer 4 are read.  The source numbers neurons, and gives these
    cores 0-98, 99-197 ...: a channel and two rows of the next each, in the order (channel, row,
    column) in which SANA-FE's own code numbers them, or else a row each.  Only the cores of the
    layers before it show an order by themselves: they are boxes with the channel last.
    """
    source = _json(data / "silicon/dvs_gesture_mapping.json")
    with np.load(data / "silicon/dvs_gesture_weights.npz") as arrays:
        weights = {name: arrays[name] for name in arrays.files}
    network, target = _dvs_network(source, weights), Target.load(chip)
    drive = weights["inputs"].reshape(1, *source["shapes"][0]).astype(np.int32)
    cores = [
        ([*core["tile"], core["core_in_tile"]], _dvs_boxes(core, source["shapes"], by_channel))
        for core in source["cores"]
    ]
    spikes, updated = _recorded(in_chip_time(network, CHIP_STEPS), drive)
    layout = _given(cores, network, target)
    in_time = in_chip_time(network, CHIP_STEPS)
    table = np.loadtxt(data / "silicon/dvs_gesture_step_us.csv", delimiter=",", skiprows=1)
    measured = {"steps": table[:, 0].astype(int).tolist(), "measured": table[:, 1].tolist(),
                "sana_fe": table[:, 2].tolist()}  # fmt: skip
    return Replay(
        "dvs_gesture_loihi1", in_time, target, layout, spikes, updated, {**source, **measured}
    )


def _dvs_boxes(
    core: dict[str, Any], shapes: Sequence[Sequence[int]], by_channel: bool
) -> list[dict[str, Any]]:
    """The boxes of a core: the one that the data say, or the same numbers counted by channel."""
    axes, layer = ("channels", "rows", "columns"), int(core["layer"])
    boxes = [tuple((start, stop) for start, stop in (core[axis] for axis in axes))]
    if layer == LISTED and by_channel:
        channels, height, width = shapes[layer]
        first, last = (row * width * channels for row in core["rows"])
        boxes = list(boxes_of((channels, height, width), first, last))
    return [
        {"layer": f"layer{layer}", **dict(zip(axes, map(list, box), strict=True))} for box in boxes
    ]


def _dvs_network(source: dict[str, Any], weights: dict[str, np.ndarray]) -> Network:
    """Weights are stored (row, column, in, out), the dense ones (row, column, channel; out)."""
    shapes = [tuple(shape) for shape in source["shapes"]]
    populations = tuple(
        Population(
            f"layer{depth}",
            shape,
            Lif(membrane_decay=1, threshold=int(threshold)),
            depth=depth,
        )
        for depth, (shape, threshold) in enumerate(zip(shapes, weights["thresholds"], strict=True))
    )
    kernels = [
        Conv(
            weights[f"conv{n}"].transpose(3, 2, 0, 1).astype(np.int16),
            stride=(source["strides"][n - 1],) * 2,
        )
        for n in range(1, 5)
    ]
    channels, height, width = shapes[-2]
    dense = weights["dense1"].T.reshape(shapes[-1][0], height, width, channels)
    connections = [*kernels, Dense(dense.transpose(0, 3, 1, 2).astype(np.int16))]
    projections = tuple(
        Projection(f"layer{n}->layer{n + 1}", f"layer{n}", f"layer{n + 1}", connection)
        for n, connection in enumerate(connections)
    )
    drive = Injection("layer0", "input", "bias", exponent=INPUT_EXPONENT)
    readout = Readout(populations[-1].name, "count")
    return Network(source["timesteps"], populations, projections, (drive,), readout)


# Loihi 1: NxTF's MNIST network


def nxtf_mnist(data: Path, chip: str = "loihi1", images: int = 8) -> Replay:
    """NxTF's convolutional network on digits; every image from zero, 512 steps."""
    source = _json(data / "silicon/nxtf_mnist_loihi1.json")
    neuron = InputNeuron(**source["input_neuron"])
    steps, target = int(source["timesteps"]), Target.load(chip)
    network = load_netx(data / "silicon/nxtf_mnist.net", steps, input_neuron=neuron)
    with np.load(data / "images/mnist5k.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    chosen = np.linspace(0, len(x) - 1, images).astype(int)
    pixels = x[chosen].reshape(images, 1, 28, 28) / 255.0
    drive = network.injections[0].quantize(pixels)
    in_time = in_chip_time(network, steps)
    spikes, updated = _recorded(in_time, drive)
    votes = spikes[network.populations[-1].name].sum(axis=(1, 3, 4))
    right = int((votes.argmax(axis=1) == y[chosen]).sum())
    layout = _placed(_nxtf_boxes(network, source["map"]), network, target)
    said = {**source, "images": images, "correct": right}
    return Replay("nxtf_mnist_loihi1", in_time, target, layout, spikes, updated, said)


def _nxtf_boxes(network: Network, entries: Sequence[dict[str, Any]]) -> Iterator[Any]:
    for entry, population in zip(entries, network.populations, strict=True):
        listed = [
            ranges if isinstance(ranges[0], list) else [ranges]
            for ranges in (entry["channels"], entry["rows"], entry["columns"])
        ]
        for channels in listed[0]:
            for rows in listed[1]:
                for columns in listed[2]:
                    box = {"channels": channels, "rows": rows, "columns": columns}
                    yield [{"layer": population.name, **box, "encoding": NXTF_ENCODING}]


# what they share


def in_chip_time(network: Network, steps: int) -> Network:
    """The same chip with all depths 0, so that each synapse is one step late."""
    populations = tuple(replace(p, depth=0) for p in network.populations)
    return replace(network, timesteps=steps, populations=populations)


def _recorded(
    network: Network, drive: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Spikes and updates of every population, by its own steps."""
    spikes: dict[str, list[np.ndarray]] = {p.name: [] for p in network.populations}
    updated: dict[str, list[np.ndarray]] = {p.name: [] for p in network.populations}

    def observe(population: Population, sent: np.ndarray, marks: np.ndarray | None) -> None:
        assert marks is not None, "every population is on the chip"
        spikes[population.name].append(sent.copy())
        updated[population.name].append(marks.copy())

    run_network(network, {0: drive}, observer=observe, samples=len(drive))
    found = [{name: np.concatenate(parts) for name, parts in kept.items()}
             for kept in (spikes, updated)]  # fmt: skip
    return found[0], found[1]


def _placed(cores: Iterator[Any], network: Network, target: Target) -> Layout:
    """Cores whose places are not known, router by router."""
    boxes = list(cores)
    _, places = row_major(len(boxes), target)
    return _given(list(zip(places.tolist(), boxes, strict=True)), network, target)


def _given(cores: Sequence[tuple[Any, Any]], network: Network, target: Target) -> Layout:
    """The layout of a core map, through the file that `compile --map` reads."""
    listed = [{"place": place, "boxes": boxes} for place, boxes in cores]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.json"
        path.write_text(json.dumps({"schema": "snndeploy.map/1", "cores": listed}))
        return given_layout(path, network, target)


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
