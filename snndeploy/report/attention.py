"""The report's attention: who computes it, how much, and what waits for the full window."""

from __future__ import annotations

from typing import Any

from snndeploy.network import Network, Population
from snndeploy.traffic.attention_work import buffer_bytes, runs, work_of


def attention(network: Network) -> dict[str, Any] | None:
    """Work of one sample (it does not depend on the spikes); None where there is no attention."""
    rows = [_row(p, network.timesteps) for p in network.populations if p.attention]
    if not rows:
        return None
    found: dict[str, Any] = {"unit": rows[0]["unit"]}
    for key in ("macs_per_sample", "additions_per_sample", "buffer_bytes"):
        found[key] = sum(row[key] for row in rows)
    found["full_windows"] = sum(row["full_window"] for row in rows)
    return {**found, "populations": rows}


def _row(population: Population, timesteps: int) -> dict[str, Any]:
    macs = additions = 0
    for each in population.attention:
        work, times = work_of(each.graph), runs(each, timesteps)
        macs, additions = macs + work.macs * times, additions + work.additions * times
    return {
        "name": population.name,
        "unit": population.attention[0].unit,
        "at": [each.at for each in population.attention],
        "full_window": any(each.full_window for each in population.attention),
        "macs_per_sample": macs,
        "additions_per_sample": additions,
        "buffer_bytes": buffer_bytes(population),
    }
