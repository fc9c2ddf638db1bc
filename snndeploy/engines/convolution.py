"""Exact integer sums of weight * payload, on torch: the fastest kernel that is provably exact.

Payloads and sums are channels-last, (images, H, W, C), which is the order of oneDNN's integer
kernels.  Four kernels, chosen by the worst case of |sum| = max over outputs of sum |weight|, times
the largest payload:

    bytes    uint8 payloads x int8 weights, oneDNN, summed in int32, returned as float32: < 2^24
    float32  torch's own convolution: every partial sum is an integer below 2^24, hence exact
    float64  the same below 2^53
    events   int8 weights gathered per spike (numba), for convolutions at low rates: < 2^24

Float32 and bytes run on oneDNN and are used only where `onednn.py` trusts them; `kernel_name` tells
which one sums spikes on this machine.

A connection without kernels (`FORMS`) is summed as its plain reference does: right, only slower.

A common power of two is taken out of the weights first: even weights of -256..254, as Loihi stores
them, fit a byte.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Connection, Conv, Dense, Shape, Transposed
from snndeploy.engines import onednn
from snndeploy.engines.kernels import gather_sums
from snndeploy.errors import DeployError

FLOAT32_EXACT = 1 << 24
FLOAT64_EXACT = 1 << 53

# Events win below this rate of spikes.  Measured on six convolutions of 64..512 channels with one
# thread of AVX512-VNNI: 2.8 x at 2 %, 1.5 x at 5 %, level at 7 %.  The rate for AMX is inherited
# from a measurement with a kernel in C.
EVENT_RATE = 0.05
EVENT_RATE_AMX = 0.01
EVENT_OUTPUTS = 32  # fewer weights in a row do not fill a vector


@cache
def _has_amx() -> bool:
    try:
        return bool(torch.cpu._is_amx_tile_supported())
    except AttributeError:
        return False


class Synapses:
    """One connection from sources of one shape, prepared once.

    exponent: power of two taken out of the weights; the true sum is the returned one << exponent.
    weight_sum: largest sum of |weight| of one output, after that.
    """

    def __init__(self, connection: Connection, source: Shape) -> None:
        mantissas = np.asarray(connection.weight).astype(np.int64)
        together = int(np.bitwise_or.reduce(np.abs(mantissas), axis=None))
        self.exponent = (together & -together).bit_length() - 1 if together else 0
        mantissas >>= self.exponent
        self.weight_sum = int(connection.neuron_sums(np.abs(mantissas)).max(initial=0))
        self.fits_byte = bool(mantissas.min(initial=0) >= -128 and mantissas.max(initial=0) <= 127)
        small = mantissas.astype(np.int8 if self.fits_byte else np.int32)
        prepared = connection.with_weight(small)  # the cache below may not keep its key alive
        form = FORMS.get(type(connection))
        self.form = form(prepared, source) if form else None
        self.plain = None if form else prepared
        self.bytes_work: bool | None = None  # known once asked
        self._prepared: dict[str, onednn.Sums] = {}

    def bound(self, largest_payload: int) -> int:
        """The largest |returned sum| that payloads up to `largest_payload` can give."""
        return self.weight_sum * largest_payload

    def __call__(self, payload: np.ndarray, largest_payload: int) -> np.ndarray:
        """Sums (images, H', W', C') float32 or float64, integers.

        payload: (images, H, W, C) contiguous; uint8, or int32 where values are negative or large.
        """
        bound = self.bound(largest_payload)
        if bound >= FLOAT64_EXACT:
            raise DeployError(
                f"sums of weight * payload reach {bound}; more than 2^53 is not exact"
            )
        if self.form is None:
            assert self.plain is not None
            sums = self.plain.sums(payload.transpose(0, 3, 1, 2))
            return np.ascontiguousarray(sums.transpose(0, 2, 3, 1), dtype=np.float64)
        if bound < FLOAT32_EXACT and self._should_gather(payload, largest_payload):
            return self.form.gathered(payload)
        payload, largest_payload = self.form.arriving(payload, largest_payload)
        as_bytes = payload.dtype == np.uint8 and largest_payload <= onednn.largest_byte()
        kernel = "float64"
        if bound < FLOAT32_EXACT and self.form.sound:
            kernel = "bytes" if as_bytes and self._can_use_bytes() else "float32"
        if kernel not in self._prepared:
            self._prepared[kernel] = self.form.prepared(kernel)
        return self.form.leaving(self._prepared[kernel](torch.from_numpy(payload)))

    def _should_gather(self, payload: np.ndarray, largest_payload: int) -> bool:
        """Binary spikes, few of them, and rows of weights that are long enough."""
        assert self.form is not None
        if not self.form.gathers or not self.fits_byte:
            return False
        if largest_payload > 1 or payload.dtype != np.uint8:
            return False
        rate = np.count_nonzero(payload.view(np.bool_)) / max(payload.size, 1)
        limit = EVENT_RATE_AMX if _has_amx() else EVENT_RATE
        return bool(rate * torch.get_num_threads() < limit)  # the other kernels use every thread

    def _can_use_bytes(self) -> bool:
        assert self.form is not None
        if self.bytes_work is None:
            self.bytes_work = self.fits_byte and self.form.bytes_are_exact()
        return self.bytes_work


class ConvForm:
    """How the kernels get a convolution's weights (int8 or int32) and payloads."""

    def __init__(self, conv: Conv, source: Shape) -> None:
        self.conv, self.source, self.output = conv, source, conv.output_shape(source)
        self.weight = torch.from_numpy(np.ascontiguousarray(conv.weight))
        self.sound = onednn.is_sound(conv, source)
        self.gathers = conv.groups == 1 and self.output[0] >= EVENT_OUTPUTS

    def bytes_are_exact(self) -> bool:
        return onednn.is_exact(self.weight, self.conv, self.source)

    def prepared(self, kernel: str) -> onednn.Sums:
        if kernel == "bytes":
            return onednn.packed_conv(self.weight, self.conv, self.source)
        return onednn.float_conv(self.weight, self.conv, getattr(torch, kernel))

    @cached_property
    def _rows(self) -> np.ndarray:
        """(kernel_h, kernel_w, channels, outputs)."""
        return np.ascontiguousarray(self.conv.weight.transpose(2, 3, 1, 0))

    def gathered(self, payload: np.ndarray) -> np.ndarray:
        channels, height, width = self.output
        sums = np.empty((payload.shape[0], height, width, channels), dtype=np.float32)
        geometry = (self.conv.stride, self.conv.padding, self.conv.dilation)
        gather_sums(payload, self._rows, *geometry, sums)
        return sums

    def arriving(self, payload: np.ndarray, largest: int) -> tuple[np.ndarray, int]:
        return payload.transpose(0, 3, 1, 2), largest

    def leaving(self, sums: torch.Tensor) -> np.ndarray:
        return sums.permute(0, 2, 3, 1).contiguous().numpy()


class TransposedForm(ConvForm):
    """As a convolution of payloads with zeros between them."""

    def __init__(self, transposed: Transposed, source: Shape) -> None:
        self.stride, self.wide = transposed.stride, transposed.spread_out(source)
        super().__init__(transposed.as_conv(), self.wide)

    def _spread(self, payload: np.ndarray) -> np.ndarray:
        images, rows, columns, channels = payload.shape
        (high, wide), size = self.stride, self.wide[1:]
        spread = np.zeros((images, *size, channels), dtype=payload.dtype)
        spread[:, : rows * high : high, : columns * wide : wide] = payload
        return spread

    def gathered(self, payload: np.ndarray) -> np.ndarray:
        return super().gathered(self._spread(payload))

    def arriving(self, payload: np.ndarray, largest: int) -> tuple[np.ndarray, int]:
        return super().arriving(self._spread(payload), largest)


class DenseForm:
    """The same of a dense layer: window sums by columns in the order of the payloads, (H, W, C)."""

    gathers = False
    sound = True

    def __init__(self, dense: Dense, source: Shape) -> None:
        self.pool, self.shape = dense.pool, dense.weight.shape
        columns = dense.weight.transpose(0, 2, 3, 1).reshape(self.shape[0], -1)
        self.weight = torch.from_numpy(np.ascontiguousarray(columns))

    def bytes_are_exact(self) -> bool:
        return True

    def prepared(self, kernel: str) -> onednn.Sums:
        if kernel == "bytes":
            return onednn.packed_linear(self.weight)
        return onednn.float_linear(self.weight, getattr(torch, kernel))

    def gathered(self, payload: np.ndarray) -> np.ndarray:
        raise AssertionError("a dense layer gathers nothing")

    def arriving(self, payload: np.ndarray, largest: int) -> tuple[np.ndarray, int]:
        """Window sums (images, columns), uint8 while they fit, and the largest of them."""
        rows, columns = self.shape[2:]
        high, wide = self.pool
        images, _, _, channels = payload.shape
        cropped = payload[:, : rows * high, : columns * wide]
        if self.pool != (1, 1):
            windows = cropped.reshape(images, rows, high, columns, wide, channels)
            small = payload.dtype == np.uint8 and largest * high * wide <= 255
            cropped = windows.sum(axis=(2, 4), dtype=np.uint8 if small else np.int64)
        return np.ascontiguousarray(cropped).reshape(images, -1), largest * high * wide

    def leaving(self, sums: torch.Tensor) -> np.ndarray:
        return sums.numpy().reshape(-1, 1, 1, self.shape[0])


# Connections with kernels of their own; any other is summed as its reference does.
FORMS: dict[type[Connection], Callable[[Any, Shape], ConvForm | DenseForm]] = {
    Conv: ConvForm,
    Dense: DenseForm,
    Transposed: TransposedForm,
}


_prepared_synapses: weakref.WeakKeyDictionary[Connection, dict[Shape, Synapses]] = (
    weakref.WeakKeyDictionary()
)


def synapses(connection: Connection, source: Shape) -> Synapses:
    """The prepared kernels of a connection, kept as long as the connection lives."""
    by_shape = _prepared_synapses.setdefault(connection, {})
    if source not in by_shape:
        by_shape[source] = Synapses(connection, source)
    return by_shape[source]
