"""How long a constant input takes to show: firing period and dynamics duration (GAC section 6).

A neuron with decay tau, V_reset = 0 and a constant current x has after t steps without a spike
    U^t = x * (1 - tau^t) / (1 - tau)
so it fires first, and then every
    T_p = ceil( log_tau( 1 - V_th * (1 - tau) / x ) )          (GAC Eq. 10, 13-20; U >= V_th)
steps; never when x <= V_th * (1 - tau).  A neuron that fires at U > V_th needs one step more where
U^t = V_th is met exactly.

Dynamics duration: direct coding T_p; MS coding 1; rate coding T; GAC floor(T / T_d) * T_d, where
T_d is the T_p of its inner neuron (0 when T_d > T: no whole period fits).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snndeploy.graph import Graph, Node
from snndeploy.neurons import Equation, LeakyFire, Reset, equation_of
from snndeploy.ops import Role, kind_of, neuron
from snndeploy.ops.evaluate import evaluate, spread

Scheme = Literal["direct", "ms", "gac"]

NEVER = np.inf
TIE = 1e-9  # steps by which a logarithm may miss a whole number
LEAST_RATIO = 8 * np.finfo(np.float64).eps


def firing_period(
    current: np.ndarray, threshold: float, decay: float, fires_at: str = "ge"
) -> np.ndarray:
    """T_p in steps, float64 of the current's shape; infinite: never fires.

    Exact ties are decided as in real numbers, not as rounding would have it.

    Raises:
        ValueError: threshold not positive, or decay outside 0..1.
    """
    if threshold <= 0 or not 0 <= decay <= 1:
        raise ValueError("T_p needs a positive threshold and a decay in 0..1")
    x = np.asarray(current, dtype=np.float64)
    if decay == 0:
        return np.where(x >= threshold if fires_at == "ge" else x > threshold, 1.0, NEVER)
    exact = _real_period(x, threshold, decay)
    fires = np.isfinite(exact)
    whole = np.rint(exact[fires])
    tie = np.abs(exact[fires] - whole) <= TIE * np.maximum(whole, 1)
    at_tie = whole if fires_at == "ge" else whole + 1
    steps = np.full(x.shape, NEVER)
    steps[fires] = np.maximum(np.where(tie, at_tie, np.ceil(exact[fires])), 1)
    return steps


def _real_period(x: np.ndarray, threshold: float, decay: float) -> np.ndarray:
    """The t at which U^t = V_th, real; infinite where U stays below it."""
    exact = np.full(x.shape, NEVER)
    positive = x > 0
    if decay == 1:
        return np.divide(threshold, x, out=exact, where=positive)
    ratio = np.zeros(x.shape)
    np.divide(threshold * (1 - decay), x, out=ratio, where=positive)
    ratio = 1 - ratio
    reached = positive & (ratio > LEAST_RATIO)
    np.log(ratio, out=exact, where=reached)
    exact[reached] /= np.log(decay)
    return exact


def gac_duration(timesteps: int, period: int) -> int:
    """T_g = floor(T / T_d) * T_d steps."""
    return timesteps // period * period


@dataclass(frozen=True)
class Coding:
    """A neuron whose input is the same at every step, and what it is a part of.

    scheme: 'gac' where its spikes are multiplied by a gate; 'ms' where its current also goes
    elsewhere (the membrane shortcut), so that the current is the code; else 'direct'.
    """

    node: Node
    scheme: Scheme

    @property
    def refusal(self) -> str:
        """Why the closed form does not hold, or ''."""
        neuron = self.neuron
        if self.node.body is not None:
            return "its membrane is refined by attention"
        if type(neuron) is not LeakyFire or neuron.reset is not Reset.HARD or neuron.v_reset != 0:
            return "T_p is derived for a hard reset to 0"
        return ""

    @property
    def neuron(self) -> Equation:
        return equation_of(self.node.attributes)


def codings(graph: Graph, neurons: Iterable[str]) -> tuple[Coding, ...]:
    """The named neurons that read a constant input; the graph has signals."""
    own = set(neurons)
    return tuple(
        Coding(node, _scheme(graph, node))
        for node in graph.neurons()
        if node.name in own and _is_constant(graph.by_name[node.inputs[0]])
    )


def _is_constant(node: Node) -> bool:
    return node.signal is not None and node.signal.constant


def _scheme(graph: Graph, node: Node) -> Scheme:
    if any(kind_of(graph.by_name[user]).role is Role.PRODUCT for user in graph.users[node.name]):
        return "gac"
    needed = graph.ancestors(graph.outputs)
    others = [user for user in graph.users[node.inputs[0]] if user in needed - {node.name}]
    return "ms" if others else "direct"


class PeriodSums:
    """Periods of one coding neuron's elements, counted over samples.

    counts[i]: elements with T_p = i + 1, up to T; later: a longer period; never: no firing;
    disagreeing: elements whose float neuron first fired at another step than T_p says.
    """

    def __init__(self, coding: Coding, timesteps: int) -> None:
        self.coding = coding
        self.counts = np.zeros(timesteps, dtype=np.int64)
        self.later = self.never = self.disagreeing = 0

    @property
    def total(self) -> int:
        return int(self.counts.sum()) + self.later + self.never

    def take(self, current: np.ndarray, first: np.ndarray) -> None:
        """current: any shape; first: the step (from 1) of the first spike, 0 without one."""
        timesteps, neuron = len(self.counts), self.coding.neuron
        assert isinstance(neuron, LeakyFire)
        period = firing_period(current, neuron.threshold, neuron.decay, neuron.fires_at)
        inside = period <= timesteps
        expected = np.where(inside, period, 0).astype(np.int64)
        self.counts += np.bincount(expected[inside].ravel() - 1, minlength=timesteps)
        self.never += int(np.count_nonzero(np.isinf(period)))
        self.later += int(np.count_nonzero(~inside & np.isfinite(period)))
        self.disagreeing += int(np.count_nonzero(expected != first))


def take_periods(graph: Graph, sums: Iterable[PeriodSums], x: np.ndarray) -> None:
    """Add the samples `x` (samples, ...) to every neuron's periods."""
    listed = list(sums)
    if not listed:
        return
    values = evaluate(graph, x, dict.fromkeys(s.coding.node.inputs[0] for s in listed))
    for one in listed:
        node = one.coding.node
        source = graph.by_name[node.inputs[0]]
        current = spread(source, values[source.name], len(x))
        axis = neuron.time_axis(node)
        first = np.zeros(current.select(axis, 0).shape, dtype=np.int64)
        for step, (_, fired) in enumerate(neuron.run(node, current), start=1):
            first[(first == 0) & fired.numpy()] = step
        one.take(current.select(axis, 0).numpy(), first)
