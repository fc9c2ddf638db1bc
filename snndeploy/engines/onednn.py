"""The matrix kernels behind `convolution.py`, on torch, and when they can be trusted.

oneDNN (torch 2.13, AVX512-VNNI) has geometries with wrong results, output never written, and
crashes, in its integer and its float32 convolutions alike.  So neither is used outside the
geometries that a long random search found sound (`is_sound`; float64 does not go through oneDNN),
and the bytes kernel, a private interface of torch, must first pass a test against float64 in this
process (`largest_byte`), then one on each new geometry (`is_exact`).  The search was made with the
torch releases TESTED_TORCH; with another one each geometry in float32 is first tried as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from snndeploy.connections import Conv, Shape

TESTED_TORCH = ("2.13",)

# (channels, outputs, kernel, stride, padding, dilation, groups) of the self-test, on 11 x 9 images
TRIALS = (
    (3, 5, 3, 1, 1, 1, 1),
    (64, 32, 3, 2, 1, 1, 1),
    (16, 16, 3, 1, 2, 2, 1),
    (32, 32, 3, 1, 1, 1, 32),
    (24, 48, 1, 2, 0, 1, 4),
    (2, 16, 5, 2, 0, 1, 1),
)

Sums = Callable[[torch.Tensor], torch.Tensor]


def packed_conv(weight: torch.Tensor, conv: Conv, source: Shape) -> Sums:
    """uint8 (images, C, H, W) channels-last -> float32 sums; weight int8."""
    outputs = weight.shape[0]
    scales, zeros = torch.ones(outputs), torch.zeros(outputs, dtype=torch.int8)
    geometry = (list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups)
    packed = torch.ops.onednn.qconv_prepack(weight, scales, 1.0, 0, *geometry, [1, *source])

    def sums(payload: torch.Tensor) -> torch.Tensor:
        return torch.ops.onednn.qconv2d_pointwise(
            payload, 1.0, 0, packed, scales, zeros, None, *geometry,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip

    return sums


def packed_linear(weight: torch.Tensor) -> Sums:
    """uint8 (images, columns) -> float32 (images, outputs); weight int8 (outputs, columns)."""
    outputs = weight.shape[0]
    scales, zeros = torch.ones(outputs), torch.zeros(outputs, dtype=torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(weight, [1, weight.shape[1]])

    def sums(payload: torch.Tensor) -> torch.Tensor:
        return torch.ops.onednn.qlinear_pointwise(
            payload, 1.0, 0, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )

    return sums


def float_conv(weight: torch.Tensor, conv: Conv, kind: torch.dtype) -> Sums:
    layout = torch.channels_last if kind == torch.float32 else torch.contiguous_format
    converted = weight.to(kind).contiguous(memory_format=layout)
    geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)

    def sums(payload: torch.Tensor) -> torch.Tensor:
        prepared = payload.to(kind).contiguous(memory_format=layout)
        return torch.nn.functional.conv2d(prepared, converted, None, *geometry)

    return sums


def float_linear(weight: torch.Tensor, kind: torch.dtype) -> Sums:
    converted = weight.to(kind).t().contiguous()
    return lambda payload: payload.to(kind) @ converted


def _trial_passes(trial: tuple[int, ...], largest: int, generator: torch.Generator) -> bool:
    channels, outputs, kernel, stride, padding, dilation, groups = trial
    shape = (outputs, channels // groups, kernel, kernel)
    weight = torch.randint(-128, 128, shape, generator=generator).to(torch.int8)
    weight[: outputs // 4], weight[outputs // 4 : outputs // 2] = (
        127,
        -128,
    )  # sums as large as can be
    payload = torch.randint(0, 2, (2, channels, 11, 9), generator=generator).to(torch.uint8)
    payload = (payload * largest).contiguous(memory_format=torch.channels_last)
    conv = Conv(weight.numpy(), (stride,) * 2, (padding,) * 2, (dilation,) * 2, groups)
    exact = float_conv(weight, conv, torch.float64)(payload)
    flat = payload.reshape(2, -1)
    columns = torch.randint(-128, 128, (7, flat.shape[1]), generator=generator).to(torch.int8)
    return torch.equal(
        packed_conv(weight, conv, (channels, 11, 9))(payload).double(), exact
    ) and torch.equal(
        packed_linear(columns)(flat).double(), float_linear(columns, torch.float64)(flat)
    )


@cache
def largest_byte() -> int:
    """The largest payload that the bytes kernel sums exactly on this machine; 0: do not use it."""
    generator = torch.Generator().manual_seed(0)
    for largest in (255, 1):
        try:
            if all(_trial_passes(trial, largest, generator) for trial in TRIALS):
                return largest
        except (RuntimeError, AttributeError, TypeError):  # absent or changed in this torch
            return 0
    return 0


def kernel_name() -> str:
    """The kernel that sums spikes on this machine, for reports."""
    names = {255: "oneDNN u8s8", 1: "oneDNN u8s8 (binary spikes only)", 0: "torch float32"}
    return names[largest_byte()]


def is_sound(conv: Conv, source: Shape) -> bool:
    """False where oneDNN (torch 2.13, AVX512-VNNI) was seen to err or crash.

    Seen: taps that read padding alone; unequal strides with an output one wide or high (the
    output is then partly unwritten).  Outside of these 29,000 random integer convolutions and
    16,000 in float32 were exact.
    """
    extents = [d * (k - 1) for d, k in zip(conv.dilation, conv.weight.shape[2:], strict=True)]
    if any(padding > extent for padding, extent in zip(conv.padding, extents, strict=True)):
        return False
    if conv.stride[0] != conv.stride[1] and min(conv.output_shape(source)[1:]) <= 1:
        return False
    return torch_is_tested() or _float32_is_exact(conv, source)


def torch_is_tested() -> bool:
    """Whether this torch is of a release with which the kernels were searched for faults."""
    return torch.__version__.startswith(tuple(f"{release}." for release in TESTED_TORCH))


tried: dict[tuple[object, ...], bool] = {}


def _float32_is_exact(conv: Conv, source: Shape) -> bool:
    """Whether float32 equals float64 for weights of this geometry on random spikes."""
    key = ("float32", source, conv.weight.shape, *_geometry(conv))
    if key not in tried:
        generator = torch.Generator().manual_seed(0)
        image = torch.randint(0, 2, (2, *source), generator=generator).to(torch.uint8)
        shape = tuple(conv.weight.shape)
        weight = torch.randint(-128, 128, shape, generator=generator).to(torch.int8)
        kinds = (torch.float32, torch.float64)
        single, double = (float_conv(weight, conv, kind)(image) for kind in kinds)
        tried[key] = torch.equal(single.double(), double)
    return tried[key]


def _geometry(conv: Conv) -> tuple[object, ...]:
    return conv.stride, conv.padding, conv.dilation, conv.groups


def is_exact(weight: torch.Tensor, conv: Conv, source: Shape) -> bool:
    """Whether the bytes kernel equals float32 for these weights on one random image of spikes.

    Only for |sums| < 2^24.  Verdicts are kept per geometry.
    """
    key = (source, weight.shape, *_geometry(conv))
    if key not in tried:
        generator = torch.Generator().manual_seed(0)
        image = torch.randint(0, 2, (1, *source), generator=generator).to(torch.uint8)
        image = image.contiguous(memory_format=torch.channels_last)
        expected = float_conv(weight, conv, torch.float32)(image)
        tried[key] = torch.equal(packed_conv(weight, conv, source)(image), expected)
    return tried[key]
