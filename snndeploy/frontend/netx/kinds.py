"""What each layer type of a `.net` file becomes: one function a type."""

from __future__ import annotations

import numpy as np

from snndeploy.connections import Conv, Dense
from snndeploy.frontend.netx.layers import DECAY_ONE, INT16, LARGEST_THRESHOLD, Layer, Neuron
from snndeploy.frontend.netx.network import NETX_INPUT_WEIGHT, Builder
from snndeploy.network import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT, NO_CURRENT_MEMORY

LARGEST_STEP = 1 << 15  # of stride, padding and dilation


def add_layer(builder: Builder, layer: Layer, is_last: bool) -> None:
    if layer.kind in REFUSED:
        raise layer.unsupported(REFUSED[layer.kind])
    if layer.kind not in (*KINDS, "dense", "dense_rec"):
        known = ", ".join([*KINDS, "dense", "dense_rec"])
        raise layer.refuse(f"is of an unknown type; known: {known}")
    if builder.populations and not builder.last.neuron.sends:
        raise layer.refuse(f"comes after {builder.last.name}, which sends no spikes")
    if layer.kind in KINDS:
        KINDS[layer.kind](builder, layer)
    else:
        add_dense(builder, layer, is_last)
    builder.notes.extend(layer.notes)


def add_input(builder: Builder, layer: Layer) -> None:
    if builder.populations:
        raise layer.refuse("is an input layer, but layers come before it")
    shape = layer.declared_shape()
    if not layer.neuron_type:
        builder.start(layer.name, shape, None)
        return
    weight = layer.number("weight", INT16.min, INT16.max, default=NETX_INPUT_WEIGHT)
    bias = layer.number("bias", INT16.min, INT16.max, default=0)
    neuron = layer.neuron()
    if neuron.current_decay != NO_CURRENT_MEMORY:
        layer.notes.append(
            f"{layer.name}: the input goes into v past the current filter (iDecay "
            f"{neuron.current_decay}), as NetX does; SLAYER trains with the filter"
        )
    if not builder.apply_input_transform:
        weight, bias = 1, 0
    builder.start_spiking(layer.name, shape, neuron, weight, bias)


def add_flatten(builder: Builder, layer: Layer) -> None:
    channels, height, width = layer.declared_shape()
    if channels * height * width != builder.last.neurons:
        raise layer.refuse(
            f"declares {channels * height * width} neurons behind {builder.last.neurons}"
        )
    builder.flattened = True


def add_dense(builder: Builder, layer: Layer, is_last: bool) -> None:
    """Columns follow the source in (C, H, W) order."""
    channels, height, width = layer.declared_shape()
    outputs, source = channels * height * width, builder.last
    if builder.last_is_plane and not builder.flattened:
        raise layer.refuse(f"follows a plane of shape {source.shape} without a flatten layer")
    weight = _matrix(layer, "weight", outputs, source.neurons)
    delays = layer.delays()
    entering = _entering_delay(layer, delays, outputs, source.neurons)
    neuron = _readout_neuron(layer, weight, builder.timesteps) if is_last else layer.neuron()
    shape = (outputs, 1, 1)
    connection = Dense(compact(weight).reshape(outputs, *source.shape))
    builder.connect(layer, connection, shape, neuron, entering)
    if layer.kind == "dense_rec":
        recurrent = _matrix(layer, "weight_rec", outputs, outputs)
        builder.connect_back(Dense(compact(recurrent).reshape(outputs, *shape)))
    if entering is None:
        builder.delay_axons(layer, delays)


