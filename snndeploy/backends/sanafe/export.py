"""Network -> files of SANA-FE 2.2.9: an architecture and a mapped network that it loads and runs.

    chip.yaml      the target (`sanafe_chip.py`)
    network.net    neurons, synapses and mapping, in netlist format (`sanafe_network.py`)
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
neuron fires now and whether it counts as updated in the next step (`sanafe_network.CODES`).  The
chip is a full pipeline: population d is in its aligned step (step - d) modulo timesteps, from the
first step on.  The first step lacks the synapses of a step before it; steps 2 .. timesteps + 1
are whole.

*lif*: the network itself.  The soma's arithmetic in doubles equals ours as long as nothing
overflows: hard reset, no current memory, binary spikes, no delays; anything else is refused.  The
host's spikes are replayed once.

SANA-FE is GPL-3: nothing of it is imported or copied here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from snndeploy.backends.backend import refuse
from snndeploy.backends.sanafe.backend import ALLOWED
from snndeploy.backends.sanafe.chip import UNIT_NEURONS, architecture
from snndeploy.backends.sanafe.network import CODES, Netlist
from snndeploy.connections.encoding import encoding_of
from snndeploy.engines.engine import run_network
from snndeploy.errors import DataError, UnsupportedError
from snndeploy.files.writing import (
    check_folder,
    replacing_folder,
    write_bytes,
    write_json,
    write_text,
)
from snndeploy.layout.layout import Layout
from snndeploy.network import NO_CURRENT_MEMORY, Network, Population
from snndeploy.neurons import Lif, Reset
from snndeploy.program import Program
from snndeploy.target import Target
from snndeploy.timing.cycle_messages import FIRED, UPDATED
from snndeploy.timing.cycle_walk import SpikeRecorder, walk_of

Neurons = Literal["replay", "lif"]

LARGEST_SYNAPSES = 2_000_000  # SANA-FE takes 0.6 to 3 kB for each
CHIP_FILE, NETWORK_FILE, FACTS_FILE = "chip.yaml", "network.net", "export.json"
REPLAY_FOLDER = "replay"
SANAFE_VERSION = "2.2.9"


@dataclass(frozen=True)
class SanafeExport:
    """What was written.

    steps: to simulate; the first `skip` of them are not to be compared.
    free_synapses: triggered by the host's values, one a message, in `steps - skip` steps: SANA-FE
    counts them among its synaptic operations, we do not.
    host_spikes: of the host's neurons in those steps, which SANA-FE counts as neuron updates.
    """

    neurons: Neurons
    steps: int
    skip: int
    synapses: int
    free_synapses: int
    host_spikes: int
    notes: tuple[str, ...]
    sanafe: str = SANAFE_VERSION


def export_program(
    program: Program, folder: Path, *, sample: int = 0, neurons: Neurons = "replay"
) -> SanafeExport:
    """Export a compiled program with one of its golden samples as its activity.

    Raises:
        DeployError: see `export_sanafe`; or the program holds no such sample.
    """
    golden = program.golden
    if golden is None or not 0 <= sample < len(golden.x):
        raise DataError(f"the program holds no golden sample {sample} to replay; compile it again")
    check_exportable(program.network, program.layout, neurons)
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
    """Write the files; `sample` is the place, among those that `recorder` kept, of the activity.

    Raises:
        UnsupportedError: the network is too large for SANA-FE, or needs what it does not have.
        DeployError: the folder cannot be written.
    """
    check_folder(folder)
    check_exportable(network, layout, neurons)
    refuse(mixed_synapses(network, target))
    netlist = Netlist(network, layout, target, walk_of(network, layout), neurons == "replay")
    states = _states(netlist, recorder, sample)
    replay = _replay(netlist, states)
    held = [len(netlist.visited(sender)) for sender in range(layout.cores + 1)]
    chip = architecture(layout, target, held, set(replay), REPLAY_FOLDER)
    skip = 1 if netlist.replayed else 0
    host_spikes, host_values = _host_counts(netlist, states[skip:])
    export = SanafeExport(
        neurons=neurons,
        steps=len(states),
        skip=skip,
        synapses=sum(count for _, count in network.synapses()),
        free_synapses=host_values,
        host_spikes=host_spikes,
        notes=_notes(target),
    )
    with replacing_folder(folder) as part:
        (part / REPLAY_FOLDER).mkdir()
        for file, content in replay.items():
            write_bytes(part / file, content)
        write_text(part / CHIP_FILE, chip)
        write_text(part / NETWORK_FILE, "\n".join(netlist.lines()) + "\n")
        write_json(part / FACTS_FILE, asdict(export))
    return export


def check_exportable(network: Network, layout: Layout, neurons: Neurons) -> None:
    """Refuse what SANA-FE cannot load, or would compute differently."""
    found = list(ALLOWED.refusals(network, too_large(network, layout)))
    for population in network.populations if neurons == "lif" else ():
        reason = _unlike(network, population)
        if reason:
            said = f"{population.name}: SANA-FE's soma has no {reason}; export a replay instead"
            found.append(UnsupportedError(said, node=population.name, reason=reason))
    refuse(found)


def too_large(network: Network, layout: Layout) -> list[UnsupportedError]:
    """More synapses or chips than SANA-FE takes."""
    found = []
    synapses = sum(count for _, count in network.synapses())
    if synapses > LARGEST_SYNAPSES:
        said = (
            f"the network has {synapses:,} synapses; a SANA-FE export takes at most "
            f"{LARGEST_SYNAPSES:,}, since SANA-FE stores each one. Use --timing cycle instead"
        )
        found.append(UnsupportedError(said))
    if layout.board != (1, 1):
        said = (
            f"the network is mapped to a board of {layout.board[0]} x {layout.board[1]} chips; "
            "SANA-FE has one mesh without links between chips. Choose a smaller network"
        )
        found.append(UnsupportedError(said))
    return found


def mixed_synapses(network: Network, target: Target) -> list[UnsupportedError]:
    """Populations whose synapses are stored in several ways; SANA-FE prices those of one alike."""
    found = []
    for population in network.populations:
        ways = {encoding_of(p.connection, target) for p in network.incoming(population.name)}
        if len(ways) > 1:
            said = (
                f"{population.name} has {' and '.join(sorted(ways))} synapses; a SANA-FE export"
                " has one price for all that lead into a population. Use --timing cycle instead"
            )
            found.append(UnsupportedError(said, node=population.name))
    return found


def _unlike(network: Network, population: Population) -> str:
    """What SANA-FE's Loihi soma lacks to compute a population; "" when it lacks nothing."""
    neuron = population.neuron
    if not neuron.on_chip:
        return "graded spikes" if neuron.sends_graded else ""
    modes = {injection.mode for injection in network.injections_into(population.name)}
    checks = {
        "graded spikes": neuron.sends_integers,
        "values from the host": bool(modes & {"graded", "bias"}),
        "delays": any(
            p.delay or p.axonal_delay is not None for p in network.incoming(population.name)
        ),
        "rounding of a current that lives on": neuron.current_decay != NO_CURRENT_MEMORY,
        "reset by another amount than the threshold": (
            isinstance(neuron, Lif)
            and neuron.reset is Reset.SOFT
            and neuron.reset_amount != neuron.threshold
        ),
    }
    return next((name for name, holds in checks.items() if holds), "")


