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

A common power of two is taken out of the weights first: even weights of -256..254, as Loihi stores
them, fit a byte.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import cache

import numpy as np
import torch

from snndeploy.connections import Connection, Conv, Dense, Shape
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
        # A copy: the cache below may not keep its own key alive.
        self.connection: Connection = replace(connection)
        self.source = source
        self.output = connection.output_shape(source)
        mantissas = np.asarray(connection.weight).astype(np.int64)
        together = int(np.bitwise_or.reduce(np.abs(mantissas), axis=None))
        self.exponent = (together & -together).bit_length() - 1 if together else 0
        mantissas >>= self.exponent
        self.weight_sum = int(np.abs(mantissas).sum(axis=(1, 2, 3)).max(initial=0))
        self.fits_byte = mantissas.min(initial=0) >= -128 and mantissas.max(initial=0) <= 127
        if isinstance(connection, Dense):  # columns in the order of the payloads: (H, W, C)
            mantissas = mantissas.transpose(0, 2, 3, 1).reshape(mantissas.shape[0], -1)
        self._mantissas = np.ascontiguousarray(
            mantissas.astype(np.int8 if self.fits_byte else np.int32)
        )
        self.sound = isinstance(connection, Dense) or onednn.is_sound(connection, source)
        self.bytes_work: bool | None = None  # known once asked
        self._prepared: dict[str, onednn.Sums] = {}
        self._rows: np.ndarray | None = None  # (kernel_h, kernel_w, channels, outputs) for events

    def bound(self, largest_payload: int) -> int:
        """The largest |returned sum| that payloads up to `largest_payload` can give."""
        window = int(np.prod(self.connection.pool)) if isinstance(self.connection, Dense) else 1
        return self.weight_sum * largest_payload * window

    def __call__(self, payload: np.ndarray, largest_payload: int) -> np.ndarray:
        """Sums (images, H', W', C') float32 or float64, integers.

        payload: (images, H, W, C) contiguous; uint8, or int32 where values are negative or large.
        """
        bound = self.bound(largest_payload)
        if isinstance(self.connection, Dense):
            payload = _pooled(payload, self.connection, largest_payload)
            largest_payload *= int(np.prod(self.connection.pool))
        as_bytes = payload.dtype == np.uint8 and largest_payload <= onednn.largest_byte()
        if bound >= FLOAT64_EXACT:
            raise DeployError(
                f"sums of weight * payload reach {bound}; more than 2^53 is not exact"
            )
        if bound < FLOAT32_EXACT and self._should_gather(payload, largest_payload):
            return self._gathered(payload)
        kernel = "float64"
        if bound < FLOAT32_EXACT and self.sound:
            kernel = "bytes" if as_bytes and self._can_use_bytes() else "float32"
        sums = self._prepared.get(kernel) or self._prepare(kernel)
        tensor = torch.from_numpy(payload)
        if isinstance(self.connection, Dense):
            return sums(tensor).numpy().reshape(-1, 1, 1, self.output[0])
        result = sums(tensor.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return result.contiguous().numpy()

    def _should_gather(self, payload: np.ndarray, largest_payload: int) -> bool:
        """Binary spikes, few of them, and rows of weights that are long enough."""
        conv = self.connection
        if isinstance(conv, Dense) or conv.groups > 1 or not self.fits_byte:
            return False
        if largest_payload > 1 or payload.dtype != np.uint8 or self.output[0] < EVENT_OUTPUTS:
            return False
        rate = np.count_nonzero(payload.view(np.bool_)) / max(payload.size, 1)
        limit = EVENT_RATE_AMX if _has_amx() else EVENT_RATE
        return bool(rate * torch.get_num_threads() < limit)  # the other kernels use every thread

    def _gathered(self, payload: np.ndarray) -> np.ndarray:
        assert isinstance(self.connection, Conv)
        if self._rows is None:
            self._rows = np.ascontiguousarray(self._mantissas.transpose(2, 3, 1, 0))
        channels, height, width = self.output
        sums = np.empty((payload.shape[0], height, width, channels), dtype=np.float32)
        geometry = (self.connection.stride, self.connection.padding, self.connection.dilation)
        gather_sums(payload, self._rows, *geometry, sums)
        return sums

    def _can_use_bytes(self) -> bool:
        if self.bytes_work is None:
            conv = self.connection
            self.bytes_work = bool(self.fits_byte) and (
                isinstance(conv, Dense)
                or onednn.is_exact(torch.from_numpy(self._mantissas), conv, self.source)
            )
        return self.bytes_work

    def _prepare(self, kernel: str) -> onednn.Sums:
        weight = torch.from_numpy(self._mantissas)
        conv = self.connection if isinstance(self.connection, Conv) else None
        if kernel == "bytes":
            made = (
                onednn.packed_conv(weight, conv, self.source)
                if conv
                else onednn.packed_linear(weight)
            )
        else:
            kind = torch.float32 if kernel == "float32" else torch.float64
            made = (
                onednn.float_conv(weight, conv, kind) if conv else onednn.float_linear(weight, kind)
            )
        self._prepared[kernel] = made
        return made


def _pooled(payload: np.ndarray, dense: Dense, largest_payload: int) -> np.ndarray:
    """Window sums (images, columns), uint8 while they fit, in the order (H, W, C)."""
    rows, columns = dense.weight.shape[2:]
    images, _, _, channels = payload.shape
    cropped = payload[:, : rows * dense.pool[0], : columns * dense.pool[1]]
    if dense.pool != (1, 1):
        windows = cropped.reshape(images, rows, dense.pool[0], columns, dense.pool[1], channels)
        small = payload.dtype == np.uint8 and largest_payload * int(np.prod(dense.pool)) <= 255
        kind = np.uint8 if small else np.int64
        cropped = windows.sum(axis=(2, 4), dtype=kind)
    return np.ascontiguousarray(cropped).reshape(images, -1)


_prepared_synapses: weakref.WeakKeyDictionary[Connection, dict[Shape, Synapses]] = (
    weakref.WeakKeyDictionary()
)


def synapses(connection: Connection, source: Shape) -> Synapses:
    """The prepared kernels of a connection, kept as long as the connection lives."""
    by_shape = _prepared_synapses.setdefault(connection, {})
    if source not in by_shape:
        by_shape[source] = Synapses(connection, source)
    return by_shape[source]
