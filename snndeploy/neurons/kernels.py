"""The loops of leaky neurons, compiled by numba; exact, single-threaded, without the GIL.

Every array has the neurons of one population on its last axis, in the order (height, width,
channel) of the convolution kernels, and is contiguous.  All arithmetic is 32-bit: each operation
is cut back to int32, otherwise numba would widen it and the loops would run at half speed.

Exactness in 32 bits.  The decay rz(v * keep, 12) needs 36 bits, but with |v| = 4096 h + l it is
h * keep + ((l * keep) >> 12).  The shift a << 6 may overflow, which is harmless: 2^24 divides 2^32
and u is wrapped at 24 bits anyway.
"""

from __future__ import annotations

import numba
import numpy as np

Array = np.ndarray

BLOCK = 4096  # neurons whose membrane stays in the first-level cache over all steps
LOW_BITS = 4095
WRAP_MAXIMUM = 1 << 17  # a << 6 wraps outside (-2^17, 2^17]
MEMBRANE_MAXIMUM = (1 << 23) - 1

_compile = numba.njit(cache=True, nogil=True, error_model="numpy")
_inline = numba.njit(cache=True, nogil=True, inline="always", error_model="numpy")


@_inline
def _decayed(value: np.int32, keep: np.int32) -> np.int32:
    """rz(value * keep, 12), int32; keep in 0..4096."""
    magnitude = np.int32(abs(value))
    high = np.int32(np.int32(magnitude >> np.int32(12)) * keep)
    low = np.int32(np.int32(np.int32(magnitude & np.int32(LOW_BITS)) * keep) >> np.int32(12))
    total = np.int32(high + low)
    return total if value >= 0 else np.int32(-total)


@_inline
def _wrapped_current(a: np.int32) -> np.int32:
    """wrap24(a << 6), int32."""
    return np.int32(-np.int32(np.int32(-np.int32(a << np.int32(14))) >> np.int32(8)))


