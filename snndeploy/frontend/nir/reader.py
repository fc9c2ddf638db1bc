"""A `.nir` file (HDF5) -> its primitives and edges, nested graphs written out.

The file is a stranger's: links, storage and sizes are checked before anything is read, and each
primitive is made by the `nir` package alone, so that what is wrong is said with its node's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.errors import ModelError, near_names, one_line
from snndeploy.files.hdf5 import Budget, h5py, member

try:
    import nir
except ModuleNotFoundError:
    raise ModelError("reading .nir files needs the package nir: pip install nir") from None

MOST_NODES = 4096
DEEPEST = 16  # nested graphs
METADATA = "snndeploy_"  # begins our own names in a graph's metadata
PRIMITIVES = (
    "Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF",
    "Input", "LI", "LIF", "Linear", "NIRGraph", "Output", "Scale", "SumPool2d", "Threshold",
)  # fmt: skip

Edge = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Primitive:
    """A node: its name ("graph.node" where it was nested), and what the nir package made of it."""

    file: str
    name: str
    value: Any

    @property
    def kind(self) -> str:
        return type(self.value).__name__

    @property
    def where(self) -> str:
        return f"{self.file}: node {self.name!r} ({self.kind})"

    def refuse(self, about: str) -> ModelError:
        return ModelError(f"{self.where} {about}")


@dataclass(frozen=True, eq=False)
class Primitives:
    """nodes by name, and edges between them; inputs and outputs of the whole.

    said: what this package wrote beside the graph when it exported it, by option.
    """

    file: str
    nodes: Mapping[str, Primitive]
    edges: tuple[Edge, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    said: Mapping[str, Any]

    def into(self, name: str) -> list[str]:
        return [source for source, target in self.edges if target == name]

    def out_of(self, name: str) -> list[str]:
        return [target for source, target in self.edges if source == name]


def read_nir(path: Path) -> Primitives:
    """
    Raises:
        ModelError: the file is no readable NIR graph; the node is named where there is one.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as handle:
            return _Reader(path.name).read(handle)
    except ModelError:
        raise
    except Exception as error:  # h5py raises nearly anything on a damaged file
        raise ModelError(f"{path.name}: not a readable NIR file ({one_line(error)})") from None


