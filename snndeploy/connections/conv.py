"""conv: a kernel that every position shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.connections.shape import Shape


@dataclass(frozen=True, eq=False)
class Conv:
    """Shared-kernel connection: cross-correlation as in torch `conv2d`, zero padding.

    weight: integer mantissas (out_channels, in_channels / groups, kernel_h, kernel_w).
    """

    weight: np.ndarray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def output_shape(self, source: Shape) -> Shape:
        _, height, width = source
        sizes = [
            (size + 2 * pad - dil * (kernel - 1) - 1) // stride + 1
            for size, pad, dil, kernel, stride in zip(
                (height, width),
                self.padding,
                self.dilation,
                self.weight.shape[2:],
                self.stride,
                strict=True,
            )
        ]
        return (self.weight.shape[0], sizes[0], sizes[1])
