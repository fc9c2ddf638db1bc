"""Network -> files of SANA-FE 2.2.9: an architecture and a mapped network that it loads and runs.

    chip.yaml      the target (`sanafe_chip.py`)
    network.net    neurons, synapses and mapping, in SANA-FE's netlist format
    replay/*.txt   what the neurons do, see below
    export.json    numbers that a comparison needs

In Python, inside that folder:

    arch = sanafe.load_arch("chip.yaml")
    chip = sanafe.SpikingChip(arch)
    chip.load(sanafe.load_net("network.net", arch, use_netlist_format=True))
    chip.sim(STEPS, timing_model="detailed", perf_trace="perf.csv")

Two kinds of neurons:

*replay*: every neuron does in every step what it did in a recorded sample, so that SANA-FE sees
our spikes whatever its neuron model.  Its Loihi soma adds a number from a file to the membrane
("noise"); with weights of zero, no memory and two thresholds that number alone says whether the
neuron fires now and whether it counts as updated in the next step (`CODES`).  The chip is a full
pipeline: population d is in its aligned step (step - d) modulo timesteps, from the first step on.
The first step lacks the synapses of a step before; steps 2 .. timesteps + 1 are whole.

*lif*: the network itself.  The soma's arithmetic in doubles equals ours as long as nothing
overflows: hard reset, no current memory, binary spikes, no delays; anything else is refused.  The
host's spikes are replayed once.

SANA-FE is GPL-3: nothing of it is imported or copied here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from snndeploy.backends.sanafe_chip import (
    FREE_SYNAPSES,
    NEURONS,
    PORT,
    SYNAPSES,
    architecture,
    host_slot,
    tile_number,
)
from snndeploy.errors import DataError, UnsupportedError
from snndeploy.files import check_folder, make_folder, write_bytes, write_json
from snndeploy.mapping.layout import Layout
from snndeploy.network import Conv, Network, Population, Projection
from snndeploy.program import Program
from snndeploy.simulator.cycle_messages import FIRED, SERVICE_BITS, UPDATED
from snndeploy.simulator.cycle_walk import Source, SpikeRecorder, Walk, walk_of
from snndeploy.simulator.engine import run_network
from snndeploy.target import Target

Neurons = Literal["replay", "lif"]

LARGEST_SYNAPSES = 2_000_000  # SANA-FE takes 0.6 to 3 kB for each
CHIP_FILE, NETWORK_FILE, REPLAY_FOLDER, FACTS_FILE = (
    "chip.yaml", "network.net", "replay", "export.json",
)  # fmt: skip

# Membrane that the file adds, by (fires now, is updated in the next step).  Above THRESHOLD the
# neuron fires and THRESHOLD is subtracted; what remains below FLOOR is cleared; a membrane that is
# not zero is an update in the next step, which then forgets it.
THRESHOLD, FLOOR = 100, 10
CODES = np.array([[0, 50], [101, 121]])
REPLAYED = (
    f"threshold={THRESHOLD} reset_mode=soft reverse_threshold={FLOOR} reverse_reset_mode=hard"
    " reverse_reset=0 leak_decay=0 input_decay=0"
)
NEVER = 1e12  # threshold of an integrator


@dataclass(frozen=True)
class SanafeExport:
    """What was written.

    steps: to simulate; the first `skip` of them are not to be compared.
    free_synapses: triggered by the host's values, one a message, in `steps - skip` steps: SANA-FE
    counts them among its synaptic operations, we do not.
    host_spikes: of the host's neurons in those steps, which SANA-FE counts as neuron updates.
    """

    folder: str
    neurons: Neurons
    steps: int
    skip: int
    synapses: int
    free_synapses: int
    host_spikes: int
    notes: tuple[str, ...]


def export_program(
    program: Program, folder: Path, neurons: Neurons = "replay", sample: int = 0
) -> SanafeExport:
    """Export a compiled program with one of its golden samples as its activity."""
    golden = program.golden
    if golden is None or not 0 <= sample < len(golden.x):
        raise DataError(f"the program holds no golden sample {sample} to replay; compile it again")
    injected = {index: values[sample : sample + 1] for index, values in golden.injected.items()}
    recorder = SpikeRecorder(program.network)
    for index, values in injected.items():
        recorder.observe_injection(index, values)
    run_network(program.network, injected, observer=recorder, samples=1)
    return export_sanafe(
        program.network, program.layout, program.target, folder, recorder, neurons=neurons
    )


def export_sanafe(
    network: Network,
    layout: Layout,
    target: Target,
    folder: Path,
    recorder: SpikeRecorder,
    *,
    sample: int = 0,
    neurons: Neurons = "replay",
) -> SanafeExport:
    """Write the files; `sample` is the number, among those that `recorder` kept, to replay.

    Raises:
        UnsupportedError: the network is too large for SANA-FE, or needs what it does not have.
    """
    check_folder(folder)
    synapses = sum(count for _, count in network.synapses())
    _check(network, layout, neurons, synapses)
    walk = walk_of(network, layout)
    writer = _Writer(network, layout, target, walk, neurons)
    text = "\n".join(writer.lines()) + "\n"
    steps, replay, facts = writer.replay(recorder, sample)
    make_folder(folder / REPLAY_FOLDER)
    files = {sender: f"{REPLAY_FOLDER}/{sender}.txt" for sender in replay}
    for sender, content in replay.items():
        write_bytes(folder / files[sender], content)
    held = [*(np.diff(walk.first)[:-1] + 1).tolist(), max(1, int(np.diff(walk.first)[-1]))]
    write_bytes(folder / CHIP_FILE, architecture(layout, target, held, files).encode())
    write_bytes(folder / NETWORK_FILE, text.encode())
    skip = 1 if neurons == "replay" else 0
    export = SanafeExport(str(folder), neurons, steps, skip, synapses, *facts, notes=_notes(target))
    written = {**asdict(export), "folder": ".", "sanafe": "2.2.9"}
    write_json(folder / FACTS_FILE, written)
    return export


def _check(network: Network, layout: Layout, neurons: Neurons, synapses: int) -> None:
    """Refuse what SANA-FE cannot load, or would compute differently."""
    if synapses > LARGEST_SYNAPSES:
        raise UnsupportedError(
            f"the network has {synapses:,} synapses; a SANA-FE export takes at most "
            f"{LARGEST_SYNAPSES:,}, since SANA-FE stores each one. Use --timing cycle instead"
        )
    if layout.board != (1, 1):
        raise UnsupportedError(
            f"the network is mapped to a board of {layout.board[0]} x {layout.board[1]} chips; "
            "SANA-FE has one mesh without links between chips. Choose a smaller network"
        )
    if neurons == "replay":
        return
    for population in network.populations:
        reason = _unlike(network, population)
        if reason:
            raise UnsupportedError(
                f"{population.name}: SANA-FE's soma has no {reason}; export with neurons 'replay'",
                node=population.name, reason=reason,
            )  # fmt: skip


def _unlike(network: Network, population: Population) -> str:
    """What SANA-FE's Loihi soma lacks to compute a population; "" when it lacks nothing."""
    modes = {i.mode for i in network.injections_into(population.name)}
    delayed = any(
        p.delay or p.axonal_delay is not None for p in network.incoming(population.name)
    )
    checks = {
        "graded spikes": population.sends_graded or population.kind == "relay",
        "values from the host": bool(modes & {"graded", "bias"}),
        "delays": delayed,
    }
    if population.kind in ("lif", "integrator"):
        checks["rounding of the current"] = population.current_decay != 4096
        checks["reset by another amount than the threshold"] = (
            population.reset == "soft" and population.reset_amount != population.threshold
        )
    return next((name for name, holds in checks.items() if holds), "")