@dataclass
class _Reader:
    file: str
    budget: Budget = field(default_factory=Budget)
    nodes: dict[str, Primitive] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    ends: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def read(self, handle: h5py.File) -> Primitives:
        root = member(handle, "node", f"{self.file}: the file")
        if not isinstance(root, h5py.Group):
            raise ModelError(f"{self.file}: has no group 'node'; a NIR file begins with one")
        if self._kind(root, "") != "NIRGraph":
            raise ModelError(f"{self.file}: holds a single {self._kind(root, '')}, not a graph")
        self._graph(root, "", 0)
        inputs, outputs = self.ends[""]
        return Primitives(
            self.file, self.nodes, tuple(self._resolved()), tuple(inputs), tuple(outputs),
            self._said(root),
        )  # fmt: skip

    def _said(self, root: h5py.Group) -> dict[str, Any]:
        """Our own metadata; that of others is passed over."""
        group = member(root, "metadata", self._where(""))
        if not isinstance(group, h5py.Group):
            return {}
        names = [name for name in group if name.startswith(METADATA)]
        return {n.removeprefix(METADATA): self._value(group, n, "") for n in names}

    # --- graphs ----------------------------------------------------------------------------------

    def _graph(self, group: h5py.Group, path: str, depth: int) -> None:
        where = self._where(path)
        if depth > DEEPEST:
            raise ModelError(f"{where} lies in more than {DEEPEST} graphs")
        nodes = member(group, "nodes", where)
        if not isinstance(nodes, h5py.Group):
            raise ModelError(f"{where} has no group 'nodes'")
        ends: tuple[list[str], list[str]] = ([], [])
        self.ends[path] = ends
        for key in nodes:
            name = f"{path}.{key}" if path else key
            found = member(nodes, key, where)
            if not isinstance(found, h5py.Group):
                raise ModelError(f"{self._where(name)} is no group of fields")
            kind = self._kind(found, name)
            if kind == "NIRGraph":
                self._graph(found, name, depth + 1)
                continue
            self._add(name, self._primitive(found, name, kind))
            if kind in ("Input", "Output"):
                ends[kind == "Output"].append(name)
        self.edges += self._edges(group, path)

    def _add(self, name: str, value: Any) -> None:
        if name in self.nodes:
            raise ModelError(f"{self._where(name)} is there twice, once in a nested graph")
        if len(self.nodes) >= MOST_NODES:
            raise ModelError(f"{self.file}: has more than {MOST_NODES} nodes")
        self.nodes[name] = Primitive(self.file, name, value)

    def _edges(self, group: h5py.Group, path: str) -> Iterator[Edge]:
        where = self._where(path)
        dataset = member(group, "edges", where)
        if not isinstance(dataset, h5py.Dataset):
            raise ModelError(f"{where} has no data set 'edges'")
        self.budget.check(dataset, lambda about: ModelError(f"{where}: 'edges' {about}"))
        if dataset.size == 0:
            return
        if dataset.ndim != 2 or dataset.shape[1] != 2:
            raise ModelError(f"{where}: 'edges' has shape {dataset.shape}; pairs of names are due")
        for pair in dataset[()]:
            source, target = (_text(name) for name in pair)
            yield (f"{path}.{source}", f"{path}.{target}") if path else (source, target)

    def _resolved(self) -> Iterator[Edge]:
        """Edges between primitives: a nested graph stands for its input or its output."""
        for edge in dict.fromkeys(self.edges):
            source, target = edge
            yield self._end(source, edge, 1), self._end(target, edge, 0)

    def _end(self, name: str, edge: Edge, side: int) -> str:
        if name in self.nodes:
            return name
        said = f"{self.file}: the edge {edge[0]!r} -> {edge[1]!r}"
        if name not in self.ends:
            near = near_names(name, self.nodes)
            raise ModelError(f"{said} names {name!r}, which is no node of the graph{near}")
        ends = self.ends[name][side]
        if len(ends) != 1:
            what = ("Input", "Output")[side]
            raise ModelError(f"{said}: graph {name!r} has {len(ends)} {what} nodes, one is needed")
        return ends[0]

    # --- primitives ------------------------------------------------------------------------------

    def _kind(self, group: h5py.Group, name: str) -> str:
        where = self._where(name)
        dataset = member(group, "type", where)
        if not isinstance(dataset, h5py.Dataset) or dataset.shape != ():
            raise ModelError(f"{where} has no 'type'; the writer must say which primitive it is")
        kind = _text(dataset[()])
        if kind not in PRIMITIVES:
            near = near_names(kind, PRIMITIVES)
            raise ModelError(f"{where} is of type {kind[:40]!r}, no primitive of NIR{near}")
        return kind

    def _primitive(self, group: h5py.Group, name: str, kind: str) -> Any:
        fields = {key: self._value(group, key, name) for key in group if key != "metadata"}
        self._drop_reset(fields, name, kind)
        try:
            return nir.dict2NIRNode(fields)
        except Exception as error:  # the package asserts and unpacks what it is given
            said = one_line(error).replace(f"{kind}.__init__() ", "")
            raise ModelError(f"{self._where(name)} ({kind}) cannot be made: {said}") from None

    def _drop_reset(self, fields: dict[str, Any], name: str, kind: str) -> None:
        """Releases of the package before 1.0.7, which some frameworks ask for, know no v_reset."""
        if "v_reset" not in fields or "v_reset" in vars(getattr(nir, kind))["__dataclass_fields__"]:
            return
        if np.any(fields.pop("v_reset")):
            raise ModelError(
                f"{self._where(name)} ({kind}) resets to other values than 0, which this release of"
                " the package nir does not know: pip install 'nir>=1.0.7'"
            )

    def _value(self, group: h5py.Group, key: str, name: str) -> Any:
        where = f"{self._where(name)}: field {key[:40]!r}"
        dataset = member(group, key, self._where(name))
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise ModelError(f"{where} is no value")
        self.budget.check(dataset, lambda about: ModelError(f"{where} {about}"))
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return _text(dataset[()])
        if dataset.dtype.kind not in "iufb":
            raise ModelError(f"{where} holds {dataset.dtype}, not numbers")
        value = dataset[()]
        if not np.isfinite(value).all():
            bad = int((~np.isfinite(value)).sum())
            raise ModelError(f"{where} has {bad} values that are NaN or infinite")
        return value

    def _where(self, name: str) -> str:
        return f"{self.file}: node {name!r}" if name else f"{self.file}: the graph"


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
