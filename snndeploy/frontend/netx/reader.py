"""lava-dl NetX `.net` files (HDF5) -> Network.

The file is a stranger's: links, external storage, virtual datasets and foreign filters are
refused, and sizes are checked before anything is read.  What the layers mean is in
`netx_layers.py` (fields) and `netx_network.py` (populations).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.connections import Shape
from snndeploy.errors import ModelError, UnsupportedError, near_names, one_line
from snndeploy.files.hdf5 import Budget, h5py, member
from snndeploy.frontend.netx.kinds import add_layer
from snndeploy.frontend.netx.layers import Layer
from snndeploy.frontend.netx.network import Builder, InputNeuron
from snndeploy.network import Network

__all__ = ["InputNeuron", "load_netx"]

MOST_LAYERS = 1024
MOST_TIMESTEPS = 1 << 20

_LAYER_FIELDS = {
    "shape", "weight", "weight_rec", "bias", "delay", "stride", "padding", "dilation", "groups",
}  # fmt: skip
_UNREAD_LAYER_FIELDS = {
    "type", "neuron", "inFeatures", "outFeatures", "inChannels", "outChannels", "kernelSize",
}  # fmt: skip
_NEURON_FIELDS = {"iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike", "wgtExp", "weight_exp"}
_UNREAD_NEURON_FIELDS = {
    "type", "theta", "tauRho", "scaleRho", "messageBits", "activation", "sigma_output",
    "sinDecay", "cosDecay",
}  # fmt: skip


def load_netx(
    path: str | os.PathLike[str],
    timesteps: int | None = None,
    *,
    input_shape: Shape | None = None,
    input_neuron: InputNeuron | None = None,
    input_payload_bound: int = 1,
    apply_input_transform: bool = True,
) -> Network:
    """The network of a `.net` file.

    timesteps: steps of a sample; None takes `simulation/tSample` of the file.
    input_shape: (channels, height, width) for a file whose first layer is a convolution.
    input_neuron: a spiking input layer for a file that has none, driven by a bias.
    input_payload_bound: largest magnitude of the host's payloads where the first layer is driven
        by them; 1 means spikes (NetX: input_message_bits).
    apply_input_transform: a spiking input layer stores `weight` and `bias`, the map from the
        values the network was trained on to bias mantissas: weight * x + bias.  It is applied
        here (weight as the injection's multiplier, bias as the population's own), so the data is
        what SLAYER saw.  NetX itself stores the map and leaves it to the caller: False expects
        ready mantissas, as Intel's recordings have them.
    """
    file = Path(path)
    reader = _Reader(file)
    layers, steps = reader.read(timesteps)
    builder = Builder(steps, apply_input_transform, input_payload_bound)
    first = layers[0]
    if input_neuron is not None and first.kind == "input" and first.neuron_type:
        raise first.refuse("has neurons already; leave out input_neuron")
    if first.kind != "input":
        builder.start("input", _first_shape(first, input_shape), input_neuron)
    elif input_neuron is not None:
        builder.start(first.name, first.declared_shape(), input_neuron)
        layers = layers[1:]
    for layer in layers:
        add_layer(builder, layer, is_last=layer is layers[-1])
    if len(builder.populations) < 2:
        raise ModelError(f"{file.name}: the network has no layer behind its input")
    return builder.finish()


def _first_shape(layer: Layer, input_shape: Shape | None) -> Shape:
    """The input of a file without an input layer."""
    if input_shape is not None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise layer.refuse(f"got input_shape={input_shape}; expected (channels, height, width)")
        return input_shape
    if layer.kind not in ("dense", "dense_rec"):
        raise layer.refuse("comes first, so the input is of unknown shape; give input_shape")
    channels, height, width = layer.declared_shape()
    outputs, weights = channels * height * width, layer.integers("weight", -256, 255).size
    if weights % outputs:
        raise layer.refuse(f"field 'weight' holds {weights} values for {outputs} neurons")
    return (weights // outputs, 1, 1)


@dataclass
class _Reader:
    path: Path
    budget: Budget = field(default_factory=Budget)

    @property
    def name(self) -> str:
        return self.path.name

    def read(self, timesteps: int | None) -> tuple[list[Layer], int]:
        if not self.path.is_file():
            raise ModelError(f"{self.path}: no such file")
        try:
            with h5py.File(self.path, "r") as handle:
                layers = self._layers(handle)
                return layers, self._timesteps(handle, timesteps)
        except (ModelError, UnsupportedError):
            raise
        except Exception as error:  # h5py raises nearly anything on a damaged file
            raise ModelError(
                f"{self.name}: not a readable HDF5 network file ({one_line(error)})"
            ) from None

    def _timesteps(self, handle: h5py.File, timesteps: int | None) -> int:
        if timesteps is None:
            group = self._optional_child(handle, "simulation", h5py.Group, "the file")
            given = None
            if group is not None:
                given = self._numbers(group, "tSample", "group 'simulation'")
            if given is None or given.size != 1 or not np.isfinite(given).all():
                raise ModelError(
                    f"{self.name}: does not say how many time steps a sample has; give timesteps"
                )
            timesteps = int(given.ravel()[0])
        if not 1 <= timesteps <= MOST_TIMESTEPS:
            raise ModelError(f"{self.name}: {timesteps} time steps; expected 1 to {MOST_TIMESTEPS}")
        return timesteps

    def _layers(self, handle: h5py.File) -> list[Layer]:
        group = self._child(handle, "layer", h5py.Group, "the file")
        count = len(group)
        if not 1 <= count <= MOST_LAYERS:
            raise ModelError(f"{self.name}: has {count} layers; expected 1 to {MOST_LAYERS}")
        names = set(group)
        for index in range(count):
            if str(index) not in names:
                stray = sorted(names - {str(i) for i in range(count)})[0]
                raise ModelError(
                    f"{self.name}: group 'layer' has {count} entries and one is '{stray[:40]}'; "
                    f"expected 0 to {count - 1}"
                )
        return [self._layer(group, index) for index in range(count)]

    def _layer(self, layers: h5py.Group, index: int) -> Layer:
        where = f"layer {index}"
        group = self._child(layers, str(index), h5py.Group, where)
        kind = self._text(group, "type", where)
        where = f"{where} ({kind})"
        self._refuse_complex(group, where)
        neuron = self._optional_child(group, "neuron", h5py.Group, where)
        neuron_type = "" if neuron is None else self._text(neuron, "type", f"{where} neuron")
        self._refuse_strangers(group, _LAYER_FIELDS | _UNREAD_LAYER_FIELDS, where)
        fields = self._fields(group, _LAYER_FIELDS, where, "")
        if neuron is not None and neuron_type in ("LOIHI", "CUBA"):
            known = _NEURON_FIELDS | _UNREAD_NEURON_FIELDS
            self._refuse_strangers(neuron, known, f"{where} neuron")
            fields |= self._fields(neuron, _NEURON_FIELDS, f"{where} neuron", "neuron/")
        layer = Layer(self.name, index, kind, fields, neuron_type)
        if neuron is not None:
            layer.check_neuron_type()
        return layer

    def _fields(
        self, group: h5py.Group, names: set[str], where: str, prefix: str
    ) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name in sorted(names):
            values = self._numbers(group, name, where)
            if values is not None:
                found[prefix + name] = values
        return found

    def _refuse_strangers(self, group: h5py.Group, known: set[str], where: str) -> None:
        for name in group:
            if name not in known:
                near = near_names(name, known).rstrip("?")
                raise ModelError(f"{self.name}: {where} has an unknown field '{name[:40]}'{near}")

    def _refuse_complex(self, group: h5py.Group, where: str) -> None:
        link = group.get("weight", getlink=True)
        if isinstance(link, h5py.HardLink) and isinstance(group["weight"], h5py.Group):
            reason = "complex weights need resonate-and-fire neurons; a Network has none"
            raise UnsupportedError(f"{self.name}: {where}: {reason}", node=where, reason=reason)

    # --- the file format -------------------------------------------------------------------------

    def _child(self, group: h5py.Group, name: str, kind: type, where: str) -> Any:
        found = self._optional_child(group, name, kind, where)
        if found is None:
            raise ModelError(f"{self.name}: {where} has no '{name}'")
        return found

    def _optional_child(
        self, group: h5py.Group, name: str, kind: type, where: str
    ) -> h5py.Group | h5py.Dataset | None:
        found: h5py.Group | h5py.Dataset | None = member(group, name, f"{self.name}: {where}")
        if found is not None and not isinstance(found, kind):
            raise ModelError(f"{self.name}: {where} '{name}' is not a {kind.__name__.lower()}")
        return found

    def _numbers(self, group: h5py.Group, name: str, where: str) -> np.ndarray | None:
        dataset = self._optional_child(group, name, h5py.Dataset, where)
        if dataset is None:
            return None
        refuse = self._refusal(where, name)
        if dataset.shape is None or dataset.dtype.kind not in "iufb":
            raise refuse(f"holds {dataset.dtype}, not numbers")
        self.budget.check(dataset, refuse)
        return np.asarray(dataset[()])

    def _text(self, group: h5py.Group, name: str, where: str) -> str:
        """`type` is a string or an array of one string."""
        dataset = self._child(group, name, h5py.Dataset, where)
        refuse = self._refusal(where, name)
        if dataset.shape not in ((), (1,)) or h5py.check_string_dtype(dataset.dtype) is None:
            raise refuse(f"has shape {dataset.shape} and type {dataset.dtype}; expected one string")
        self.budget.check(dataset, refuse)
        raw = dataset[()] if dataset.shape == () else dataset[0]
        text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)
        text = text.rstrip("\0")
        if not text.isidentifier() or len(text) > 40:
            raise refuse(f"is {text[:40]!r}; expected a name")
        return text

    def _refusal(self, where: str, name: str) -> Callable[[str], ModelError]:
        return lambda about: ModelError(f"{self.name}: {where} field '{name}' {about}")
