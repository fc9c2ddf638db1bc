"""Codings of an image without neurons of their own: rate, phase and temporal (GAC section 3).

What the first layer reads is then a function of the image alone, other at every step.  Which
coding it is, is found by what it does to grey levels x = k / 255 in every pixel:

    phase      v^t in {0, w^t} with w^t a power of two, the same again every K steps, and the sum
               over K steps is x, rounded down to multiples of the smallest weight
    temporal   one spike an element, the same step for the same x, and a larger x is not later
    rate       spikes of weight 1 whose number over all elements is x T, within four standard
               deviations of draws that differ between elements and steps

Dynamics duration T_r, the steps that bring something new: rate coding T (GAC); phase coding K, as
the K bits repeat; temporal coding the step of the spike, counted from 1, as nothing follows it.
The last two are ours: GAC names no duration for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from snndeploy.analysis.entropy import PatternSums
from snndeploy.graph import Graph, Node
from snndeploy.ops import is_layer
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.streams import before_views, is_first_layer

InputScheme = Literal["rate", "phase", "temporal"]

LEVELS = 256  # grey levels of a probe
PROBES = 8
DEVIATIONS = 4.0


@dataclass(frozen=True)
class InputCode:
    """node: what the first layer reads.  scheme: None where it is none of the three.  period: K of
    a phase code."""

    node: Node
    scheme: InputScheme | None
    period: int | None = None


def input_codes(graph: Graph) -> tuple[InputCode, ...]:
    """Of a graph with signals: whatever first layers read that changes with the step, while the
    image does not."""
    if graph.input.has_time or graph.input.attributes["signal"] != "real":
        return ()
    needed = graph.ancestors(graph.outputs)
    found = dict.fromkeys(
        before_views(graph, node).name
        for node in graph.nodes
        if node.name in needed and is_layer(node) and is_first_layer(graph, node)
    )
    nodes = [graph.by_name[name] for name in found]
    return tuple(_probed(graph, node) for node in nodes if node.has_time and not _constant(node))


def _constant(node: Node) -> bool:
    return node.signal is not None and node.signal.constant


def _probed(graph: Graph, node: Node) -> InputCode:
    """What the node makes of images whose pixels have every grey level."""
    shape = graph.input.shape[1:]
    levels = np.random.default_rng(0).integers(0, LEVELS, (PROBES, *shape))
    x = (levels / (LEVELS - 1)).astype(np.float32)
    values = by_step(node, evaluate(graph, x, [node.name])[node.name], PROBES)
    if values[:, 0].size != x.size:
        return InputCode(node, None)
    coded = values.reshape(PROBES, graph.timesteps, -1)
    return InputCode(node, *scheme_of(coded, x.reshape(PROBES, -1).astype(np.float64)))


def scheme_of(values: np.ndarray, x: np.ndarray) -> tuple[InputScheme | None, int | None]:
    """The scheme, and K of a phase code; values (samples, timesteps, elements) of x in 0..1,
    (samples, elements)."""
    period = _phases(values, x)
    if period is not None:
        return "phase", period
    if not np.isin(values, (0, 1)).all():
        return None, None
    if _is_temporal(values, x):
        return "temporal", None
    return ("rate", None) if _is_rate(values, x) else (None, None)


def _phases(values: np.ndarray, x: np.ndarray) -> int | None:
    weights = values.max(axis=(0, 2))
    if (weights <= 0).any() or not np.isin(np.frexp(weights)[0], 0.5).all():
        return None
    if not ((values == 0) | (values == weights[:, None])).all() or len(set(weights)) == 1:
        return None
    timesteps = len(weights)
    for period in range(1, timesteps + 1):
        first = values[:, :period]
        if (
            timesteps % period == 0
            and (values == np.tile(first, (1, timesteps // period, 1))).all()
        ):
            left = x - first.sum(axis=1)
            top = x == 1  # the largest sum of the weights
            return period if (top | ((left >= 0) & (left < weights[:period].min()))).all() else None
    return None


def _is_temporal(values: np.ndarray, x: np.ndarray) -> bool:
    if not (values.sum(axis=1) == 1).all():
        return False
    step, order = values.argmax(axis=1).ravel(), np.argsort(x, axis=None, kind="stable")
    same = np.diff(x.ravel()[order]) == 0
    later = np.diff(step[order])
    return bool((later[same] == 0).all() and (later <= 0).all() and step.min() < step.max())


def _is_rate(values: np.ndarray, x: np.ndarray) -> bool:
    samples, timesteps, _ = values.shape
    # draws may be the same for every sample: then its samples vary together
    spread = (samples * timesteps * (x * (1 - x)).sum()) ** 0.5
    return bool(abs(values.sum() - timesteps * x.sum()) <= DEVIATIONS * max(spread, 1.0))


class CodeSums:
    """An input code over a data set: when its elements first spike, how often, in which patterns.

    first[t]: elements and samples whose first spike is at step t + 1; never: without one.
    """

    def __init__(self, code: InputCode, timesteps: int) -> None:
        self.code = code
        self.first = np.zeros(timesteps, dtype=np.int64)
        self.never = self.spikes = self.total = 0
        elements = int(np.prod(code.node.step_shape))
        self.patterns = PatternSums(timesteps, elements)

    def take(self, values: np.ndarray) -> None:
        """values: (samples, timesteps, ...) of the code's node."""
        samples, timesteps = values.shape[:2]
        fired = values.reshape(samples, timesteps, -1) != 0
        fires = fired.any(axis=1)
        first = fired.argmax(axis=1)[fires]
        self.first += np.bincount(first, minlength=timesteps)
        self.never += int(np.count_nonzero(~fires))
        self.spikes += int(np.count_nonzero(fired))
        self.total += fires.size
        for step in range(timesteps):
            self.patterns.take(step, fired[:, step])

    @property
    def duration(self) -> float | None:
        """T_r, mean over elements and samples, in steps; None of what is none of the three."""
        if self.code.scheme == "rate":
            return float(len(self.first))
        if self.code.scheme == "phase":
            assert self.code.period is not None
            return float(self.code.period)
        if self.code.scheme == "temporal":
            return float((np.arange(1, len(self.first) + 1) * self.first).sum() / self.first.sum())
        return None


def take_codes(graph: Graph, sums: tuple[CodeSums, ...], x: np.ndarray) -> None:
    """Add the samples x (samples, ...) to every code."""
    if not sums:
        return
    values = evaluate(graph, x, dict.fromkeys(one.code.node.name for one in sums))
    for one in sums:
        one.take(by_step(one.code.node, values[one.code.node.name], len(x)))
