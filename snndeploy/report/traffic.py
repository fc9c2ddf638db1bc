"""The report's traffic by layer and by chip step, its busiest cores and links, and real time."""

from __future__ import annotations

from typing import Any

import numpy as np

from snndeploy.layout.layout import Layout
from snndeploy.program import Program
from snndeploy.simulator.run import Simulation
from snndeploy.target import MARKS, Target
from snndeploy.target.events import HOST_LINK
from snndeploy.timing.analytic import BOUNDS
from snndeploy.timing.hotspots import BARRIER, LINK, RECEIVE, SEND, Hotspots

BUSIEST = 8  # cores and links that are listed
MESSAGE_BITS = "formats.message_bits"
COUNTS = {  # in the report: what is added up
    "spikes": ("spikes",),
    "messages": ("messages_out",),
    "messages_from_host": ("host_messages",),
    "hops": ("hops",),
    "inter_chip_hops": ("hops_inter_chip",),
    "synaptic_operations": ("synaptic_operations",),
    "neuron_updates": ("neuron_updates",),
    "host_io_bytes": ("host_bytes_in", "host_bytes_out"),
}
NOT_OF_INPUTS = ("spikes", "messages", "neuron_updates")  # an input has no neuron on the chip
DOING = {SEND: "sending", RECEIVE: "receiving"}


def traffic(program: Program, simulation: Simulation) -> dict[str, Any]:
    """The whole part: totals a sample, then by layer, by step, cores and links."""
    totals, target = simulation.totals, program.target
    found: dict[str, Any] = {
        "messages_per_sample": totals["messages_out"],
        "messages_received_per_sample": totals["messages_in"],
        "hops_per_sample": sum(
            totals[f"hops_{kind}"] for kind in ("east_west", "north_south", "inter_chip")
        ),
        "inter_chip_hops_per_sample": totals["hops_inter_chip"],
        "host_io_bytes_per_sample": totals["host_bytes_in"] + totals["host_bytes_out"],
        "max_link_load": simulation.largest_link_load,
        "neuron_updates_per_sample": totals["neuron_updates"],
    }
    if target.has(MESSAGE_BITS):
        found["message_bytes_per_sample"] = totals["messages_in"] * _message_bytes(target)
    layers = _by_layer(program, simulation)
    found["layers"] = [_layer_row(program, name, counts) for name, counts in layers.items()]
    found["steps"] = _step_rows(program, simulation, layers)
    found["busiest_cores"] = _core_rows(program.layout, simulation.hotspots)
    found["busiest_links"] = _link_rows(program.layout, simulation.hotspots)
    return found


def _by_layer(program: Program, simulation: Simulation) -> dict[str, dict[str, np.ndarray]]:
    """Mean counts a sample by population and name, float64 (steps,)."""
    found = {}
    for population in program.network.populations:
        sums = simulation.layer_traffic[population.name]
        counts = {
            name: np.sum([sums[part] for part in parts], axis=0) / simulation.samples
            for name, parts in COUNTS.items()
            if not (not population.neuron.on_chip and name in NOT_OF_INPUTS)
        }
        if program.target.has(MESSAGE_BITS):
            moved = counts.get("messages", 0) + counts["messages_from_host"]
            counts["message_bytes"] = moved * _message_bytes(program.target)
        found[population.name] = counts
    return found


def _message_bytes(target: Target) -> float:
    return target.number(MESSAGE_BITS) / 8


def _layer_row(program: Program, name: str, counts: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "name": name,
        "kind": program.network.by_name[name].neuron.name,
        **{f"{key}_per_sample": float(values.sum()) for key, values in counts.items()},
        "by_step": {key: values.tolist() for key, values in counts.items()},
    }


def _step_rows(
    program: Program, simulation: Simulation, layers: dict[str, dict[str, np.ndarray]]
) -> list[dict[str, Any]]:
    spots, target = simulation.hotspots, program.target
    keys = dict.fromkeys(key for counts in layers.values() for key in counts)
    sums = {
        key: np.sum([counts[key] for counts in layers.values() if key in counts], axis=0)
        for key in keys
    }
    rows = []
    for step, seconds in enumerate((spots.step_seconds / spots.samples).tolist()):
        row: dict[str, Any] = {"step": step, "seconds": seconds}
        row |= {key: float(values[step]) for key, values in sums.items()}
        if target.has(HOST_LINK):
            row["host_link_seconds"] = row["host_io_bytes"] / target.number(HOST_LINK)
        shares = spots.step_bounds[step] / spots.samples
        row["bound_by"] = {
            kind: float(share) for kind, share in zip(BOUNDS, shares, strict=True) if share
        }
        rows.append(row)
    return rows


def _largest(values: np.ndarray) -> list[int]:
    """The places of the largest values above zero, the largest first."""
    order = np.argsort(-values, kind="stable")[:BUSIEST]
    return [int(place) for place in order if values[place] > 0]