def _notes(target: Target) -> tuple[str, ...]:
    absent = {
        "energy.tile_local_hop_pj": "cost of a message within a tile",
        "energy.static_power_per_chip_w": "static power",
        "timing.backlog_messages": "steps that overlap",
        "timing.link_message_ns": "links that pass messages faster than they hop",
    }
    return tuple(
        f"SANA-FE has no {words}: {key} is left out"
        for key, words in absent.items()
        if target.has(key)
    )


def _states(netlist: Netlist, recorder: SpikeRecorder, sample: int) -> list[np.ndarray]:
    """The state of every neuron in every step to simulate."""
    network = netlist.network
    steps = network.timesteps + 1 if netlist.replayed else network.chip_steps
    wrapped = [step % network.timesteps if netlist.replayed else step for step in range(steps)]
    return [
        netlist.walk.state(recorder, sample, step, pipelined=netlist.replayed) for step in wrapped
    ]


def _replay(netlist: Netlist, states: list[np.ndarray]) -> dict[str, bytes]:
    """Files of the units that replay: a number for each of their neurons in each step."""
    next_states = [*states[1:], states[-1]]  # nobody asks what is updated after the last step
    codes = [
        CODES[(now & FIRED) // FIRED, (then & UPDATED) // UPDATED]
        for now, then in zip(states, next_states, strict=True)
    ]
    files = {}
    for sender in range(0 if netlist.replayed else netlist.layout.cores, netlist.layout.cores + 1):
        visited = netlist.visited(sender)
        for unit, first in enumerate(range(0, len(visited), UNIT_NEURONS)):
            mine = visited[first : first + UNIT_NEURONS]
            rows = np.concatenate([code[mine] for code in codes]).tolist()
            text = "\n".join(map(str, rows)) + "\n"
            files[f"{REPLAY_FOLDER}/{sender}_{unit}.txt"] = text.encode()
    return files


def _host_counts(netlist: Netlist, states: list[np.ndarray]) -> tuple[int, int]:
    """Spikes of the host's neurons, and how many of them stand for host values."""
    spikes, values = 0, 0
    for source in netlist.walk.sources:
        if source.from_host:
            part = slice(source.first, source.first + source.neurons)
            fired = sum(int(np.count_nonzero(state[part] & FIRED)) for state in states)
            spikes += fired
            values += 0 if isinstance(source.key, str) else fired
    return spikes, values
