"""A NIR graph under construction.

A layer stays open until something reads it, so that factors and offsets that follow become part
of its weights; edges into one node add up, so that a sum of values needs no node.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import nir
import numpy as np

from snndeploy.graph import Node

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Value:
    """The nodes that it is the sum of, and the shape of its features; or a layer that is open."""

    shape: Shape
    names: tuple[str, ...] = ()
    layer: Layer | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """What will be written: a convolution, a matrix or (no weight) a pool with a factor."""

    name: str
    source: Value
    weight: np.ndarray | None
    bias: np.ndarray | None
    fields: dict[str, Any]
    factor: float = 1.0


@dataclass
class Writer:
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, node: Any, source: Value | None, shape: Shape) -> Value:
        """A node behind a value."""
        assert name not in self.nodes, name
        self.nodes[name] = node
        for before in self.names(source) if source is not None else ():
            self.edges.append((before, name))
        return Value(shape, (name,))

    def names(self, value: Value) -> tuple[str, ...]:
        """Where its edges begin; an open layer is written now."""
        layer = value.layer
        if layer is None:
            return value.names
        if layer.name not in self.nodes:
            self._write(layer, value.shape)
        return (f"{layer.name}_scaled",) if f"{layer.name}_scaled" in self.nodes else (layer.name,)

    def scaled(self, name: str, value: Value, gain: Any, offset: Any, *, alone: bool) -> Value:
        """gain * value + offset, of all or of each channel; alone: nothing else reads the value."""
        gain, offset = np.asarray(gain, np.float64), np.asarray(offset, np.float64)
        if (gain == 1).all() and not offset.any():
            return value
        layer = value.layer
        if layer is not None and alone and layer.name not in self.nodes:
            into = _into_layer(layer, gain, offset)
            if into is not None:
                return replace(value, layer=into)
        if not offset.any():
            over = (..., *(None,) * (len(value.shape) - 1)) if gain.size > 1 else ...
            scale = np.broadcast_to(gain[over], value.shape).copy()
            return self.add(name, nir.Scale(scale=scale), value, value.shape)
        return self._affine(name, value, gain, offset)

    def _affine(self, name: str, value: Value, gain: np.ndarray, offset: np.ndarray) -> Value:
        channels = value.shape[0]
        each = np.broadcast_to(gain.reshape(-1), channels)
        bias = np.broadcast_to(offset.reshape(-1), channels).copy()
        if len(value.shape) == 1:
            return self.add(name, nir.Affine(weight=np.diag(each), bias=bias), value, value.shape)
        weight = each[:, None, None, None].copy()
        node = conv(value.shape[1:], weight, bias, {"groups": channels})
        return self.add(name, node, value, value.shape)

    def _write(self, layer: Layer, shape: Shape) -> None:
        name, source = layer.name, layer.source
        if layer.weight is None:
            window = int(np.prod(layer.fields["kernel_size"]))
            summed = layer.factor == window
            node = (nir.SumPool2d if summed else nir.AvgPool2d)(**layer.fields)
            made = self.add(name, node, source, shape)
            if layer.factor not in (1.0, window):
                scale = np.full(shape, layer.factor)
                self.add(f"{name}_scaled", nir.Scale(scale=scale), made, shape)
            return
        bias = np.zeros(len(layer.weight), layer.weight.dtype) if layer.bias is None else layer.bias
        if layer.weight.ndim == 2:  # with zeros for a bias: sinabs reads no Linear
            self.add(name, nir.Affine(weight=layer.weight, bias=bias), source, shape)
        else:
            node = conv(source.shape[1:], layer.weight, bias, layer.fields)
            self.add(name, node, source, shape)


def conv(plane: Shape, weight: np.ndarray, bias: np.ndarray, fields: dict[str, Any]) -> Any:
    plain: dict[str, Any] = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    return nir.Conv2d(input_shape=tuple(plane), weight=weight, bias=bias, **{**plain, **fields})


def _into_layer(layer: Layer, gain: np.ndarray, offset: np.ndarray) -> Layer | None:
    """The layer with factor and offset in its weights; None where it has no place for them."""
    if layer.weight is None:
        plain = gain.size == 1 and not offset.any()
        return replace(layer, factor=layer.factor * float(gain.flat[0])) if plain else None
    over = gain.reshape(-1, *(1,) * (layer.weight.ndim - 1))
    bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias
    bias = bias * gain.reshape(-1) + offset.reshape(-1)
    return replace(layer, weight=layer.weight * over, bias=bias if bias.any() else None)


def flattened(before: Shape, after: Shape) -> tuple[int, int] | None:
    """First and last of the neighbouring dimensions that became one; None: something else."""
    for start in range(len(before)):
        for end in range(start + 1, len(before)):
            joined = int(np.prod(before[start : end + 1]))
            if (*before[:start], joined, *before[end + 1 :]) == after:
                return start, end
    return None


def features(node: Node) -> Shape:
    """The shape of one step, without the dimensions of one that hold nothing."""
    sizes = ([size for label, size in d if label == "feature"] for d in node.axes)
    return tuple(int(np.prod(found)) for found in sizes if found)


def feature_order(node: Node, order: list[int]) -> list[int]:
    """Where a permutation takes the dimensions that hold features, of the permuted node's input."""
    return [i for i in order if any(label == "feature" for label, _ in node.axes[i])]
