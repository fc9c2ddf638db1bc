"""Which limit forced the number of cores, in words, with both numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from snndeploy.layout.layout import Tile
from snndeploy.mapping.memory import NEURON_GROUPS
from snndeploy.mapping.tile import WORDS


def binding(tiles: Iterable[Tile], use: Mapping[str, np.ndarray], limits: Mapping[str, int]) -> str:
    """The resource that forced the number of cores: the fullest one, weighed by cores."""
    cores_of: dict[str, set[int]] = {}
    for tile in tiles:
        cores_of.setdefault(tile.population, set()).add(tile.core)
    bound: dict[str, int] = {}  # resource: cores of the populations that it cut
    fullest: dict[str, tuple[int, str]] = {}
    for name, owned in cores_of.items():
        cores = sorted(owned)
        most = {resource: int(values[cores].max()) for resource, values in use.items()}
        if most.get(NEURON_GROUPS, 0) < limits.get(NEURON_GROUPS, 0):
            del most[NEURON_GROUPS]  # groups force nothing before the last one is taken
        worst = max(most, key=lambda resource: most[resource] / limits[resource])
        bound[worst] = bound.get(worst, 0) + (len(cores) if len(cores) > 1 else 0)
        fullest[worst] = max(fullest.get(worst, (-1, "")), (most[worst], name))
    if not bound:
        return "nothing is mapped"
    worst = max(
        bound, key=lambda resource: (bound[resource], fullest[resource][0] / limits[resource])
    )
    value, name = fullest[worst]
    text = f"{WORDS[worst]}: {value:,} of {limits[worst]:,} on the fullest core ({name})"
    if bound[worst]:
        return f"{text}; binds {bound[worst]:,} of {1 + max(map(max, cores_of.values())):,} cores"
    return f"{text}; every population fits one core"
