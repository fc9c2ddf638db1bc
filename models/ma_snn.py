"""MA-SNN: multi-dimensional attention on LIF-SNN-3 and LIF-SNN-5 (MA section 6, Tables 1, 5, 6).

attention names the dimensions, in the order they apply: "T", "C", "S", "TC" (TCA), "TS" (TSA),
"CS" (CSA), "TCS" (TCSA). setting is a name of attention.SETTINGS: reductions, kernels, location,
pooling. location overrides the setting's (MA Table 4):

    recommended    TA on the current, CA and SA on the membrane (MA section 6.1)
    conv_pre       on what the convolution receives: spikes become reals
    conv_post      on the current X, before it is integrated
    activate_pre   on the membrane U = H + X; not for TA, nor for pooling over time

Attention works on every convolution. At conv_pre the first one has two channels, too few for
channel attention with a reduction above 2; leave it out with skip_first.
"""

from __future__ import annotations

from attention import Location, attend
from attention import setting as named
from layers import NOWHERE, Attend, Placement
from lif_snn import LIFSNN3, example, lif_snn_3, lif_snn_3_small
from lif_snn_5 import LIFSNN5, Pool, lif_snn_5

__all__ = ["example", "ma_snn_3", "ma_snn_3_small", "ma_snn_5"]

POLARITIES = 2


def _attend(
    attention: str, name: str, location: Location | None, timesteps: int, skip_first: bool
) -> Attend:
    place = attend(attention, named(name, location), timesteps)

    def skipping(in_channels: int, channels: int) -> Placement:
        return NOWHERE if in_channels == POLARITIES else place(in_channels, channels)

    return skipping if skip_first else place


def ma_snn_3(
    timesteps: int,
    classes: int,
    attention: str,
    setting: str,
    location: Location | None = None,
    skip_first: bool = False,
    neuron: str = "ma_events",
) -> LIFSNN3:
    """MA on LIF-SNN-3; MA Tables 1, 4, 5 and 6.

    TCSA adds 24,126 parameters at T=60 with setting "ma_printed".
    """
    placed = _attend(attention, setting, location, timesteps, skip_first)
    return lif_snn_3(timesteps, classes, neuron, placed)


def ma_snn_3_small(
    timesteps: int,
    attention: str,
    setting: str,
    location: Location | None = None,
    skip_first: bool = False,
    classes: int = 10,
    size: int = 28,
    neuron: str = "ma_events",
) -> LIFSNN3:
    """The same on small frames (lif_snn.py); not from a paper."""
    placed = _attend(attention, setting, location, timesteps, skip_first)
    return lif_snn_3_small(timesteps, classes, size, neuron, placed)


def ma_snn_5(
    timesteps: int,
    classes: int,
    pool: Pool,
    attention: str,
    setting: str,
    location: Location | None = None,
    skip_first: bool = False,
    neuron: str = "plif",
) -> LIFSNN5:
    """MA on LIF-SNN-5; MA Table 1. pool is "average" in MA."""
    placed = _attend(attention, setting, location, timesteps, skip_first)
    return lif_snn_5(timesteps, classes, pool, neuron, placed)