@_compile
def _fire(
    inputs: Array, scale: np.number, limit: np.number, bias: Array, keep: np.int32,
    threshold: np.int32, soft_mask: np.int32, amount: np.int32, v: Array, spikes: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """One step of a block of neurons without current memory; returns event counts."""
    wide = 0
    saturated = 0
    fired = 0
    for i in range(v.shape[0]):
        raw = inputs[i] * scale
        wide += (raw > limit) | (raw < -limit)
        u = _wrapped_current(np.int32(raw))
        total = np.int32(np.int32(_decayed(v[i], keep) + u) + bias[i])
        membrane = np.int32(
            min(max(total, np.int32(-MEMBRANE_MAXIMUM)), np.int32(MEMBRANE_MAXIMUM))
        )
        saturated += int(membrane != total)
        spike = membrane > threshold
        fired += int(spike)
        after = np.int32(np.int32(membrane - amount) & soft_mask)
        v[i] = after if spike else membrane
        spikes[i] = spike
    return wide, saturated, fired


@_compile
def _count_wraps(inputs: Array, scale: np.number) -> np.int64:
    wraps = np.int64(0)
    for i in range(inputs.shape[0]):
        raw = inputs[i] * scale
        wraps += (raw > WRAP_MAXIMUM) | (raw <= -WRAP_MAXIMUM)
    return wraps


@_compile
def _mark_updated(inputs: Array, scale: np.number, bias: Array, v: Array, updated: Array) -> None:
    """A neuron is updated when u, the bias or the membrane before the step is not zero."""
    for i in range(v.shape[0]):
        u = np.int32(np.int32(inputs[i] * scale) << np.int32(14))
        updated[i] = np.int32(np.int32(u | bias[i]) | v[i]) != 0


@_compile
def integrate_and_fire(
    inputs: Array, scale: np.number, limit: np.number, bias: Array, keep: np.int32,
    threshold: np.int32, soft_mask: np.int32, amount: np.int32, v: Array, spikes: Array,
    spike_counts: Array, updated: Array, membranes: Array, overflows: Array,
) -> None:  # fmt: skip
    """All steps of a population with current_decay 4096.

    inputs: (samples, steps, neurons) float32, int32 or int64, times `scale` (same type) is a.
    limit: of the same type, the largest |a| that does not count as an overflow.
    bias: (1 or samples, neurons) int32, in units of v.   keep: 4096 - membrane_decay.
    threshold: in units of v, 2^30 never fires.   soft_mask: -1 soft, 0 hard; amount in units of v.
    v: (samples, neurons) int32, in and out.   spikes: (samples, steps, neurons) uint8, out.
    spike_counts: (samples, steps) int64 and overflows: (4,) int64, added to.
    updated (uint8), membranes (int32): as spikes, or (0, 0, 0) when nobody asks.
    """
    for sample in range(inputs.shape[0]):
        row = sample if bias.shape[0] > 1 else 0
        for first in range(0, inputs.shape[2], BLOCK):
            last = min(first + BLOCK, inputs.shape[2])
            state = v[sample, first:last]
            constant = bias[row, first:last]
            for step in range(inputs.shape[1]):
                now = inputs[sample, step, first:last]
                if updated.size:
                    _mark_updated(now, scale, constant, state, updated[sample, step, first:last])
                wide, saturated, fired = _fire(
                    now, scale, limit, constant, keep, threshold, soft_mask, amount, state,
                    spikes[sample, step, first:last],
                )  # fmt: skip
                if wide:
                    overflows[0] += wide
                    overflows[1] += _count_wraps(now, scale)
                overflows[2] += saturated
                spike_counts[sample, step] += fired
                if membranes.size:
                    membranes[sample, step, first:last] = state


@_compile
def integrate_current_and_fire(
    inputs: Array, current_keep: np.int32, limit: np.int64, bias: Array, keep: np.int32,
    threshold: np.int32, soft_mask: np.int32, amount: np.int32, u: Array, v: Array, spikes: Array,
    spike_counts: Array, updated: Array, membranes: Array, overflows: Array,
) -> None:  # fmt: skip
    """As `integrate_and_fire` with a current that lives on: current_keep = 4096 - current_decay.

    inputs: int32 or int64, a itself.   u: (samples, neurons) int32, in and out.
    """
    half = 1 << 23
    for sample in range(inputs.shape[0]):
        row = sample if bias.shape[0] > 1 else 0
        for step in range(inputs.shape[1]):
            for i in range(inputs.shape[2]):
                a = np.int64(inputs[sample, step, i])
                current = np.int64(_decayed(u[sample, i], current_keep)) + (a << 6)
                wrapped = half - ((half - current) & (2 * half - 1))
                before = v[sample, i]
                total = np.int64(_decayed(before, keep)) + wrapped + bias[row, i]
                membrane = min(max(total, -MEMBRANE_MAXIMUM), MEMBRANE_MAXIMUM)
                spike = membrane > threshold
                overflows[0] += (a > limit) | (a < -limit)
                overflows[1] += wrapped != current
                overflows[2] += membrane != total
                spike_counts[sample, step] += spike
                if updated.size:
                    updated[sample, step, i] = (wrapped != 0) | (bias[row, i] != 0) | (before != 0)
                if spike:
                    membrane = (membrane - amount) & soft_mask
                u[sample, i] = wrapped
                v[sample, i] = membrane
                spikes[sample, step, i] = spike
                if membranes.size:
                    membranes[sample, step, i] = membrane


HARD, SOFT, SOFT_AFTER = 0, 1, 2  # any other number: no reset


@_compile
def run_program(
    inputs: Array, current_keep: np.int32, limit: np.int64, bias: Array, keep: np.int32,
    threshold: np.int64, reset: int, reset_value: np.int64, amount: np.int64,
    lower_bound: np.int64, refractory: int, drops: bool, most: np.int64, u: Array, v: Array,
    waiting: Array, payload: Array, counts: Array, updated: Array, membranes: Array,
    overflows: Array,
) -> None:  # fmt: skip
    """All steps of a population of `programmed` neurons, in their registers (units of v).

    Arrays as of `integrate_current_and_fire`; waiting: int32 as v.   payload: (samples, steps,
    neurons) uint8 or int32, out.   counts: (samples, steps) int64, of payloads that are not zero.
    """
    half = 1 << 23
    for sample in range(inputs.shape[0]):
        row = sample if bias.shape[0] > 1 else 0
        for step in range(inputs.shape[1]):
            for i in range(inputs.shape[2]):
                a = np.int64(inputs[sample, step, i])
                current = np.int64(_decayed(u[sample, i], current_keep)) + (a << 6)
                wrapped = half - ((half - current) & (2 * half - 1))
                held, waits = np.int64(v[sample, i]), waiting[sample, i] > 0
                total = held + wrapped + bias[row, i]
                membrane = min(max(total, -MEMBRANE_MAXIMUM), MEMBRANE_MAXIMUM)
                overflows[0] += (a > limit) | (a < -limit)
                overflows[1] += wrapped != current
                overflows[2] += membrane != total
                if updated.size:
                    busy = (wrapped != 0) | (bias[row, i] != 0) | (held != 0) | waits
                    updated[sample, step, i] = busy
                dropped = waits and drops
                spikes = np.int64(0)
                if not waits and membrane > threshold:
                    spikes = min(1 + (membrane - threshold - 1) // amount, most)
                bounded = max(membrane, lower_bound)
                if dropped:
                    after = held
                elif reset == HARD:
                    after = reset_value if spikes else np.int64(_decayed(np.int32(bounded), keep))
                elif reset == SOFT:
                    after = np.int64(_decayed(np.int32(bounded - amount * spikes), keep))
                elif reset == SOFT_AFTER:
                    after = np.int64(_decayed(np.int32(bounded), keep)) - amount * spikes
                else:
                    after = np.int64(_decayed(np.int32(bounded), keep))
                u[sample, i] = wrapped
                v[sample, i] = after
                waiting[sample, i] = refractory if spikes else max(waiting[sample, i] - 1, 0)
                payload[sample, step, i] = spikes
                counts[sample, step] += spikes != 0
                if membranes.size:
                    membranes[sample, step, i] = after
