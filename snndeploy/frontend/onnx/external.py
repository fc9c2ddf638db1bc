"""Weights that a file keeps beside itself: from plain files of its own folder, and no other.

A name in the file says where they are, so a file from a stranger could name any other: absolute
paths, ways out of the folder, links, and more bytes than there are, are refused before reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import onnx
from onnx import external_data_helper

from snndeploy.errors import ModelError, one_line
from snndeploy.files.budget import check_budget


def load_beside(proto: Any, path: Path) -> None:
    """Read what lies beside the file into the model.

    Raises:
        ModelError: a place that is not allowed, is missing, or holds too little.
    """
    total = 0
    for tensor in _tensors(proto):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        total += _checked_bytes(tensor, path)
        check_budget(total, f"{path}: its weights beside the file", ModelError)
        try:
            external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
        except Exception as error:  # onnx checks again, and raises its own kinds
            raise ModelError(f"{path}: tensor {tensor.name!r}: {one_line(error)}") from None
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _tensors(proto: Any) -> Iterator[Any]:
    """Those of the weights, and of constants in nodes."""
    yield from proto.graph.initializer
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _checked_bytes(tensor: Any, path: Path) -> int:
    """How many bytes a tensor takes of a file that may be read."""
    said = {entry.key: entry.value for entry in tensor.external_data}
    where = f"{path}: tensor {tensor.name!r} lies in {said.get('location', '')!r}"
    file = _allowed(said.get("location", ""), path.parent, where)
    try:
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError):
        raise ModelError(f"{where}: its type {tensor.data_type} is unknown") from None
    needed = prod(tensor.dims) * itemsize
    numbers = [said.get(key) or "0" for key in ("offset", "length")]
    if any(dim < 0 for dim in tensor.dims) or not all(map(_is_count, numbers)):
        raise ModelError(f"{where}: its dimensions, offset or length are no counts")
    offset, length = int(numbers[0]), int(numbers[1]) or needed
    if length != needed or offset + needed > file.stat().st_size:
        raise ModelError(
            f"{where}: {needed:,} bytes at {offset:,} are needed, the file has"
            f" {file.stat().st_size:,} (length {length:,})"
        )
    return needed


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _allowed(location: str, folder: Path, where: str) -> Path:
    """The file of a location, if it is a plain one inside the folder."""
    parts = Path(location).parts
    if not location or Path(location).is_absolute() or "\\" in location or ".." in parts:
        raise ModelError(f"{where}, which is not a file in the model's own folder")
    file = folder / location
    links = [folder.joinpath(*parts[: count + 1]) for count in range(len(parts))]
    if any(link.is_symlink() for link in links):
        raise ModelError(f"{where}, which is a link: put the file itself there")
    if not file.is_file():
        raise ModelError(f"{where}, which does not exist beside it")
    return file