def _notes(target: Target) -> tuple[str, ...]:
    notes = []
    if target.has("energy.tile_local_hop_pj"):
        notes.append("SANA-FE has no cost of a message within a tile: energy.tile_local_hop_pj")
    if target.has("energy.static_power_per_chip_w"):
        notes.append("SANA-FE has no static power: energy.static_power_per_chip_w")
    return tuple(notes)


class _Writer:
    """Lines of the netlist: groups (one a population or injection), edges, mapping."""

    def __init__(
        self, network: Network, layout: Layout, target: Target, walk: Walk, neurons: Neurons
    ) -> None:
        self.network, self.layout, self.target = network, layout, target
        self.walk, self.neurons = walk, neurons
        self.group = {source.key: number for number, source in enumerate(walk.sources)}
        self.ports = len(walk.sources)  # a group of one neuron a core that receives host values
        self.has_ports = any(not isinstance(source.key, str) for source in walk.sources)

    def lines(self) -> Iterator[str]:
        for source in self.walk.sources:
            behaviour = REPLAYED if self._replays(source) else self._lif(str(source.key))
            units = f"synapse_hw_name={SYNAPSES} soma_hw_name={NEURONS}"
            yield f"g {source.neurons} {units} {behaviour}"
        if self.has_ports:
            yield f"g {self.layout.cores} synapse_hw_name={FREE_SYNAPSES} soma_hw_name={PORT}"
        if self.neurons == "lif":
            for source in self.walk.sources:
                yield from self._biases(source)
        for projection in self.network.projections:
            yield from self._edges(projection)
        for source in self.walk.sources:
            if not isinstance(source.key, str):
                yield from self._port_edges(source)
        yield from self._mapping()

    def _replays(self, source: Source) -> bool:
        return self.neurons == "replay" or source.from_host

    def _lif(self, name: str) -> str:
        """Attributes in units of the synaptic sum: the membrane over 64."""
        population = self.network.by_name[name]
        threshold = population.threshold if population.kind == "lif" else NEVER
        keep = (4096 - population.membrane_decay) / 4096
        return (
            f"threshold={threshold} reset_mode={population.reset} reset=0"
            f" leak_decay={keep!r} input_decay=0"
        )

    def _biases(self, source: Source) -> Iterator[str]:
        population = self.network.by_name[str(source.key)]
        if population.bias is None or source.from_host:
            return
        mantissa = np.asarray(population.bias, dtype=np.int64)
        if mantissa.ndim == 1:
            mantissa = mantissa[:, None, None]
        exponent = population.bias_exponent
        bias = mantissa << exponent if exponent >= 0 else mantissa >> -exponent
        values = np.broadcast_to(bias, population.shape).ravel() / 64
        for neuron in np.flatnonzero(values).tolist():
            yield f"n {self.group[source.key]}.{neuron} bias={float(values[neuron])!r}"

    def _edges(self, projection: Projection) -> Iterator[str]:
        source, target = self.group[projection.source], self.group[projection.target]
        for pre, post, weight in synapses_of(self.network, projection):
            if self.neurons == "replay":
                weight = np.zeros_like(weight)
            rows = zip(pre.tolist(), post.tolist(), weight.tolist(), strict=True)
            for one, other, value in rows:
                yield f"e {source}.{one}->{target}.{other} w={value}"

    def _port_edges(self, source: Source) -> Iterator[str]:
        """One free synapse from every host value to the port of its core."""
        group = self.group[source.key]
        for neuron, offset in enumerate(self._offsets(source).tolist()):
            row = self.walk.row[source.first + neuron]
            for entry in range(self.walk.row_start[row], self.walk.row_start[row + 1]):
                yield f"e {group}.{offset}->{self.ports}.{self.walk.core[entry]} w=0"

    def _offsets(self, source: Source) -> np.ndarray:
        """Number within its group (C, H, W) of each neuron in the walk's numbering (H, W, C)."""
        name = source.key if isinstance(source.key, str) else (
            self.network.injections[source.key].target
        )
        channels, height, width = self.network.by_name[name].shape
        numbers = np.arange(source.neurons).reshape(channels, height, width)
        return np.moveaxis(numbers, 0, -1).ravel()

    def _mapping(self) -> Iterator[str]:
        """Neurons in the order in which their cores visit them."""
        group = np.concatenate(
            [np.full(source.neurons, self.group[source.key]) for source in self.walk.sources]
        )
        offset = np.concatenate([self._offsets(source) for source in self.walk.sources])
        for sender in range(self.layout.cores + 1):
            at = f"0.{host_slot(self.layout, self.target)}"
            if sender < self.layout.cores:
                tile = tile_number(self.layout, sender)
                at = f"{tile}.{self.layout.positions[sender, 2]}"
            for neuron in self._visited(sender).tolist():
                yield f"& {group[neuron]}.{offset[neuron]}@{at}"
            if self.has_ports and sender < self.layout.cores:
                yield f"& {self.ports}.{sender}@{at}"

    def _visited(self, sender: int) -> np.ndarray:
        return self.walk.order[self.walk.first[sender] : self.walk.first[sender + 1]]

    def replay(
        self, recorder: SpikeRecorder, sample: int
    ) -> tuple[int, dict[int, bytes], tuple[int, int]]:
        """Steps; the file of every core that replays, by number; free synapses, host spikes."""
        pipelined = self.neurons == "replay"
        timesteps = self.network.timesteps
        steps = timesteps + 1 if pipelined else self.network.chip_steps
        states = [
            self.walk.state(
                recorder, sample, step % timesteps if pipelined else step, pipelined=pipelined
            )
            for step in range(steps)
        ]
        following = [*states[1:], states[1 % steps] if pipelined else states[-1]]
        senders = [self.layout.cores] if not pipelined else range(self.layout.cores + 1)
        codes = [
            CODES[(now & FIRED) // FIRED, (then & UPDATED) // UPDATED]
            for now, then in zip(states, following, strict=True)
        ]
        files = {}
        for sender in senders:
            visited = self._visited(sender)
            rows = ("\n".join(map(str, code[visited].tolist())) for code in codes if len(visited))
            content = "\n".join(rows)
            if content:
                files[sender] = (content + "\n").encode()
        return steps, files, self._host_facts(states[1:] if pipelined else states)

    def _host_facts(self, states: list[np.ndarray]) -> tuple[int, int]:
        host = self._visited(self.layout.cores)
        values = np.zeros(len(self.walk.row), dtype=bool)
        for source in self.walk.sources:
            if not isinstance(source.key, str):
                values[source.first : source.first + source.neurons] = True
        fired = [(state[host] & FIRED) > 0 for state in states]
        free = sum(int((now & values[host]).sum()) for now in fired)
        return free, sum(int(now.sum()) for now in fired)


def synapses_of(
    network: Network, projection: Projection
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Every synapse, in parts: source neuron, target neuron (C, H, W order) and its weight."""
    source, target = (network.by_name[name] for name in (projection.source, projection.target))
    connection = projection.connection
    weight = connection.weight.astype(np.int64)
    if projection.exponent >= 0:
        scaled = weight << projection.exponent
    else:
        scaled = weight / 2.0**-projection.exponent
    channels, height, width = source.shape
    number = np.arange(source.neurons).reshape(source.shape)
    if not isinstance(connection, Conv):
        rows, columns = (
            size * pool for size, pool in zip(weight.shape[2:], connection.pool, strict=True)
        )
        spread = scaled.repeat(connection.pool[0], axis=2).repeat(connection.pool[1], axis=3)
        pre = np.broadcast_to(number[None, :, :rows, :columns], spread.shape)
        post = np.broadcast_to(np.arange(len(weight))[:, None, None, None], spread.shape)
        yield pre.ravel(), post.ravel(), spread.ravel()
        return
    outputs = np.arange(target.neurons).reshape(target.shape)
    group_out, group_in = len(weight) // connection.groups, weight.shape[1]
    for tap_y in range(weight.shape[2]):
        for tap_x in range(weight.shape[3]):
            y = np.arange(target.shape[1]) * connection.stride[0] - connection.padding[0]
            x = np.arange(target.shape[2]) * connection.stride[1] - connection.padding[1]
            y, x = y + tap_y * connection.dilation[0], x + tap_x * connection.dilation[1]
            inside_y, inside_x = (y >= 0) & (y < height), (x >= 0) & (x < width)
            for group in range(connection.groups):
                out = slice(group * group_out, (group + 1) * group_out)
                into = slice(group * group_in, (group + 1) * group_in)
                pre = number[into][:, y[inside_y]][:, :, x[inside_x]]
                post = outputs[out][:, inside_y][:, :, inside_x]
                shape = (group_out, group_in, *pre.shape[1:])
                value = scaled[out, :, tap_y, tap_x][:, :, None, None]
                parts = (pre[None], post[:, None], value)
                yield tuple(np.broadcast_to(part, shape).ravel() for part in parts)  # type: ignore[misc]
