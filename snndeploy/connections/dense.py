"""dense: all-to-all, shared over pooling windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.connections.shape import Shape


@dataclass(frozen=True, eq=False)
class Dense:
    """All-to-all connection, optionally shared over `pool` windows of the source plane.

    weight: integer mantissas (targets, channels, height // pool_h, width // pool_w).  The source
    neuron (c, y, x) uses column (c, y // pool_h, x // pool_w): sum pooling followed by a dense
    layer, without expanding it.  pool == (height, width) is a global sum.  Rows and columns past
    the last whole window connect to nothing.
    """

    weight: np.ndarray
    pool: tuple[int, int] = (1, 1)

    def output_shape(self, source: Shape) -> Shape:
        return (self.weight.shape[0], 1, 1)
