"""Spreading: how many cores to use, where fewer would do.

The fewest cores make the slowest step: the busiest core of a step holds up all others, and static
power runs meanwhile.  More cores are faster, until messages cost more than they save.  The search
gives every core a budget of time a step, lowers it again and again, cuts the network into about
the fewest cores that keep it (`cut.py`), and takes what is expected (`expect.py`) to be best:

    cores     the fewest cores
    balanced  the least energy * delay on the fewest chips that hold the network
    latency   the least latency, on as many chips as the target has
    energy    the least energy, likewise
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from snndeploy.errors import FitError
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.arrange import snake
from snndeploy.mapping.assign import assign
from snndeploy.mapping.cut import Cutter
from snndeploy.mapping.expect import Expectation, expect
from snndeploy.mapping.tile import TooSlow, best_grid
from snndeploy.network import Network
from snndeploy.target import Target
from snndeploy.target.events import has_times

Objective = Literal["balanced", "cores", "latency", "energy"]

FASTER = 0.7  # each budget is this share of the step before it
SLACK = 1.25  # cores that a tiling may have over the fewest, if it sends fewer messages
TRIALS = 24
NEARLY = 1.02  # of the best score; then the fewest cores are taken
PATIENCE = 3  # trials in a row that are not better
REFINEMENTS = 3  # halvings between a budget that was kept and one that was not


@dataclass(frozen=True, eq=False)
class Candidate:
    """Tiles with what is expected of them in snake order."""

    tiles: tuple[Tile, ...]
    layout: Layout
    expected: Expectation

    def score(self, objective: Objective) -> tuple[float, float]:
        return score(self.expected, objective)


def score(expected: Expectation, objective: Objective) -> tuple[float, float]:
    """What is to be small, and what after it."""
    first = {
        "balanced": expected.energy_delay,
        "latency": expected.latency_seconds,
        "energy": expected.energy_joules,
        "cores": expected.energy_delay,  # of layouts with the same cores
    }[objective]
    return first, expected.energy_joules


def unplaced(tiles: tuple[Tile, ...], target: Target) -> Layout:
    """A layout in snake order that says nothing of limits."""
    cores = 1 + max((tile.core for tile in tiles), default=-1)
    board, positions = snake(cores, target)
    return Layout(tiles, positions, (target.mesh_width, target.mesh_height), board, {}, {}, "")


def smallest(candidates: Sequence[Candidate], objective: Objective) -> Candidate:
    """The fewest cores that are as good as the best, or nearly."""
    best = min(candidate.score(objective)[0] for candidate in candidates)
    near = [c for c in candidates if c.score(objective)[0] <= NEARLY * best]
    return min(near, key=lambda c: (c.layout.cores, c.score(objective)))


@dataclass(eq=False)
class Spreading:
    """The search over budgets of time for one network and target."""

    network: Network
    target: Target
    rates: Mapping[str, float]
    merging: bool
    links: bool
    """Whether links count, in snake order; or not, as if the cores will be placed better."""
    max_cores: int | None = None
    """No more than these, where the objective would take them."""

    def best(self, tight: tuple[Tile, ...], objective: Objective) -> tuple[Tile, ...]:
        """The best tiling for the objective; `tight` has the fewest cores."""
        if objective == "cores" or not has_times(self.target):
            return tight
        start = self._candidate(tight)
        chips = start.layout.chips if objective == "balanced" else self.target.max_chips
        room = chips * self.target.cores_per_chip
        room = room if self.max_cores is None else min(room, self.max_cores)
        for slack in (SLACK, 1.0):
            cutter = Cutter(self.network, self.target, self.rates, partial(best_grid, slack=slack))
            found = list(self._faster_and_faster(cutter, room, objective))
            if found:
                return smallest([start, *found], objective).tiles
        return tight

    def _faster_and_faster(
        self, cutter: Cutter, room: int, objective: Objective
    ) -> Iterator[Candidate]:
        """Candidates for lower and lower budgets, until they cease to be better."""
        kept, waited, best = math.inf, 0, math.inf
        for _ in range(TRIALS):
            budget = FASTER * kept
            found = self._within(cutter, budget, room)
            if found is None:
                if kept < math.inf:
                    yield from self._nearest(cutter, kept, room)
                return
            yield found
            value, _ = found.score(objective)
            best, waited = (value, 0) if value < best else (best, waited + 1)
            if waited == PATIENCE:
                return
            kept = min(budget, found.expected.busy_ns)

    def _nearest(self, cutter: Cutter, kept: float, room: int) -> Iterator[Candidate]:
        """Candidates between a budget that was kept and one that was not."""
        low, high = FASTER * kept, kept
        for _ in range(REFINEMENTS):
            middle = math.sqrt(low * high)
            found = self._within(cutter, middle, room)
            if found is None:
                low = middle
            else:
                yield found
                high = middle

    def _within(self, cutter: Cutter, budget_ns: float, room: int) -> Candidate | None:
        """The tiling that keeps the budget; None where there is none, or not the room for it."""
        try:
            grids = cutter.grids(budget_ns)
        except (TooSlow, FitError):
            return None
        limited = budget_ns < math.inf
        tiles = assign(
            self.network, self.target, grids, merging=self.merging,
            times=cutter.needs if limited else None, budget_ns=budget_ns,
        )  # fmt: skip
        if max(tile.core for tile in tiles) >= room:
            return None
        return self._candidate(tiles)

    def _candidate(self, tiles: tuple[Tile, ...]) -> Candidate:
        layout = unplaced(tiles, self.target)
        return Candidate(
            tiles, layout, expect(self.network, layout, self.target, self.rates, links=self.links)
        )
