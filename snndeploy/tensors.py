"""Arrays as torch tensors and back: the one place that hands numpy memory to torch.

Arrays of a loaded program are read-only; torch has no read-only tensors and warns about each one,
so those are copied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def tensor(array: np.ndarray, dtype: Any = None) -> Any:
    """The array as a tensor of `dtype` (default: its own); shares memory where it can."""
    contiguous = np.ascontiguousarray(array)
    if not contiguous.flags.writeable:
        contiguous = contiguous.copy()
    found = torch.from_numpy(contiguous)
    return found if dtype is None else found.to(dtype)


def zeros(shape: Any) -> Any:
    """float64 zeros."""
    return torch.zeros(tuple(shape), dtype=torch.float64)


def convolve(
    x: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> np.ndarray:
    """Cross-correlation as torch `conv2d` of (images, channels, rows, columns), type of `x`."""
    kernel = tensor(weight.astype(x.dtype, copy=False))
    found = torch.nn.functional.conv2d(tensor(x), kernel, None, stride, padding, dilation, groups)
    return found.numpy()


def convolve_transposed(
    x: np.ndarray,
    weight: np.ndarray,
    stride: tuple[int, int],
    padding: tuple[int, int],
    output_padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> np.ndarray:
    """The adjoint of `convolve`: torch `conv_transpose2d`, type of `x`."""
    kernel = tensor(weight.astype(x.dtype, copy=False))
    found = torch.nn.functional.conv_transpose2d(
        tensor(x), kernel, None, stride, padding, output_padding, groups, dilation
    )
    return found.numpy()
