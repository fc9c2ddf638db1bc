"""Picks the engine: layer by layer where that is exact, else the pipelined chip step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from snndeploy.engines.activity import Activity
from snndeploy.engines.boundary import Injected
from snndeploy.engines.functional import misaligned, run_functional
from snndeploy.engines.recording import Observer
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.network import Network, Projection


def engine_name(network: Network) -> str:
    """'layers' for a feed-forward network with consistent delays, else 'steps'."""
    return "steps" if network.is_recurrent or misaligned(network) else "layers"


def run_network(
    network: Network,
    injected: Injected,
    record: Iterable[str] = (),
    record_membranes: Iterable[str] = (),
    observer: Observer | None = None,
    samples: int = 1,
    batch: int | None = None,
) -> Activity:
    """What the chip computes, bit for bit; arguments as in `functional.run_functional`.

    Misaligned projections are simulated as the chip would run them, and named in the warnings.
    """
    run = run_functional if engine_name(network) == "layers" else run_stepwise
    activity = run(network, injected, record, record_membranes, observer, samples, batch)
    skewed = tuple(late_arrival(projection, late) for projection, late in misaligned(network))
    return replace(activity, warnings=skewed + activity.warnings)


def late_arrival(projection: Projection, late: int) -> str:
    """A misaligned projection in words; `late` steps, negative: early."""
    return (
        f"{projection.name}: {projection.source} arrives at {projection.target} {abs(late)} "
        f"step{'s' if abs(late) > 1 else ''} {'late' if late > 0 else 'early'} "
        f"(delay {projection.delay}, depths need {projection.delay - late})"
    )
