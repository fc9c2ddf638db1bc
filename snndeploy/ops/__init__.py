"""The operations that the compiler knows, one file a family: a list one can read."""

from snndeploy.ops.arrange import CONCATENATE, EXPAND, INPUT, PERMUTE, TAKE, VIEW
from snndeploy.ops.compare import COMPARE
from snndeploy.ops.conv import CONV, PAD
from snndeploy.ops.elementwise import (
    ADD,
    CLAMP,
    DIVIDE,
    FLOOR,
    MULTIPLY,
    RELU,
    ROUND,
    SCALE,
    SIGMOID,
    SUBTRACT,
    TANH,
)
from snndeploy.ops.kind import OpKind
from snndeploy.ops.linear import LINEAR
from snndeploy.ops.neuron import NEURON
from snndeploy.ops.norm import NORM
from snndeploy.ops.pool import AVERAGE_POOL, MAXIMUM_POOL
from snndeploy.ops.rank import TOP_K
from snndeploy.ops.reduce import MAX, MEAN, MIN, SUM

KINDS: dict[str, OpKind] = {
    kind.name: kind
    for kind in (
        INPUT, NEURON,
        CONV, PAD, LINEAR, NORM, AVERAGE_POOL, MAXIMUM_POOL,
        ADD, SUBTRACT, MULTIPLY, DIVIDE, SCALE, RELU, SIGMOID, TANH,
        FLOOR, ROUND, CLAMP, COMPARE,
        MEAN, SUM, MAX, MIN, TOP_K,
        VIEW, PERMUTE, EXPAND, TAKE, CONCATENATE,
    )
}  # fmt: skip
