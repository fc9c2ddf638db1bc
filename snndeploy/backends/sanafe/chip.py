"""A target as a SANA-FE architecture file: one chip, its tiles, and one entry for every core.

Beside the target's cores, tile 0 gets one more: the host, whose units cost nothing, because
SANA-FE knows no sender but a neuron on a core.  Every core has, beside its own units, a synapse
and a soma without cost, on which a neuron may stand that only receives host values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from snndeploy.connections.encoding import COUNTERS, Encoding
from snndeploy.layout.layout import Layout
from snndeploy.target import Target
from snndeploy.target.events import DEFAULT_LINK_BUFFER, LINK_BUFFER, nanoseconds, picojoules

PICO, NANO = 1e-12, 1e-9
FREE_SYNAPSES, PORT = "free_synapses", "port"
SYNAPSES: dict[Encoding, str] = {  # a unit for each way of storing weights, at its own price
    "dense": "synapses", "sparse": "sparse_synapses", "conv": "conv_synapses",
}  # fmt: skip
UNIT_NEURONS = 1024  # what a soma or dendrite unit of SANA-FE holds

OPERATIONS = {  # SANA-FE's name: the event, by its counter
    "message_in": "messages_in",
    "access_neuron": "neuron_accesses",
    "update_neuron": "neuron_updates",
    "spike_out": "spikes",
    "message_out": "messages_out",
    "east_hop": "hops_east_west",
    "west_hop": "hops_east_west",
    "north_hop": "hops_north_south",
    "south_hop": "hops_north_south",
}
HOPS = ("north_hop", "east_hop", "south_hop", "west_hop")
SOMA = ("access_neuron", "update_neuron", "spike_out")


def tile_number(layout: Layout, core: int) -> int:
    """SANA-FE counts tiles column by column."""
    x, y = layout.positions[core, :2].tolist()
    return int(x) * layout.mesh[1] + int(y)


def host_slot(layout: Layout, target: Target) -> int:
    """The host's place among the cores of tile 0."""
    used = layout.positions[:, 2].max(initial=-1) + 1
    return max(target.cores_per_tile, int(used))


def soma_unit(number: int) -> str:
    """Name of a core's soma unit."""
    return f"soma_{number}"


def dendrite_unit(number: int) -> str:
    """Name of a core's dendrite unit."""
    return f"dendrite_{number}"


def architecture(
    layout: Layout, target: Target, neurons: Sequence[int], files: Collection[str], folder: str
) -> str:
    """The YAML text.

    neurons: how many neurons each core, and last the host, must hold.  files: of them, those named
    FOLDER/CORE_UNIT.txt are read by that unit's soma (`sanafe.py`); the host is the last core.
    """
    costs = {name: _cost(target, counter) for name, counter in OPERATIONS.items()}
    costs |= {unit: _cost(target, COUNTERS[way]) for way, unit in SYNAPSES.items()}
    free = dict.fromkeys(costs, (0.0, 0.0))
    core_at = {
        (tile_number(layout, core), int(layout.positions[core, 2])): core
        for core in range(layout.cores)
    }
    slots = host_slot(layout, target)
    lines = [
        "architecture:",
        f"  name: {target.name}",
        f"  attributes: {_attributes(_mesh(layout, target))}",
        "  tile:",
    ]
    for tile in range(layout.mesh[0] * layout.mesh[1]):
        lines += [
            f"    - name: tile_{tile}",
            f"      attributes: {_attributes(_units(costs, HOPS))}",
        ]
        lines.append("      core:")
        for slot in range(slots):
            core = core_at.get((tile, slot), -1)
            holds = neurons[core] if core >= 0 else 0
            lines += _core(f"core_{slot}", costs, holds, _files(files, folder, core))
        if tile == 0:
            lines += _core("host", free, neurons[-1], _files(files, folder, layout.cores))
    return "\n".join(lines) + "\n"


def _files(files: Collection[str], folder: str, core: int) -> dict[int, str]:
    """The file of each unit of a core that reads one."""
    names = {unit: f"{folder}/{core}_{unit}.txt" for unit in range(len(files))}
    return {unit: name for unit, name in names.items() if name in files}


def _mesh(layout: Layout, target: Target) -> dict[str, object]:
    """Size of the chip, buffers, and the barrier by number of mapped tiles."""
    counts = range(1, layout.mesh[0] * layout.mesh[1] + 1)
    barriers = [target.barrier_ns(count) * NANO for count in counts]
    changes = [0, *(i for i in range(1, len(barriers)) if barriers[i] != barriers[i - 1])]
    table = ", ".join(f"{counts[i]}: {barriers[i]:.12g}" for i in changes)
    room = target.number(LINK_BUFFER) if target.has(LINK_BUFFER) else DEFAULT_LINK_BUFFER
    return {
        "topology": "mesh", "width": layout.mesh[0], "height": layout.mesh[1],
        "link_buffer_size": int(room), "sync_model": "table", "latency_sync": f"{{{table}}}",
    }  # fmt: skip


def _core(
    name: str, costs: Mapping[str, tuple[float, float]], holds: int, noise: Mapping[int, str]
) -> list[str]:
    """A core for `holds` neurons and one port."""
    nothing = dict.fromkeys(costs, (0.0, 0.0))
    dendrite = {"model": "accumulator", "energy_update": 0, "latency_update": 0}
    soma = {"model": "leaky_integrate_fire", **_units(costs, SOMA)}
    numbers = range(max(1, -(-holds // UNIT_NEURONS)))
    rows: dict[str, list[tuple[str, Mapping[str, object]]]] = {
        "axon_in": [("axon_in", _units(costs, ("message_in",)))],
        "synapse": [
            *((unit, _synapses(costs[unit])) for unit in SYNAPSES.values()),
            (FREE_SYNAPSES, _synapses((0.0, 0.0))),
        ],
        "dendrite": [
            *((dendrite_unit(number), dendrite) for number in numbers),
            (f"{PORT}_dendrite", dendrite),
        ],
        "soma": [
            *((soma_unit(number), {**soma, **_noise(noise, number)}) for number in numbers),
            (PORT, {"model": "input", **_units(nothing, SOMA)}),
        ],
        "axon_out": [("axon_out", _units(costs, ("message_out",)))],
    }
    attributes = {
        "buffer_position": "soma", "buffer_inside_unit": "false",
        "max_neurons_supported": holds + 1,
    }  # fmt: skip
    lines = [f"        - name: {name}", f"          attributes: {_attributes(attributes)}"]
    for section, units in rows.items():
        lines.append(f"          {section}:")
        lines += [
            f"            - {{name: {unit}, attributes: {_attributes(values)}}}"
            for unit, values in units
        ]
    return lines


def _synapses(cost: tuple[float, float]) -> dict[str, object]:
    return {"model": "current_based", **_units({"process_spike": cost}, ("process_spike",))}


def _noise(noise: Mapping[int, str], unit: int) -> dict[str, object]:
    return {"noise": noise[unit]} if unit in noise else {}


def _units(costs: Mapping[str, tuple[float, float]], names: Sequence[str]) -> dict[str, object]:
    """Energy in joules and latency in seconds of some operations, as SANA-FE names them."""
    values: dict[str, object] = {}
    for name in names:
        values[f"energy_{name}"] = f"{costs[name][0]:.12g}"
        values[f"latency_{name}"] = f"{costs[name][1]:.12g}"
    return values


def _cost(target: Target, counter: str) -> tuple[float, float]:
    return picojoules(target, counter) * PICO, nanoseconds(target, counter) * NANO


def _attributes(values: Mapping[str, object]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in values.items()) + "}"
