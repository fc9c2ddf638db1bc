"""Network -> lava-dl NetX `.net` file (HDF5), equal spike for spike when NetX runs it.

The format: lava-dl 0.6.0, `netx/hdf5.py` and `netx/utils.py`, its reader.  It stores a straight
chain of layers; what it cannot say is refused with the reason, never approximated.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.backends.backend import refuse
from snndeploy.backends.netx.backend import ALLOWED
from snndeploy.backends.netx.chain import (
    NETX_BIAS_EXPONENT,
    Link,
    axon_delays,
    bias_mantissas,
    chain,
    input_injection,
    unsupported,
)
from snndeploy.backends.netx.narrow import narrowed
from snndeploy.backends.netx.weights import as_kernel, chip_holds, dense_holds, effective_weight
from snndeploy.errors import DeployError
from snndeploy.files.ownership import MARK
from snndeploy.files.writing import write_bytes
from snndeploy.network import Network, Population
from snndeploy.neurons import Integrator, Lif

Fields = dict[str, Any]
"""A group of the file: arrays, numbers, the text of `type`, and groups in it."""

SILENT_THRESHOLD = 131072  # << 6 is 2^23, above every membrane: NetX's own choice for readouts


def export_netx(
    network: Network, path: str | os.PathLike[str], *, round_biases: bool = False
) -> tuple[str, ...]:
    """Write `network` for `lava.lib.dl.netx.hdf5.Network(net_config=path)`.

    round_biases: round biases to the multiples of 64 that the format holds, and hold membranes
    in units with which weights fit 8 bits (then not bit-exact, `narrow`).

    Returns notes: what the file leaves to its user, such as the input's mantissas.

    Raises:
        UnsupportedError: the population and what the format or NetX cannot do.
    """
    refuse(ALLOWED.refusals(network))
    layers, notes = describe(network, round_biases)
    content: Fields = {
        "layer": {str(index): layer for index, layer in enumerate(layers)},
        "simulation": {"Ts": 1, "tSample": network.timesteps},
    }
    _write(Path(path), content)
    return notes


def describe(network: Network, round_biases: bool = False) -> tuple[list[Fields], tuple[str, ...]]:
    """The layers as nested fields, and notes."""
    source, links = chain(network)
    network, said = narrowed(network, round_biases)
    source, links = chain(network)
    sources = [source, *(link.population for link in links[:-1])]
    weights = [
        effective_weight(link.forward, feeding.shape)
        for link, feeding in zip(links, sources, strict=True)
    ]
    wide = _dense_too_wide(links, weights)
    layers, notes = [_input(source, flat=_is_dense(links[0]) and not wide)], [*said]
    notes += _input_notes(network, source, round_biases, layers[0])
    for link, feeding, weight in zip(links, sources, weights, strict=True):
        bias, note = bias_mantissas(link.population, round_biases)
        delays = axon_delays(link, feeding)
        if _is_dense(link) and not wide:
            if layers[-1]["type"] == "conv" or feeding.shape[1:] != (1, 1):
                layers.append({"type": "flatten", "shape": np.array([feeding.neurons, 1, 1])})
            layer = _dense(link, weight, delays)
        else:
            layer = _conv(link, weight, delays)
        if bias is not None:
            layer["bias"] = bias.astype(np.float32)
        layers.append(layer)
        notes += [note] if note else []
        if not chip_holds(weight):
            notes.append(
                f"{link.population.name}: weights beyond the chip's 8 bits: simulation only"
            )
    return layers, tuple(notes)


# --- layers -------------------------------------------------------------------------------------


def _input(source: Population, flat: bool) -> Fields:
    plane = source.shape if not flat or source.shape[1:] != (1, 1) else source.shape[:1]
    layer: Fields = {"type": "input", "shape": np.array(plane)}
    if source.neuron.on_chip:
        layer["neuron"] = _neuron(source)
    return layer


def _input_notes(
    network: Network, source: Population, round_biases: bool, layer: Fields
) -> list[str]:
    """Fills the input's affine map, which NetX stores and does not apply; says what to set."""
    injection = input_injection(network, source)
    if not source.neuron.on_chip:
        if not source.neuron.sends_graded:
            return []
        bits = source.neuron.payload_bound.bit_length() + 1
        return [f"{source.name}: load with input_message_bits={bits}, it sends integers"]
    bias, note = bias_mantissas(source, round_biases)
    constant = 0
    if bias is not None:
        constant = int(bias.flat[0])
        if (bias != constant).any():
            raise unsupported(
                source.name,
                "is the input and has different biases; the format holds one number there. Add "
                "them to the injected values",
            )
    notes = [note] if note else []
    if injection is None:
        mantissa = str(constant)
    else:
        weight = injection.multiplier
        plain = injection.offset is None
        whole = plain and float(weight).is_integer() and abs(weight) < 1 << 15
        layer["weight"] = np.array([weight if whole else 1], dtype=np.float32)
        real = "x" if plain else "(x + the injection's offset)"
        mantissa = f"rint({real} * {weight:g})" + (f" + {constant}" if constant else "")
        if injection.exponent != NETX_BIAS_EXPONENT:
            if constant:
                raise unsupported(
                    source.name,
                    f"has a bias beside injected values of exponent {injection.exponent}; NetX "
                    "has one exponent. Add it to the injected values",
                )
            notes.append(
                f"{source.name}: set net.in_layer.neuron.bias_exp.init to {injection.exponent}"
            )
    layer["bias"] = np.array([constant], dtype=np.float32)
    order = "" if len(layer["shape"]) == 1 else ", in (W, H, C) order"
    notes.append(f"{source.name}: set net.in_layer.neuron.bias_mant.init to {mantissa}{order}")
    return notes


