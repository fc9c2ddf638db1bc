"""How a core stores the weights of a connection; a target may price an operation on each.

dense   lists of all weights
conv    one kernel that every position shares
sparse  lists that name their targets: of convolutions, where the chip shares no kernels
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from snndeploy.connections.connection import Connection
from snndeploy.target import Target

Encoding = Literal["dense", "sparse", "conv"]
ENCODINGS: tuple[Encoding, ...] = ("dense", "sparse", "conv")
COUNTERS: dict[Encoding, str] = {  # of `target.events`, whose prices they have
    "dense": "synaptic_operations", "sparse": "sparse_operations", "conv": "conv_operations",
}  # fmt: skip


def encoding_of(connection: Connection, target: Target) -> Encoding:
    """How a core of the target stores the weights."""
    if not connection.sparse:
        return "dense"
    shared = target.shared_convolution and connection.shared_lists is not None
    return "conv" if shared else "sparse"


def counted_share(connection: Connection, target: Target) -> float:
    """Which part of the synapses the target counts as operations."""
    if target.zero_weights != "skipped" or not connection.weight.size:
        return 1.0
    return np.count_nonzero(connection.weight) / connection.weight.size
