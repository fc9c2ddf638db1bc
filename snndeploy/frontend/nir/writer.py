"""A graph under construction: of all time steps, or of one (what comes back to a neuron)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from snndeploy.frontend.nir.reader import Primitive
from snndeploy.graph import Axes, Graph, Node
from snndeploy.ops import KINDS

BATCH = (("batch", 1),)


@dataclass
class Writer:
    """Values are (batch, time, features ...), or (batch, features ...) without `timesteps`.

    Names: a primitive's own for its main operation, with `/` and a word for the others, which no
    name in an HDF5 file holds.
    """

    timesteps: int | None
    nodes: list[Node] = field(default_factory=list)

    @property
    def lead(self) -> int:
        """Dimensions before the features."""
        return 1 if self.timesteps is None else 2

    def axes(self, shape: tuple[int, ...]) -> Axes:
        time: Axes = () if self.timesteps is None else ((("time", self.timesteps),),)
        return (BATCH, *time, *((("feature", size),) for size in shape))

    def merged(self, shape: tuple[int, ...]) -> Axes:
        """Time and batch in one dimension, as planes are convolved."""
        time = () if self.timesteps is None else (("time", self.timesteps),)
        return ((*BATCH, *time), *((("feature", size),) for size in shape))

    def given(self, name: str, shape: tuple[int, ...], signal: str) -> Node:
        return self._keep(Node(name, "input", (), {"signal": signal}, {}, self.axes(shape)))

    def add(
        self,
        part: Primitive,
        word: str,
        op: str,
        *inputs: Node,
        parameters: dict[str, np.ndarray] | None = None,
        axes: Axes | None = None,
        feedback: Graph | None = None,
        **attributes: Any,
    ) -> Node:
        """A node; word: '' for the primitive's own name.

        Raises:
            ModelError: shapes that the operation does not take, with the primitive's name.
        """
        name = f"{part.name}/{word}" if word else part.name
        made = Node(
            name, op, tuple(node.name for node in inputs), attributes, parameters or {},
            axes or (), part.name, feedback=feedback,
        )  # fmt: skip
        if axes is None:
            try:
                made = replace(made, axes=KINDS[op].axes(made, [node.axes for node in inputs]))
            except ValueError as error:
                raise part.refuse(f"cannot be done: {error}") from None
        return self._keep(made)

    def shape(self, node: Node) -> tuple[int, ...]:
        """Of the features, one dimension each."""
        return node.shape[self.lead :]

    def as_planes(self, part: Primitive, x: Node, shape: tuple[int, int, int]) -> Node:
        """Channels, rows and columns of every step of every sample."""
        return self.add(part, "planes", "view", x, axes=self.merged(shape))

    def as_steps(self, part: Primitive, x: Node, shape: tuple[int, ...] | None = None) -> Node:
        return self.add(part, "steps", "view", x, axes=self.axes(shape or x.shape[1:]))

    def scaled(self, part: Primitive, word: str, x: Node, gain: Any, offset: Any) -> Node:
        """gain * x + offset, of all alike or of each channel; x itself where that is nothing."""
        gain, offset = np.asarray(gain, np.float64), np.asarray(offset, np.float64)
        if np.unique(gain).size == 1 and np.unique(offset).size == 1:
            factor, constant = float(gain.flat[0]), float(offset.flat[0])
            if (factor, constant) == (1.0, 0.0):
                return x
            return self.add(part, word, "scale", x, factor=factor, offset=constant)
        scale, shift = (self._by_channel(part, x, values) for values in (gain, offset))
        return self.add(
            part, word, "norm", x, channel_axis=self.lead,
            parameters={"scale": scale, "shift": shift},
        )  # fmt: skip

    def _by_channel(self, part: Primitive, x: Node, values: np.ndarray) -> np.ndarray:
        shape = self.shape(x)
        try:
            every = np.broadcast_to(values, shape).reshape(shape[0], -1)
        except ValueError:
            raise part.refuse(f"has numbers for {shape_text(values.shape)} neurons and gets"
                              f" {shape_text(shape)}") from None  # fmt: skip
        if (every != every[:, :1]).any():
            raise part.refuse("has a factor of its own for each place of a plane; one a channel"
                              " can be held")  # fmt: skip
        return every[:, 0].copy()

    def _keep(self, node: Node) -> Node:
        assert all(node.name != other.name for other in self.nodes), node.name
        self.nodes.append(node)
        return node


def shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "1"


def require_shape(part: Primitive, due: tuple[int, ...], found: tuple[int, ...]) -> None:
    if due != found:
        raise part.refuse(f"takes {shape_text(due)} values and gets {shape_text(found)}")


def require_rank(part: Primitive, rank: int, found: tuple[int, ...]) -> None:
    if len(found) != rank:
        raise part.refuse(f"takes {rank} dimensions and gets {shape_text(found)}")
