"""Networks of the papers' sizes, with empty kernels: what placement has to cope with."""

from __future__ import annotations

import numpy as np
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.network import Network, Projection


def _conv(target, source, stride):
    return Conv(np.zeros((target, source, 3, 3), dtype=np.int8), (stride, stride), (1, 1))


def residual_network(size, stages, classes, stem=64, stem_stride=1, shortcuts=1):
    """Membrane-shortcut residual network: pairs of LIF populations behind a stem.

    stages: (channels, blocks) each; every stage but the first halves the plane.  Each block's
    first population receives from the last `shortcuts` members of the stream.
    """
    populations = [make_population("image", (stem, size, size), "input")]
    projections = []

    def add(name, shape, sources, kind="lif"):
        depth = 1 + max(source.depth for source in sources)
        populations.append(make_population(name, shape, kind, depth=depth))
        for source in sources:
            if kind == "integrator":
                weight = np.zeros((shape[0], source.shape[0], 1, 1), dtype=np.int8)
                connection = Dense(weight, source.shape[1:])
            else:
                connection = _conv(shape[0], source.shape[0], source.shape[1] // shape[1])
            delay = depth - source.depth - 1
            key = f"{source.name}->{name}"
            projections.append(Projection(key, source.name, name, connection, delay=delay))
        return populations[-1]

    stream, plane, channels = [populations[0]], size, stem
    if stem_stride > 1:
        stream = [add("stem", (stem, size, size), stream)]
        plane = size // stem_stride
    for stage, (width, blocks) in enumerate(stages):
        for block in range(blocks):
            first = add(
                f"stage{stage}.{block}.first", (channels, plane, plane), stream[-shortcuts:]
            )
            plane = plane // 2 if stage and not block else plane
            channels = width
            name = f"stage{stage}.{block}.second"
            stream.append(add(name, (channels, plane, plane), [first]))
    last = add("last", (channels, plane, plane), stream[-shortcuts:])
    add("readout", (classes, 1, 1), [last], "integrator")
    return Network(6, tuple(populations), tuple(projections))
