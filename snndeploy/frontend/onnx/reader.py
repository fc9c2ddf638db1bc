"""An ONNX file as nodes and arrays, with everything refused that is not a plain feed-forward graph.

Nothing of the file is run.  What a node may be is in `operators.OPERATORS`; here is what a file
may be: one input of float32, the operators of ai.onnx alone, no subgraphs, no functions, and
weights inside the file or in plain files beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from snndeploy.data import Data, load_data
from snndeploy.errors import ModelError, UnsupportedError, one_line
from snndeploy.files.budget import check_budget
from snndeploy.frontend.onnx.external import load_beside
from snndeploy.frontend.onnx.operators import FOLDED, OPERATORS
from snndeploy.ops.axes import SEQUENCE_RANKS

LARGEST_FILE = 2 << 30  # protobuf's own limit
OLDEST_OPSET = 7
DOMAINS = ("", "ai.onnx")
FLOAT = onnx.TensorProto.FLOAT
METADATA = "snndeploy."
SUBGRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


@dataclass(frozen=True, eq=False)
class OnnxNode:
    """One node: its label, operator, names of what it reads and makes, attributes as Python
    values, and itself as onnx has it."""

    label: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: Any


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A file that was read.

    proto: with all weights in it.  batch: the first dimension of the input, None where it is free.
    sample: shape of one sample.  timesteps, input_signal: as the file's metadata says, else by the
    shape, and None.
    """

    path: Path
    proto: Any
    opset: int
    nodes: tuple[OnnxNode, ...]
    arrays: Mapping[str, np.ndarray]
    input: str
    outputs: tuple[str, ...]
    batch: int | None
    sample: tuple[int, ...]
    timesteps: int
    input_signal: str | None

    @property
    def parameters(self) -> int:
        return sum(array.size for array in self.arrays.values() if array.dtype.kind == "f")


def read(
    spec: str, input_shape: tuple[int, ...] | None = None, data: str | Path | Data | None = None
) -> OnnxModel:
    """The model of a file; where it does not say its shape, input_shape or the data's do.

    Raises:
        ModelError: no such file, no ONNX, damaged, or weights that lie elsewhere.
        UnsupportedError: a node that is not known, named with its operator and the opset.
    """
    path = Path(spec)
    proto = _parsed(path)
    opset = _opset(proto, path)
    nodes = tuple(_node(path, node, index, opset) for index, node in enumerate(proto.graph.node))
    entry = _input(proto, path)
    load_beside(proto, path)
    try:
        onnx.checker.check_model(proto)
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    except Exception as error:  # the checker and protobuf raise many kinds
        raise ModelError(f"{path} is not a valid ONNX model: {one_line(error)}") from None
    batch, sample = _shape(entry, path, input_shape, data)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    return OnnxModel(
        path, proto, opset, nodes, arrays, entry.name,
        tuple(output.name for output in proto.graph.output), batch, sample,
        _timesteps(said, path, sample), said.get(METADATA + "input_signal"),
    )  # fmt: skip


