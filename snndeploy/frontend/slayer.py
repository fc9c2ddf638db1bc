"""lava-dl's SLAYER blocks, recognised without importing it: neurons run in kernels of their own.

CUBA is leaky integrate-and-fire on whole parts of 1/s_scale, leaks rounded toward zero:

    u[t] = rz((1 - du) u[t-1]) + rz(x[t])      v[t] = rz((1 - dv) v[t-1] (1 - s[t-1])) + u[t]
    s[t] = [v[t] > threshold]                  time last
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

CUBA = "lava.lib.dl.slayer.neuron.cuba"
DELAYS = "lava.lib.dl.slayer.axon.delay"
SYNAPSES = "lava.lib.dl.slayer.synapse.layer"
FAMILY = "lava.lib.dl.slayer.neuron."
UNSUPPORTED = ("persistent_state", "graded_spike", "norm")


def slayer_neuron(module: Any) -> dict[str, Any] | None:
    """An adapter (`frontend.adapters`).

    Raises:
        ValueError: a neuron of SLAYER that is not plain CUBA, by name.
    """
    where = type(module).__module__
    if where == DELAYS and type(module).__name__ == "Delay":
        raise ValueError(
            "a delay for every axon compiles from lava-dl's own file: write it with export_hdf5 and"
            " compile the .net; or make the block with delay=False"
        )
    if not where.startswith(FAMILY) or type(module).__name__ != "Neuron":
        return None
    if module.threshold is None:
        return None  # of an affine block: it never fires
    if where != CUBA:
        raise ValueError(f"of SLAYER's neurons CUBA compiles, not {where.rpartition('.')[2]}")
    for option in UNSUPPORTED:
        if getattr(module, option, None):
            raise ValueError(f"its {option} does not compile; make the block without it")
    one = float(module.p_scale)
    return {
        "threshold": float(module.threshold),
        "fires_at": "gt",
        "decay": 1 - module.voltage_decay.detach().round() / one,
        "current_decay": 1 - module.current_decay.detach().round() / one,
        "v_reset": 0.0,
        "reset": "hard",
        "grid": 1 / float(module.s_scale),
        "time_axis": -1,
    }


@contextmanager
def pools_as_convolutions(module: Any) -> Iterator[None]:
    """SLAYER's pools put channels below each other as rows; while the module is traced they are
    convolutions of each channel, which compute the same."""
    pools = [child for child in module.modules() if _is_pool(child)]
    for pool in pools:
        pool.forward = _convolution(pool, pool.forward)
    try:
        yield
    finally:
        for pool in pools:
            del pool.forward


def _is_pool(module: Any) -> bool:
    return type(module).__module__ == SYNAPSES and type(module).__name__ == "Pool"


def _convolution(pool: Any, usual: Callable[[Any], Any]) -> Callable[[Any], Any]:
    kernel = tuple(pool.kernel_size)
    whole = tuple(pool.stride) == kernel and not any(pool.padding)

    def forward(x: Any) -> Any:
        rows, columns = x.shape[2:4]
        if not whole or rows % kernel[0] or columns % kernel[1]:
            return usual(x)
        weight = pool.weight if pool.pre_hook_fx is None else pool.pre_hook_fx(pool.weight)
        channels = x.shape[1]
        weight = weight.expand(channels, *weight.shape[1:])
        return torch.nn.functional.conv3d(x, weight, stride=pool.stride, groups=channels)

    return forward