def _dense(link: Link, weight: np.ndarray, delays: np.ndarray | None) -> Fields:
    outputs = link.population.neurons
    layer: Fields = {
        "type": "dense",
        "shape": np.array(link.population.shape),
        "weight": weight.reshape(outputs, -1).astype(np.float32),
        "neuron": _neuron(link.population),
    }
    if link.recurrent is not None:
        layer["type"] = "dense_rec"
        recurrent = effective_weight(link.recurrent, link.population.shape)
        layer["weight_rec"] = recurrent.reshape(outputs, -1).astype(np.float32)
    if delays is not None:
        # a vector of the output's length would mean the layer's own axons; a matrix is unambiguous
        square = len(delays) == outputs
        stored = np.tile(delays, (outputs, 1)) if square else delays
        layer["delay"] = stored.astype(np.float32)
    return layer


def _conv(link: Link, weight: np.ndarray, delays: np.ndarray | None) -> Fields:
    name = link.population.name
    if delays is not None:
        raise unsupported(name, "has delayed inputs on a convolution, which NetX ignores")
    kernel = as_kernel(link.forward, weight)
    return {
        "type": "conv",
        "shape": np.array(link.population.shape),
        "weight": kernel.weight.astype(np.float32),
        "stride": np.array(kernel.stride),
        "padding": np.array(kernel.padding),
        "dilation": np.array(kernel.dilation),
        "groups": kernel.groups,
        "neuron": _neuron(link.population),
    }


def _neuron(population: Population) -> Fields:
    neuron = population.neuron
    assert isinstance(neuron, Lif | Integrator)
    return {
        "type": "CUBA",
        "iDecay": neuron.current_decay,
        "vDecay": neuron.membrane_decay,
        "vThMant": neuron.threshold if isinstance(neuron, Lif) else SILENT_THRESHOLD,
        "refDelay": 1,
        "gradedSpike": 0,
    }


def _is_dense(link: Link) -> bool:
    return not link.forward.connection.has_plane


def _dense_too_wide(links: Sequence[Link], weights: Sequence[np.ndarray]) -> bool:
    """Whether some dense layer needs more than NetX's Dense holds: then all become convolutions
    (NetX joins a convolution to planes only)."""
    for link, weight in zip(links, weights, strict=True):
        if not _is_dense(link):
            continue
        matrices = [weight.reshape(len(weight), -1)]
        if link.recurrent is not None:
            matrices.append(effective_weight(link.recurrent, link.population.shape))
            matrices[1] = matrices[1].reshape(len(weight), -1)
        if not dense_holds(matrices):
            _refuse_wide_recurrence(links)
            return True
    return False


def _refuse_wide_recurrence(links: Sequence[Link]) -> None:
    for link in links:
        if link.recurrent is not None:
            raise unsupported(
                link.population.name,
                "is recurrent in a network with dense weights beyond NetX's 8 bits (-256..255); "
                "only convolutions could hold those",
            )


# --- the file -----------------------------------------------------------------------------------


def _write(path: Path, content: Fields) -> None:
    """Complete or not at all."""
    memory = io.BytesIO()
    with _h5py().File(memory, "w") as file:
        file.attrs[MARK] = "netx"
        _fill(file, content)
    write_bytes(path, memory.getvalue())


def _fill(group: Any, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if isinstance(value, dict):
            _fill(group.create_group(name), value)
        elif name == "type":
            text = np.array([str(value).encode("ascii")], dtype="S10")
            group.create_dataset(name, data=text)
        else:
            group.create_dataset(name, data=value)


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError:
        raise DeployError("writing .net files needs h5py: pip install h5py") from None
    return h5py