def _parsed(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ModelError(f"{path} has {size:,} bytes; an ONNX file has at most {LARGEST_FILE:,}")
    check_budget(size, str(path), ModelError)
    try:
        proto = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # protobuf raises many kinds for a damaged file
        raise ModelError(f"{path} is not a readable ONNX file: {one_line(error)}") from None
    if not proto.graph.node:
        raise ModelError(f"{path} is not a readable ONNX file: it has no nodes")
    return proto


def _opset(proto: Any, path: Path) -> int:
    """The opset of ai.onnx; other domains, functions and training are refused."""
    if proto.functions:
        names = ", ".join(sorted(function.name for function in proto.functions)[:3])
        raise UnsupportedError(
            f"{path} defines functions of its own ({names}): export it with them inlined"
            " (onnx.inliner.inline_local_functions)",
            reason="functions",
        )
    if proto.training_info:
        raise UnsupportedError(f"{path} holds a training graph: export it for inference")
    if proto.graph.sparse_initializer:
        raise UnsupportedError(f"{path} has sparse weights: store them as plain tensors")
    versions = [entry.version for entry in proto.opset_import if entry.domain in DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1 or not OLDEST_OPSET <= versions[0] <= newest:
        found = ", ".join(map(str, versions)) or "none"
        raise UnsupportedError(
            f"{path} has opset {found} of ai.onnx; {OLDEST_OPSET} to {newest} are read: export it"
            " with opset_version=17"
        )
    return int(versions[0])


def _node(path: Path, node: Any, index: int, opset: int) -> OnnxNode:
    label = node.name or f"{node.op_type.lower()}_{index}"
    where = f"{path}: node {label!r}, operator {node.op_type} of opset {opset}"
    if node.domain not in DOMAINS:
        raise UnsupportedError(
            f"{path}: node {label!r}, operator {node.op_type} is of the domain {node.domain!r}:"
            " only the operators of ai.onnx are known; export without custom operators",
            node=label, reason=node.op_type,
        )  # fmt: skip
    if any(attribute.type in SUBGRAPHS for attribute in node.attribute):
        raise UnsupportedError(
            f"{where}: control flow cannot be compiled; export the model unrolled, as a trace of"
            " one input", node=label, reason=node.op_type,
        )  # fmt: skip
    if node.op_type not in OPERATORS and node.op_type not in FOLDED:
        raise UnsupportedError(
            f"{where}: it is not known (known: {', '.join(sorted(OPERATORS))})",
            node=label, reason=node.op_type,
        )  # fmt: skip
    return OnnxNode(label, node.op_type, tuple(node.input), tuple(node.output),
                    _attributes(where, node), node)  # fmt: skip


def _attributes(where: str, node: Any) -> dict[str, Any]:
    """Attributes as numbers, texts and tuples; tensors stay with onnx, which folds them."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            raise UnsupportedError(f"{where}: {attribute.name} refers to a function's argument")
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        found[attribute.name] = tuple(value) if isinstance(value, list) else value
    return found


def _input(proto: Any, path: Path) -> Any:
    held = {tensor.name for tensor in proto.graph.initializer}
    entries = [entry for entry in proto.graph.input if entry.name not in held]
    if len(entries) != 1:
        names = ", ".join(entry.name for entry in entries) or "none"
        raise UnsupportedError(f"{path} has {len(entries)} inputs ({names}); one is needed")
    if not entries[0].type.HasField("tensor_type"):
        raise UnsupportedError(f"{path}: the input {entries[0].name!r} is no tensor")
    kind = entries[0].type.tensor_type.elem_type
    if kind != FLOAT:
        name = onnx.TensorProto.DataType.Name(kind)
        raise UnsupportedError(
            f"{path}: the input {entries[0].name!r} is of type {name}; FLOAT (float32) is needed:"
            " export the model in float32"
        )
    return entries[0]


def _shape(
    entry: Any, path: Path, given: tuple[int, ...] | None, data: str | Path | Data | None
) -> tuple[int | None, tuple[int, ...]]:
    """The fixed batch size, and the shape of one sample."""
    dimensions = [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in entry.type.tensor_type.shape.dim
    ]
    if len(dimensions) < 2:
        if given is None or dimensions:
            raise UnsupportedError(
                f"{path}: the input {entry.name!r} has {len(dimensions)} dimensions; samples first"
                " and at least one more are needed (--input-shape, where the file has no shape)"
            )
        return None, given
    batch, *own = dimensions
    if given is None and None in own and data is not None:
        held = data if isinstance(data, Data) else load_data(data)
        given = held.x.shape[1:]
    sample = given or tuple(size or 0 for size in own)
    if 0 in sample:
        raise ModelError(
            f"{path}: the input {entry.name!r} does not say its shape; give --input-shape,"
            " or data of that shape"
        )
    fits = len(sample) == len(own) and all(
        size in (None, asked) for size, asked in zip(own, sample, strict=True)
    )
    if not fits:
        said = "x".join(str(size or "?") for size in own)
        asked = "x".join(map(str, sample))
        raise ModelError(f"{path}: a sample has shape {said}, and {asked} was given")
    if prod(sample) > LARGEST_FILE:
        raise ModelError(f"{path}: a sample has {prod(sample):,} values, which is no input")
    return batch, sample


def _timesteps(said: Mapping[str, str], path: Path, sample: tuple[int, ...]) -> int:
    """Of the metadata, else the length of a sequence, else 1."""
    text = said.get(METADATA + "timesteps")
    if text is None:
        return sample[0] if len(sample) + 1 in SEQUENCE_RANKS else 1
    if not text.isascii() or not text.isdigit() or not int(text[:9]) >= 1 or len(text) > 9:
        raise ModelError(f"{path}: metadata {METADATA}timesteps is {text!r}, no number of steps")
    return int(text)