def add_conv(builder: Builder, layer: Layer) -> None:
    weight = _kernel(layer)
    groups = layer.number("groups", 1, LARGEST_STEP)
    inputs, outputs = builder.last.shape[0], layer.declared_shape()[0]
    if inputs % groups or outputs % groups:
        raise layer.refuse(f"has {groups} groups for {inputs} -> {outputs} channels")
    if weight.shape[:2] != (outputs, inputs // groups):
        raise layer.refuse(
            f"field 'weight' has shape {weight.shape}; expected ({outputs}, {inputs // groups}, "
            "height, width)"
        )
    if layer.delays() is not None:
        layer.notes.append(f"{layer.name}: its delays are kept; NetX ignores them")
    _add_kernel(builder, layer, weight, groups)


def add_pool(builder: Builder, layer: Layer) -> None:
    """Weighted sum pooling in front of spiking neurons: one kernel for every channel."""
    weight = _kernel(layer)
    if weight.shape[:2] != (1, 1):
        raise layer.refuse(f"field 'weight' has shape {weight.shape}; expected (1, 1, H, W)")
    channels = builder.last.shape[0]
    _add_kernel(builder, layer, np.repeat(weight, channels, axis=0), channels)


def add_average(builder: Builder, layer: Layer) -> None:
    """SLAYER's mean over groups of neurons, as a readout: the mean rate of every group."""
    channels, height, width = builder.last.shape
    outputs = layer.declared_shape()[0]
    if channels % outputs:
        raise layer.refuse(f"averages {channels} channels in {outputs} groups of unequal size")
    ones = np.ones((outputs, channels // outputs, height, width), dtype=np.int8)
    silent = Neuron(threshold=0, membrane_decay=0, fires=False)
    builder.connect(layer, Conv(ones, groups=outputs), (outputs, 1, 1), silent)
    builder.average(builder.last.name, channels // outputs * height * width)


KINDS = {
    "input": add_input,
    "flatten": add_flatten,
    "conv": add_conv,
    "pool": add_pool,
    "average": add_average,
}
REFUSED = {
    "convT": "a transposed convolution is not supported; lava-dl's own loader refuses it too",
    "unpool": "unpooling is not supported; lava-dl's own loader refuses it too",
    "concat": "a concatenation needs a second branch, which the format cannot store",
    "dense_comp": "complex weights need resonate-and-fire neurons; a Network has none",
}


def compact(weight: np.ndarray) -> np.ndarray:
    """The same integers in int8 where they fit, else int16."""
    fits = weight.min() >= -128 and weight.max() <= 127
    return np.ascontiguousarray(weight, dtype=np.int8 if fits else np.int16)


def _add_kernel(builder: Builder, layer: Layer, weight: np.ndarray, groups: int) -> None:
    if builder.flattened and builder.last_is_plane:
        raise layer.refuse("needs a plane, but a flatten layer comes before it")
    connection = Conv(
        compact(weight),
        stride=layer.pair("stride", 1, LARGEST_STEP),
        padding=layer.pair("padding", 0, LARGEST_STEP),
        dilation=layer.pair("dilation", 1, LARGEST_STEP),
        groups=groups,
    )
    shape, computed = layer.declared_shape(), connection.output_shape(builder.last.shape)
    if shape != computed:
        raise layer.refuse(f"declares shape {shape}; its kernel gives {computed}")
    if np.abs(weight).max() > 255:
        layer.notes.append(f"{layer.name}: weights beyond 8 bits, which only simulators hold")
    builder.connect(layer, connection, shape, layer.neuron())
    builder.delay_axons(layer, layer.delays())


def _kernel(layer: Layer) -> np.ndarray:
    """(outputs, inputs, H, W); SLAYER may store a last dimension of one."""
    weight = layer.integers("weight", INT16.min, INT16.max)
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4:
        raise layer.refuse(f"field 'weight' has shape {weight.shape}; expected 4 dimensions")
    return weight


def _matrix(layer: Layer, name: str, rows: int, columns: int) -> np.ndarray:
    """(rows, columns); NetX also takes it flat."""
    weight = layer.eight_bit(name)
    if weight.shape not in ((rows, columns), (rows * columns,)):
        raise layer.refuse(f"field '{name}' has shape {weight.shape}; expected ({rows}, {columns})")
    return weight.reshape(rows, columns)


def _entering_delay(
    layer: Layer, delays: np.ndarray | None, outputs: int, inputs: int
) -> np.ndarray | None:
    """Delays of the layer's sources, told from its own by their length (netx/hdf5.py)."""
    if delays is None:
        return None
    if delays.ndim == 2:
        if delays.shape != (outputs, inputs) or (delays != delays[0]).any():
            raise layer.refuse(
                f"field 'delay' of shape {delays.shape} holds a delay for every synapse; only "
                "delays of neurons are supported"
            )
        return delays[0]
    return delays if delays.shape == (inputs,) and inputs not in (1, outputs) else None


def _readout_neuron(layer: Layer, weight: np.ndarray, timesteps: int) -> Neuron:
    """The last dense layer: its neuron, or an integrator where it cannot fire.

    Without a neuron group NetX takes iDecay 0, vDecay 4096 and a threshold beyond 24 bits: u sums
    the input and v = u + bias.  Where u cannot wrap and there is no bias, a membrane without leak
    is the same and its registers are legal on the chip; that form is preferred.
    """
    if layer.neuron_type:
        neuron = layer.neuron(largest_threshold=1 << 31)
        if neuron.threshold < LARGEST_THRESHOLD:
            return neuron
        return Neuron(0, neuron.membrane_decay, neuron.current_decay, fires=False)
    reach = int(np.abs(weight).sum(axis=1).max()) * timesteps << MEMBRANE_SHIFT
    if layer.bias((len(weight), 1, 1)) is None and reach <= MEMBRANE_MAXIMUM:
        return Neuron(threshold=0, membrane_decay=0, fires=False)
    return Neuron(threshold=0, membrane_decay=DECAY_ONE, current_decay=0, fires=False)
