"""convert: an ordinary network becomes a spiking one, and what that costs is measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.conversion.activations import batches, pooled_behind, thresholds
from snndeploy.conversion.facts import AtStep, Conversion, MaxPool
from snndeploy.conversion.rewrite import Rewriting
from snndeploy.data import Data
from snndeploy.errors import ModelError
from snndeploy.graph import Graph, check
from snndeploy.metrics import Meaning, classes, labels_are, same
from snndeploy.ops import Role, kind_of
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.signals import infer_signals

BALANCED_ON = 64  # the first samples; what is left over measures
MEASURED_ON = 512
PERCENTILE = 99.9
TINY = 1e-30  # of a square: an ANN that answers nothing


def convert(
    graph: Graph,
    data: Data,
    timesteps: int,
    percentile: float = PERCENTILE,
    max_pools: MaxPool | None = None,
) -> tuple[Graph, Conversion]:
    """The spiking graph for T steps, and how near it comes to the ANN at 1, 2, 4 ... T steps.

    graph: as traced, for one step, without neurons.  data: samples that fit its input; labels say
    the accuracy too.

    Raises:
        ModelError: it has neurons already, no activation, time, or several outputs.
        UnsupportedError: an operation that spikes cannot do.
        DataError: a layer that no sample activates.
    """
    _require_ann(graph)
    ann = pooled_behind(graph)
    x = data.inputs()
    found = thresholds(ann, x[:BALANCED_ON], percentile)
    work = Rewriting(ann, found, timesteps, max_pools)
    made = work.converted()
    if not made.neurons():
        raise ModelError("--convert: no ReLU that could become a neuron leads to the answer")
    check(made, "traced")
    fresh = len(x) > BALANCED_ON
    measured = data if not fresh else replace(data, x=data.x[BALANCED_ON:], y=_behind(data.y))
    measured = measured.take(MEASURED_ON)
    accuracy, steps = _measured(ann, made, work.answer, measured)
    pools = any(kind_of(node).role is Role.POOLING for node in ann.nodes)
    return made, Conversion(
        timesteps, percentile, max_pools if pools else None, data.name, len(x[:BALANCED_ON]),
        len(measured.x), fresh, accuracy, tuple(found.values()), steps,
    )  # fmt: skip


def _behind(y: np.ndarray | None) -> np.ndarray | None:
    return None if y is None else y[BALANCED_ON:]


def _measured(
    ann: Graph, made: Graph, answer: tuple[str, str], data: Data
) -> tuple[float | None, tuple[AtStep, ...]]:
    """The ANN's accuracy, and the converted network's after 1, 2, 4 ... and all steps.

    answer: the node that is averaged over the steps, and the ANN's that it stands for.
    """
    spiking, (averaged, stood_for) = infer_signals(made), answer
    shape = ann.by_name[stood_for].step_shape
    exact, steps = [], []
    for part in batches(data.inputs()):
        value = evaluate(ann, part, record=[stood_for])[stood_for]
        exact.append(value.numpy().reshape(len(part), -1))
        value = evaluate(spiking, part, record=[averaged])[averaged]
        found = by_step(spiking.by_name[averaged], value, len(part))
        steps.append(found.reshape(len(part), made.timesteps, -1).astype(np.float64))
    wanted, every = np.concatenate(exact).astype(np.float64), np.concatenate(steps)
    labels = data.y
    if labels is not None and labels_are(labels, shape, Meaning()) not in ("classes", "sign"):
        labels = None
    best = classes(wanted, shape, Meaning())
    rows = []
    for count in _counts(made.timesteps):
        mean = every[:, :count].mean(axis=1)
        chosen = classes(mean, shape, Meaning())
        distance = np.sqrt(np.mean((mean - wanted) ** 2) / max(np.mean(wanted**2), TINY))
        accuracy = None if labels is None else same(chosen, labels)
        rows.append(AtStep(count, same(chosen, best), accuracy, float(distance)))
    return None if labels is None else same(best, labels), tuple(rows)


def _counts(timesteps: int) -> list[int]:
    """1, 2, 4 ... and the last."""
    doubled = [2**power for power in range(timesteps.bit_length())]
    return sorted({*doubled, timesteps})


def _require_ann(graph: Graph) -> None:
    if graph.neurons():
        raise ModelError(
            f"--convert makes neurons of ReLUs, and {graph.neurons()[0].label!r} is a neuron"
            " already: compile without --convert"
        )
    if len(graph.outputs) > 1:
        raise ModelError(f"--convert: the model gives {len(graph.outputs)} outputs; one is needed")
    if graph.input.has_time:
        raise ModelError("--convert: the model's input has time; a network of one step is needed")
