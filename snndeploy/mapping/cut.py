"""Cutting: every population of a network into a grid of tiles.

Last population first, because the output axons of a tile, and its messages, depend on the tiles
behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from snndeploy.errors import FitError
from snndeploy.mapping.cost import Costs
from snndeploy.mapping.demand import RECEIVE_NS, SEND_NS, Demand
from snndeploy.mapping.grid import Grid
from snndeploy.mapping.memory import limits_of, tile_use
from snndeploy.mapping.tile import best_grid
from snndeploy.network import Network, Population
from snndeploy.target import Target

REPAIRS = 16  # rounds in which a population that came out too large is cut finer ...
TIGHTENING = 0.95  # ... its budget lowered to this share at least


@dataclass(eq=False)
class Cutter:
    """Cuts one network for one target, again and again with other budgets of time.

    choose: the grid of a demand, `best_grid` or `channel_grid`.
    """

    network: Network
    target: Target
    rates: Mapping[str, float]
    choose: Callable[[Demand], Grid] = best_grid
    _known: dict[str, tuple[object, Grid, dict[str, float]]] = field(default_factory=dict)
    needs: dict[str, dict[str, float]] = field(default_factory=dict)
    """Of the last cut: what the fullest tile of each population needs."""

    def grids(self, budget_ns: float = math.inf) -> dict[str, Grid]:
        """The grid of every population, no core busy for longer than the budget in a step.

        Raises:
            FitError: a neuron needs more than a core has.
            TooSlow: a tile needs more time than the budget however finely it is cut.
        """
        limits: dict[str, float] = dict(limits_of(self.target))
        if budget_ns < math.inf:
            limits |= {SEND_NS: budget_ns, RECEIVE_NS: budget_ns}
        budgets = {p.name: dict(limits) for p in self.network.populations if p.neuron.on_chip}
        grids: dict[str, Grid] = {}
        pending = set(budgets)
        for _ in range(REPAIRS):
            for population in reversed(self.network.populations):
                if population.name in pending:
                    grids[population.name] = self._grid(population, budgets, grids)
            pending = self._tighten(grids, budgets)
            if not pending:
                return grids
        names = ", ".join(sorted(pending))
        raise FitError(
            f"no tiling of {names} fits {self.target.name} after {REPAIRS} rounds of cutting it"
            " finer. Use a smaller network or another target."
        )

    def _grid(
        self,
        population: Population,
        budgets: Mapping[str, Mapping[str, float]],
        grids: Mapping[str, Grid],
    ) -> Grid:
        """The best grid; the one of the last cut where it is still within all limits."""
        outgoing = [p for p in self.network.outgoing(population.name) if p.target in grids]
        limits = budgets[population.name]
        lasting = {key: value for key, value in limits.items() if key not in (SEND_NS, RECEIVE_NS)}
        key = (tuple(grids[p.target] for p in outgoing), tuple(lasting.items()))
        if population.name in self._known:
            known, grid, needs = self._known[population.name]
            if known == key and all(needs[name] <= limit for name, limit in limits.items()):
                return grid
        sinks = [(p, tuple(grids[p.target].tiles(p.target))) for p in outgoing]
        demand = Demand(
            self.network, population, self.target, Costs.of(self.target), limits, self.rates, sinks
        )
        grid = self.choose(demand)
        needs = {name: demand.need(name, grid) for name in (*lasting, SEND_NS, RECEIVE_NS)}
        self._known[population.name] = key, grid, needs
        self.needs[population.name] = needs
        return grid

    def _tighten(
        self, grids: Mapping[str, Grid], budgets: Mapping[str, dict[str, float]]
    ) -> set[str]:
        """Populations with a tile over a limit, their budgets lowered by as much.

        Needed where the search could not see everything: recurrent projections, whose targets were
        cut later, and weights that are not shared.
        """
        if self.target.shared_convolution and not self.network.is_recurrent:
            return set()
        limits = limits_of(self.target)
        tiles = [tile for name, grid in grids.items() for tile in grid.tiles(name)]
        over: set[str] = set()
        most: dict[tuple[str, str], int] = {}
        for resource, values in tile_use(self.network, tiles, self.target).items():
            for index in np.flatnonzero(values > limits[resource]):
                key = (tiles[index].population, resource)
                most[key] = max(most.get(key, 0), int(values[index]))
        for (name, resource), value in most.items():
            share = min(limits[resource] / value, TIGHTENING)
            budgets[name][resource] = max(1, int(budgets[name][resource] * share))
            over.add(name)
        return over
