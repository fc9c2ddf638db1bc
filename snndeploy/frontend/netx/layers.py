"""One layer of a `.net` file as checked integers: what it says, or why it is refused.

Field meanings: lava-dl 0.6.0, `slayer/block/base.py` (writer), `netx/utils.py` and `netx/hdf5.py`
(reader).  Numbers may be stored as floats; they must be whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from snndeploy.connections import Shape
from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.network import NO_CURRENT_MEMORY
from snndeploy.neurons import Integrator, Lif

LARGEST_THRESHOLD = 131071  # 17 bit register (lava/proc/lif/models.py)
DECAY_ONE = 4096
LARGEST_DELAY = 62  # netx/hdf5.py clips to it; slayer/block/*.py trains up to it
BIAS_EXPONENT = 6  # netx/hdf5.py: biases are in weight units, added to v
MOST_NEURONS = 1 << 24  # of one layer
LARGEST_SIDE = 1 << 24
INT16 = np.iinfo(np.int16)

SPIKING = ("LOIHI", "CUBA")
SIGMA_DELTA = (
    "a sigma-delta neuron sends graded differences of an activation, and a Network has only "
    "spiking and integrating populations; train the network with LOIHI or CUBA neurons"
)
RESONATE = "a resonate-and-fire neuron has a complex state; a Network has none"
_IGNORED = {  # neuron field: the only value that means what NetX runs
    "gradedSpike": "NetX sends binary spikes",
    "wgtExp": "NetX does not read it",
    "weight_exp": "NetX does not read it",
}


@dataclass(frozen=True)
class Neuron:
    """Registers of LOIHI and CUBA neurons (iDecay, vDecay, vThMant); `fires` False: a readout."""

    threshold: int
    membrane_decay: int
    current_decay: int = NO_CURRENT_MEMORY
    fires: bool = True

    @property
    def registers(self) -> Lif | Integrator:
        if self.fires:
            return Lif(self.membrane_decay, self.current_decay, self.threshold)
        return Integrator(self.membrane_decay, self.current_decay)


@dataclass(frozen=True, eq=False)
class Layer:
    """The raw fields of group `layer/<index>`; those of its neuron are named `neuron/...`."""

    file: str
    index: int
    kind: str
    fields: dict[str, np.ndarray]
    neuron_type: str = ""  # "" when the layer has no neuron group
    notes: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.file}: layer {self.index} ({self.kind})"

    @property
    def name(self) -> str:
        return f"{self.kind}{self.index}"

    def refuse(self, about: str) -> ModelError:
        return ModelError(f"{self.title} {about}")

    def unsupported(self, reason: str) -> UnsupportedError:
        return UnsupportedError(f"{self.title}: {reason}", node=self.name, reason=reason)

    # --- reading ---------------------------------------------------------------------------------

    def integers(self, name: str, low: int, high: int) -> np.ndarray:
        """The field as int64, every value whole and within [low, high]."""
        if name not in self.fields:
            raise self.refuse(f"has no field '{name}'")
        values = self.fields[name]
        if values.size == 0:
            raise self.refuse(f"field '{name}' is empty, shape {values.shape}")
        bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        self._refuse_values(name, values, bad, "not finite")
        self._refuse_values(name, values, values != np.rint(values), "not whole numbers")
        outside = (values < low) | (values > high)
        self._refuse_values(name, values, outside, f"outside {low}..{high}")
        return values.astype(np.int64)

    def _refuse_values(self, name: str, values: np.ndarray, bad: np.ndarray, what: str) -> None:
        count = int(np.count_nonzero(bad))
        if not count:
            return
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        at = f" at {place}" if place else ""
        raise self.refuse(
            f"field '{name}': {count} of {values.size} values are {what}, the first is "
            f"{values[place]:g}{at}"
        )

    def number(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A field that holds one value (or the same value many times)."""
        if name not in self.fields and default is not None:
            return default
        values = np.unique(self.integers(name, low, high))
        if values.size > 1:
            raise self.refuse(
                f"field '{name}' holds {values.size} different values ({values[0]} to "
                f"{values[-1]}); a population has one"
            )
        return int(values[0])

    def pair(self, name: str, low: int, high: int) -> tuple[int, int]:
        """(vertical, horizontal): stored as one number or as (H, W)."""
        values = self.integers(name, low, high).ravel()
        if values.size not in (1, 2):
            raise self.refuse(f"field '{name}' holds {values.size} numbers; expected 1 or 2")
        return int(values[0]), int(values[-1])

    def declared_shape(self) -> Shape:
        """`shape` as (C, H, W); a vector is channels, a matrix one channel (as NetX reads it)."""
        sizes = self.integers("shape", 1, LARGEST_SIDE)
        if sizes.ndim > 1 or sizes.size > 3:
            raise self.refuse(f"field 'shape' has shape {sizes.shape}; expected 1 to 3 numbers")
        given = [int(size) for size in sizes.ravel()]
        padded = {1: [*given, 1, 1], 2: [1, *given], 3: given}[len(given)]
        neurons = padded[0] * padded[1] * padded[2]
        if neurons > MOST_NEURONS:
            raise self.refuse(f"has {neurons} neurons; the reader stops at {MOST_NEURONS}")
        return (padded[0], padded[1], padded[2])

    # --- meaning ---------------------------------------------------------------------------------

    def neuron(self, largest_threshold: int = LARGEST_THRESHOLD) -> Neuron:
        self.check_neuron_type()
        for name, reason in _IGNORED.items():
            if self.number(f"neuron/{name}", -(1 << 31), 1 << 31, default=0):
                raise self.unsupported(f"'neuron/{name}' is set, but {reason}")
        if self.number("neuron/refDelay", 0, 64, default=1) > 1:
            self.notes.append(f"{self.name}: refDelay above 1 is ignored, as NetX ignores it")
        return Neuron(
            threshold=self.number("neuron/vThMant", 0, largest_threshold),
            membrane_decay=self.number("neuron/vDecay", 0, DECAY_ONE),
            current_decay=self.number("neuron/iDecay", 0, DECAY_ONE),
        )

    def check_neuron_type(self) -> None:
        if not self.neuron_type:
            raise self.refuse("has no 'neuron' group")
        if self.neuron_type == "SDNN":
            raise self.unsupported(f"SDNN: {SIGMA_DELTA}")
        if "RF" in self.neuron_type:  # the test of netx/hdf5.py
            raise self.unsupported(f"{self.neuron_type}: {RESONATE}")
        if self.neuron_type not in SPIKING:
            raise self.refuse(
                f"has neurons of unknown type '{self.neuron_type}'; known: {', '.join(SPIKING)}"
            )

    def bias(self, shape: Shape) -> np.ndarray | None:
        """int32 mantissas of exponent 6, (C,) or (C, H, W); None when absent or all zero."""
        if "bias" not in self.fields:
            return None
        values = self.integers("bias", INT16.min, INT16.max).ravel()
        if not values.any():
            return None
        channels, neurons = shape[0], shape[0] * shape[1] * shape[2]
        if values.size == 1:
            return np.full(channels, values[0], dtype=np.int32)
        if values.size == channels:
            return values.astype(np.int32)
        if values.size == neurons:
            return values.reshape(shape).astype(np.int32)
        raise self.refuse(
            f"field 'bias' holds {values.size} values; expected {channels} (channels) or "
            f"{neurons} (neurons)"
        )

    def delays(self) -> np.ndarray | None:
        """Delays in steps as stored, clipped to 62 as NetX does; None when absent or zero."""
        if "delay" not in self.fields:
            return None
        values = self.integers("delay", 0, 1 << 15)
        if values.max() > LARGEST_DELAY:
            self.notes.append(
                f"{self.name}: delays up to {values.max()} clipped to {LARGEST_DELAY}, as NetX does"
            )
        values = np.minimum(values, LARGEST_DELAY)
        return values if values.any() else None

    def eight_bit(self, name: str) -> np.ndarray:
        """Dense weights that Loihi's 8-bit synapses hold unchanged, int64.

        lava/proc/dense/models.py: mixed signs clip to -256..255 and lose the lowest bit when the
        largest magnitude needs all nine bits; one sign only clips to 0..255 or -255..0.
        """
        weight = self.integers(name, -256, 255)
        mixed = weight.min() < 0 < weight.max()
        if not mixed:
            self._refuse_values(name, weight, weight == -256, "outside -255..255")
        elif weight.min() < -128 or weight.max() > 127:
            self._refuse_values(name, weight, weight % 2 != 0, "odd, beside values beyond 127")
        return weight