def _core_rows(layout: Layout, spots: Hotspots) -> list[dict[str, Any]]:
    total, steps = float(spots.step_seconds.sum()), spots.samples * len(spots.step_seconds)
    sent, received, operations = spots.core_counts / spots.samples
    return [
        {
            **_core(layout, core),
            "busy_seconds_per_sample": float(spots.core_busy[core]) / spots.samples,
            "send_seconds_per_sample": float(spots.core_send[core]) / spots.samples,
            "receive_seconds_per_sample": float(spots.core_receive[core]) / spots.samples,
            "utilisation": float(spots.core_busy[core]) / total,
            "binds": int(spots.core_binds[core]) / steps,
            "messages_per_sample": float(sent[core]),
            "messages_received_per_sample": float(received[core]),
            "synaptic_operations_per_sample": float(operations[core]),
        }
        for core in _largest(spots.core_busy)
    ]


def _link_rows(layout: Layout, spots: Hotspots) -> list[dict[str, Any]]:
    total, steps = float(spots.step_seconds.sum()), len(spots.step_seconds)
    return [
        {
            **_link(layout, spots.links[link]),
            "messages_per_sample": float(spots.link_messages[link]) / spots.samples,
            "messages_per_step": float(spots.link_messages[link]) / spots.samples / steps,
            "most_messages_in_a_step": int(spots.link_peak[link]),
            "busy_seconds_per_sample": float(spots.link_busy[link]) / spots.samples,
            "utilisation": float(spots.link_busy[link]) / total,
            "utilisation_in_worst_step": float(spots.link_utilisation[link]),
            "binds": int(spots.link_binds[link]) / (spots.samples * steps),
        }
        for link in _largest(spots.link_busy)
    ]


def _core(layout: Layout, core: int) -> dict[str, Any]:
    x, y, _ = (int(part) for part in layout.positions[core])
    held = dict.fromkeys(tile.population for tile in layout.tiles if tile.core == core)
    chip = int(layout.chip_of_core[core])
    return {"core": core, "chip": chip, "router": [x, y], "populations": list(held)}


def _link(layout: Layout, link: np.ndarray) -> dict[str, Any]:
    start, stop = link[:2], link[:2] + link[2:]
    return {
        "from_router": start.tolist(),
        "to_router": stop.tolist(),
        "from_chip": _chip(layout, start),
        "to_chip": _chip(layout, stop),
    }


def _chip(layout: Layout, router: np.ndarray) -> int:
    return int(router[1] // layout.mesh[1] * layout.board[0] + router[0] // layout.mesh[0])


def real_time(program: Program, simulation: Simulation) -> dict[str, Any]:
    """What the chip and its host link sustain, sample after sample, and what limits them.

    Rates of what takes no time at all are absent.
    """
    chip = simulation.timing_mean("interval_seconds")
    assert chip is not None
    host = simulation.timing_mean("host_seconds")
    steps = program.network.timesteps
    limit = _chip_limit(program.layout, simulation.hotspots)
    found: dict[str, Any] = {
        "chip": {"seconds_per_sample": chip, **_rates(chip, steps), "limit": limit},
        "provenance": max((t.mark for t in simulation.timings), key=MARKS.index),
    }
    if host is None:
        return {**_rates(chip, steps), "limited_by": limit["what"], **found}
    # the one link also moves the currents that the host's attention refines, while the chip waits
    host += (
        sum(float(t.host_waiting_seconds.sum()) for t in simulation.timings) / simulation.samples
    )
    speed = program.target.quantity(HOST_LINK)
    found["host_link"] = {
        "seconds_per_sample": host,
        "bytes_per_second": program.target.number(HOST_LINK),
        "mark": speed.mark,
    }
    if chip > 0:
        found["host_link"]["times_chip"] = host / chip
    if host > chip:
        return {**_rates(host, steps), "limited_by": "the host link", **found}
    return {**_rates(chip, steps), "limited_by": limit["what"], **found}


def _rates(seconds: float, steps: int) -> dict[str, float]:
    if seconds <= 0:
        return {}
    return {"samples_per_second": 1 / seconds, "steps_per_second": steps / seconds}


def _chip_limit(layout: Layout, spots: Hotspots) -> dict[str, Any]:
    """What a full pipeline waits for most, and the core or link that it waits for most there."""
    kind = spots.pipeline_limit
    total = float(spots.pipelined.sum()) or 1.0
    found: dict[str, Any] = {
        "kind": BOUNDS[kind],
        "shares": {n: float(v) / total for n, v in zip(BOUNDS, spots.pipelined, strict=True)},
    }
    if kind in DOING:
        core = int(spots.pipelined_cores[kind].argmax())
        found |= _core(layout, core)
        found["share"] = float(spots.pipelined_cores[kind, core]) / total
        found["what"] = f"core {core} ({', '.join(found['populations'])}) {DOING[kind]}"
    elif kind == LINK:
        link = int(spots.pipelined_links.argmax())
        found |= _link(layout, spots.links[link])
        found["share"] = float(spots.pipelined_links[link]) / total
        found["what"] = f"the link {link_text(found)}"
    else:
        what = "the barrier of every step" if kind == BARRIER else "the host's attention"
        found |= {"share": found["shares"][BOUNDS[kind]], "what": what}
    return found


def link_text(link: dict[str, Any]) -> str:
    """Where a link leads: routers, and chips where it leaves one."""
    routers = " to ".join(f"({x}, {y})" for x, y in (link["from_router"], link["to_router"]))
    if link["from_chip"] == link["to_chip"]:
        return routers
    return f"{routers}, chip {link['from_chip']} to {link['to_chip']}"
