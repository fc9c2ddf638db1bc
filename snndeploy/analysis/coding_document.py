"""The parts of the document about coding: firing periods, input codes, entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from snndeploy.analysis.coding import PeriodSums, gac_duration
from snndeploy.analysis.entropy import Patterns
from snndeploy.analysis.input_code import CodeSums

SCHEME_RULES = {
    "direct": "direct coding: T_d = T_p",
    "ms": "MS coding (the current also takes the membrane shortcut): T_d = 1",
    "gac": "gated attention coding: T_g = floor(T / T_d) T_d with T_d = T_p",
    "rate": "rate coding: T_r = T",
    "phase": "phase coding: T_r = K, the steps after which it repeats",
    "temporal": "temporal coding: T_r = the step of the spike",
    "other": "none of direct, MS, GAC, rate, phase and temporal coding: no rule",
}


def period_entry(periods: PeriodSums) -> dict[str, Any]:
    """A neuron with a constant input."""
    coding, timesteps = periods.coding, len(periods.counts)
    steps = np.arange(1, timesteps + 1)
    shown = int(periods.counts.sum())
    entry: dict[str, Any] = {
        "layer": coding.node.label,
        "scheme": coding.scheme,
        "rule": SCHEME_RULES[coding.scheme],
        "firing_period": {
            "neurons_times_samples": periods.total,
            "count_by_steps": {str(step): int(periods.counts[step - 1]) for step in steps},
            "count_longer_than_window": periods.later,
            "count_never": periods.never,
            "count_unlike_first_spike": periods.disagreeing,
        },
    }
    if shown:
        entry["firing_period"]["mean_steps_within_window"] = float(
            (steps * periods.counts).sum() / shown
        )
    duration = _duration(coding.scheme, periods, timesteps)
    if duration is not None:
        entry["dynamics_duration_mean_steps"] = duration
    return entry


def _duration(scheme: str, periods: PeriodSums, timesteps: int) -> float | None:
    """Mean over the elements that fire within the window; None when none does."""
    shown = int(periods.counts.sum())
    if scheme == "ms":
        return 1.0
    if not shown:
        return None
    lasting = [
        gac_duration(timesteps, step) if scheme == "gac" else step
        for step in range(1, timesteps + 1)
    ]
    return float((np.array(lasting) * periods.counts).sum() / shown)


def code_entry(sums: CodeSums) -> dict[str, Any]:
    """An input code without neurons."""
    scheme = sums.code.scheme or "other"
    first: dict[str, Any] = {
        "elements_times_samples": sums.total,
        "count_by_steps": {str(t): int(count) for t, count in enumerate(sums.first, start=1)},
        "count_never": sums.never,
    }
    entry: dict[str, Any] = {
        "layer": sums.code.node.label,
        "scheme": scheme,
        "rule": SCHEME_RULES[scheme],
        "first_spike": first,
        "spikes_per_element": sums.spikes / sums.total,
    }
    if sums.code.period is not None:
        entry["repeats_after_steps"] = sums.code.period
    if sums.duration is not None:
        entry["dynamics_duration_mean_steps"] = sums.duration
    patterns = sums.patterns.result()
    if patterns is not None:
        entry["entropy"] = entropy_entry(patterns)
    return entry


def entropy_entry(patterns: Patterns) -> dict[str, Any]:
    """H of the T bits of the neurons of a layer, or of the elements of a code."""
    bits = patterns.bits()
    return {
        "bits_mean": float(bits.mean()),
        "bits_mean_corrected": float(patterns.corrected_bits().mean()),
        "bits_standard_deviation_of_neurons": float(bits.std()),
        "bits_pooled": patterns.pooled_bits(),
        "bits_largest": patterns.largest_bits,
        "bits_of_one_step_mean": float(patterns.step_bits().mean()),
        "bits_by_window_of_steps": patterns.growth().tolist(),
        "patterns_seen_mean": float(patterns.seen().mean()),
    }
