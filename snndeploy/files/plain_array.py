"""One `.npy` array from a file that nobody vouches for: numbers only, sized before it is read.

Nothing is unpickled, and what a header claims is compared with the bytes that are there before
memory is taken.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from typing import IO

import numpy as np

NUMBERS = "biuf"  # bool, signed, unsigned, float
LARGEST_ITEM_BYTES = 8
CHUNK_BYTES = 1 << 24


class NotPlain(ValueError):
    """The bytes are no plain array; the message says why."""


def read_plain(
    stream: IO[bytes],
    size: int,
    versions: tuple[int, ...] = (1,),
    *,
    first: int | None = None,
    check: Callable[[int], None] = lambda size: None,
) -> np.ndarray:
    """Read an array of numbers from `stream`, which holds `size` bytes; the result is read-only.

    first: only so many entries of its first dimension, where that lies outermost.
    check: is asked with the bytes to be read, before they are.

    Raises:
        NotPlain: the header is damaged, claims another size, or the array is not of numbers.
    """
    shape, fortran, dtype, start = _header(stream, versions)
    if dtype.hasobject:
        raise NotPlain("it holds Python objects, which only unpickling could read")
    if dtype.kind not in NUMBERS or dtype.itemsize > LARGEST_ITEM_BYTES:
        raise NotPlain(f"it has type {dtype}; numbers of at most 8 bytes are needed")
    if any(extent < 0 for extent in shape):
        raise NotPlain(f"its shape is {shape}")
    if start + math.prod(shape) * dtype.itemsize != size:
        raise NotPlain(f"its header promises shape {shape} of {dtype}, but it holds {size} bytes")
    if first is not None and shape and not fortran and shape[0] > first:
        shape = (first, *shape[1:])
    data = _read_exactly(stream, _checked(math.prod(shape) * dtype.itemsize, check))
    values = np.frombuffer(data, dtype) if data else np.zeros(0, dtype)
    if dtype.kind == "b" and values.view(np.uint8).max(initial=0) > 1:
        raise NotPlain("a truth value in it is neither 0 nor 1")
    values = values.reshape(shape, order="F" if fortran else "C")
    values.flags.writeable = False
    return values


def _checked(size: int, check: Callable[[int], None]) -> int:
    check(size)
    return size


def _header(
    stream: IO[bytes], versions: tuple[int, ...]
) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    try:
        major, _ = np.lib.format.read_magic(stream)
        if major not in versions:
            raise NotPlain(f"it is of .npy version {major}")
        read = np.lib.format
        header = read.read_array_header_1_0 if major == 1 else read.read_array_header_2_0
        shape, fortran, dtype = header(stream)
        return tuple(int(extent) for extent in shape), fortran, dtype, stream.tell()
    except (NotPlain, zipfile.BadZipFile, OSError):
        raise
    except Exception as error:  # a header is Python source: its parser raises much
        text = " ".join(str(error).split())[:120]
        raise NotPlain(f"its header cannot be read ({text})") from None


def _read_exactly(stream: IO[bytes], size: int) -> bytearray:
    """`size` bytes, in pieces: what is allocated never runs far ahead of what is there."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(CHUNK_BYTES, size - len(data)))
        if not piece:
            raise NotPlain(f"it ends after {len(data)} of {size} bytes")
        data += piece
    return data
