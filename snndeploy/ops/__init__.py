"""The operations that the compiler knows, one file a family: a list one can read."""

from snndeploy.errors import UnsupportedError
from snndeploy.graph import Node
from snndeploy.ops.arithmetic import ADD, DIVIDE, MULTIPLY, SCALE, SUBTRACT
from snndeploy.ops.arrange import EXPAND, INPUT, PERMUTE, VIEW
from snndeploy.ops.compare import COMPARE
from snndeploy.ops.conv import CONV, PAD
from snndeploy.ops.delay import DELAY
from snndeploy.ops.extend import EXTEND
from snndeploy.ops.finish import ARGMAX, LOG_SOFTMAX, SOFTMAX
from snndeploy.ops.functions import CLAMP, FLOOR, RELU, ROUND, SIGMOID, TANH
from snndeploy.ops.kind import OpKind, Role, Trait
from snndeploy.ops.leaky import LEAKY, WEIGH
from snndeploy.ops.linear import LINEAR
from snndeploy.ops.neuron import NEURON
from snndeploy.ops.norm import NORM
from snndeploy.ops.parts import CONCATENATE, TAKE
from snndeploy.ops.pool import AVERAGE_POOL, MAXIMUM_POOL
from snndeploy.ops.rank import TOP_K, TOP_K_MASK
from snndeploy.ops.reduce import MAX, MEAN, MIN, SUM
from snndeploy.ops.standardize import GROUP_NORM, LAYER_NORM
from snndeploy.ops.transposed import CONV_TRANSPOSE, UPSAMPLE
from snndeploy.ops.windows import MAX_WINDOWS, MEAN_WINDOWS

__all__ = ["KINDS", "OpKind", "Role", "Trait", "has", "is_layer", "kind_of"]

KINDS: dict[str, OpKind] = {
    kind.name: kind
    for kind in (
        INPUT, NEURON, DELAY,
        CONV, CONV_TRANSPOSE, PAD, EXTEND, UPSAMPLE, LINEAR,
        NORM, GROUP_NORM, LAYER_NORM,
        AVERAGE_POOL, MAXIMUM_POOL, MEAN_WINDOWS, MAX_WINDOWS,
        ADD, SUBTRACT, MULTIPLY, DIVIDE, SCALE, RELU, SIGMOID, TANH,
        FLOOR, ROUND, CLAMP, COMPARE,
        MEAN, SUM, MAX, MIN, TOP_K, TOP_K_MASK,
        LEAKY, WEIGH, SOFTMAX, LOG_SOFTMAX, ARGMAX,
        VIEW, PERMUTE, EXPAND, TAKE, CONCATENATE,
    )
}  # fmt: skip


def kind_of(node: Node) -> OpKind:
    """The declaration of the node's operation.

    Raises:
        UnsupportedError: there is none.
    """
    if node.op not in KINDS:
        raise UnsupportedError(f"{node.label}: operation {node.op!r} is not declared in ops/")
    return KINDS[node.op]


def is_layer(node: Node) -> bool:
    """Has weights of its own: conv, linear."""
    return kind_of(node).role is Role.LAYER


def has(node: Node, trait: Trait) -> bool:
    return trait in kind_of(node).traits
