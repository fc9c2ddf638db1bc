"""Placement: every tile gets a core, every core a place on the mesh.

    cut      each population into tiles (`cut.py`; `strips.py` for the naive mode);
    assign   cores in network order; populations of a single tile share cores (`assign.py`);
    spread   over more cores where that pays (`spread.py`);
    arrange  the cores on the mesh in snake order (`arrange.py`);
    anneal   swap cores to shorten the messages' ways (`anneal.py`), then to relieve the busiest
             links where these set the time of a step (`relieve.py`).

Modes, to compare with:

    naive    flat strips of neurons in (channel, row, column) order, cores row by row
    channel  whole channels a core where they fit, cores row by row
    tiles    near-square tiles of space with all channels, cores in snake order
    anneal   tiles, and the cores annealed
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from snndeploy.errors import DeployError, FitError, near_names
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.advice import advice_text
from snndeploy.mapping.anneal import annealed
from snndeploy.mapping.arrange import row_major, snake
from snndeploy.mapping.assign import assign
from snndeploy.mapping.binding import binding
from snndeploy.mapping.checks import check_layout_limits, check_neurons
from snndeploy.mapping.cut import Cutter
from snndeploy.mapping.expect import expect
from snndeploy.mapping.memory import core_use, limits_of
from snndeploy.mapping.relieve import relieved
from snndeploy.mapping.spread import Objective as Objective
from snndeploy.mapping.spread import Spreading, score
from snndeploy.mapping.strips import strips
from snndeploy.mapping.tile import best_grid, channel_grid
from snndeploy.network import Network
from snndeploy.target import Target

Mode = Literal["naive", "channel", "tiles", "anneal"]
MODES: tuple[Mode, ...] = get_args(Mode)
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)

KERNELS_STORED_ONCE = (
    "a convolution's kernel is stored once a core; weight lists that a tile's border cuts short "
    "are taken to be part of the full lists"
)


def place(
    network: Network,
    target: Target,
    activity: Mapping[str, float] | None = None,
    *,
    mode: Mode = "anneal",
    objective: Objective = "balanced",
    merging: bool = True,
    max_cores: int | None = None,
    seed: int = 0,
    advise: bool = True,
) -> Layout:
    """Map a network onto the cores of a target.

    activity: spikes a neuron and step of each population, as calibration gives them; where it is
        silent, 0.2.
    mode: see the top of this file.  objective: what the tilings 'tiles' and 'anneal' are best at,
        see `spread.py`.  merging: small populations may share a core.  max_cores: the objective
        takes no more than these.  seed: of the annealing.
    advise: look for the smallest change that would fit before refusing.

    Raises:
        FitError: a neuron needs more than a core has, or the network more than the chips or
            `max_cores`.
    """
    _check_option("mapping", mode, MODES)
    _check_option("objective", objective, OBJECTIVES)
    rates = activity or {}
    try:
        check_neurons(network, target)
        tight = _fewest(network, target, rates, mode, merging)
        layout = _finished(network, target, tight, mode)
        _check_room(layout, target)
    except FitError as refusal:
        if not advise:
            raise
        raise FitError(f"{refusal} {advice_text(network, target)}".strip()) from None
    if max_cores is not None and layout.cores > max_cores:
        raise FitError(
            f"the network needs {layout.cores:,} {target.name} cores; at most {max_cores:,} were"
            f" asked for. What binds: {layout.binding}. Allow more cores, or use a smaller network."
        )
    search = Search(network, target, rates, objective, merging, max_cores)
    if mode == "tiles":
        layout = search.spread(layout, objective, links=True)
    if mode == "anneal":
        layout = search.best_annealed(layout, seed)
    check_layout_limits(network, layout, target)
    return layout


def _check_option(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        names = ", ".join(known)
        raise DeployError(f"no {what} {value!r}{near_names(value, known)}; there are {names}")


def _fewest(
    network: Network, target: Target, rates: Mapping[str, float], mode: Mode, merging: bool
) -> tuple[Tile, ...]:
    """The tiling with the fewest cores that the mode has."""
    if mode == "naive":
        return strips(network, target)
    choose = channel_grid if mode == "channel" else best_grid
    grids = Cutter(network, target, rates, choose).grids()
    return assign(network, target, grids, merging=merging)


@dataclass(frozen=True, eq=False)
class Search:
    """The search for a layout over more cores than the fewest."""

    network: Network
    target: Target
    rates: Mapping[str, float]
    objective: Objective
    merging: bool
    max_cores: int | None

    def spread(self, layout: Layout, objective: Objective, *, links: bool) -> Layout:
        """The layout over more cores, where the objective gains by it."""
        spreading = Spreading(
            self.network, self.target, self.rates, self.merging, links, self.max_cores
        )
        tiles = spreading.best(layout.tiles, objective)
        if tiles is layout.tiles:
            return layout
        wider = _finished(self.network, self.target, tiles, "tiles")
        text = f"{layout.binding}; spread over {wider.cores:,} for {GAINS[objective]}"
        return replace(wider, binding=text)

    def best_annealed(self, layout: Layout, seed: int) -> Layout:
        """The best of several, annealed.

        Spread as the links in snake order allow, and as if they did not count, since annealing
        relieves them; and, whatever the objective, on the fewest chips.
        """
        options: dict[tuple[Tile, ...], Layout] = {}
        fewest_chips: Objective = "cores" if self.objective == "cores" else "balanced"
        for wanted in dict.fromkeys((self.objective, fewest_chips)):
            for links in (True, False):
                option = self.spread(layout, wanted, links=links)
                options.setdefault(option.tiles, option)
        found = [
            _annealed(self.network, self.target, self.rates, option, seed)
            for option in options.values()
        ]
        if len(found) == 1:
            return found[0]
        scores = [
            score(expect(self.network, option, self.target, self.rates), self.objective)
            for option in found
        ]
        return found[scores.index(min(scores))]


def _annealed(
    network: Network, target: Target, rates: Mapping[str, float], layout: Layout, seed: int
) -> Layout:
    """The cores moved to shorten the ways, then to relieve the links where these set the time."""
    flow = expect(network, layout, target, rates).flow
    layout = annealed(layout, flow, target, seed)
    found = expect(network, layout, target, rates)
    if found.link_ns <= found.busy_ns:
        return layout
    other = relieved(layout, flow, target, seed)
    better = expect(network, other, target, rates).energy_delay < found.energy_delay
    return other if better else layout


GAINS = {
    "balanced": "less energy x delay",
    "latency": "lower latency",
    "energy": "less energy",
    "cores": "fewer cores",
}


def _finished(network: Network, target: Target, tiles: tuple[Tile, ...], mode: Mode) -> Layout:
    """Tiles with their cores on the mesh, what they use, and what binds."""
    cores = 1 + max((tile.core for tile in tiles), default=-1)
    limits = limits_of(target)
    use = core_use(network, tiles, cores, target)
    arrange = row_major if mode in ("naive", "channel") else snake
    board, positions = arrange(cores, target)
    notes = (KERNELS_STORED_ONCE,) if target.shared_convolution else ()
    mesh = (target.mesh_width, target.mesh_height)
    return Layout(tiles, positions, mesh, board, use, limits, binding(tiles, use, limits), notes)


def _check_room(layout: Layout, target: Target) -> None:
    available = target.max_chips * target.cores_per_chip
    if layout.cores > available:
        chips = "1 chip has" if target.max_chips == 1 else f"{target.max_chips:,} chips have"
        raise FitError(
            f"the network needs {layout.cores:,} {target.name} cores; {chips} {available:,}."
            f" What binds: {layout.binding}. Use a smaller network or another target."
        )
