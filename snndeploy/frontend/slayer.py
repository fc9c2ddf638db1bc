"""lava-dl's SLAYER neurons, recognised without importing it: they run in kernels of their own.

CUBA is leaky integrate-and-fire on whole parts of 1/s_scale, leaks rounded toward zero:

    u[t] = rz((1 - du) u[t-1]) + rz(x[t])      v[t] = rz((1 - dv) v[t-1] (1 - s[t-1])) + u[t]
    s[t] = [v[t] > threshold]                  time last
"""

from __future__ import annotations

from typing import Any

CUBA = "lava.lib.dl.slayer.neuron.cuba"
DELAYS = "lava.lib.dl.slayer.axon.delay"
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
