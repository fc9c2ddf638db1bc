"""The operations that the compiler knows, one file a family: a list one can read."""

from snndeploy.ops.arrange import EXPAND, INPUT, PERMUTE, VIEW
from snndeploy.ops.conv import CONV, PAD
from snndeploy.ops.elementwise import ADD, MULTIPLY, RELU, SCALE, SIGMOID, SUBTRACT, TANH
from snndeploy.ops.kind import OpKind
from snndeploy.ops.linear import LINEAR
from snndeploy.ops.neuron import NEURON
from snndeploy.ops.norm import NORM
from snndeploy.ops.pool import AVERAGE_POOL, MAXIMUM_POOL
from snndeploy.ops.reduce import MAX, MEAN, SUM

KINDS: dict[str, OpKind] = {
    kind.name: kind
    for kind in (
        INPUT, NEURON,
        CONV, PAD, LINEAR, NORM, AVERAGE_POOL, MAXIMUM_POOL,
        ADD, SUBTRACT, MULTIPLY, SCALE, RELU, SIGMOID, TANH,
        MEAN, SUM, MAX,
        VIEW, PERMUTE, EXPAND,
    )
}  # fmt: skip
