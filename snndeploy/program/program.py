"""Program: everything that a compiled network needs, in one sealed file (`*.snnp`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.errors import DeployError, ProgramError, one_line
from snndeploy.files.archive import ArrayStore, SealedFile, json_bytes, write
from snndeploy.graph import Graph
from snndeploy.layout.layout import Layout
from snndeploy.network import Network, Population
from snndeploy.passes.partition import with_blocks
from snndeploy.program.consistency import Mismatch, check_graph, check_layout, require
from snndeploy.program.consistency_network import check_network
from snndeploy.program.facts import Facts, read_facts
from snndeploy.program.records import (
    Fetch,
    graph_record,
    layout_record,
    network_record,
    read_graph,
    read_layout,
    read_network,
)
from snndeploy.target import Target

SCHEMA = "snndeploy.program/3"
DOCUMENTS = (
    "golden.json", "graph.json", "layout.json", "manifest.json", "network.json", "target.toml",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Golden:
    """A few inputs with what the chip must answer.

    x: (samples, ...) model inputs.  injected: per injection, integers as the host sends them.
    spikes: per population, `np.packbits` of (samples, timesteps, C, H, W) != 0.
    outputs: the readout's integers, (samples, classes).
    """

    x: np.ndarray
    injected: Mapping[int, np.ndarray]
    spikes: Mapping[str, np.ndarray]
    outputs: np.ndarray


@dataclass(frozen=True, eq=False)
class Program:
    """model: the float graph with the encoder's extra nodes, the reference of every report; its
    part up to `encoder_outputs` is what the host runs.  facts: what reports repeat."""

    name: str
    model: Graph
    network: Network
    layout: Layout
    target: Target
    golden: Golden | None
    facts: Facts

    @property
    def has_float_model(self) -> bool:
        """False for a network that was imported as integers: there is nothing to compare with."""
        return bool(self.model.neurons())

    def fires_as_neurons(self, population: Population) -> bool:
        """Do its spikes count as neurons' of the model?  Not those of a pool or of a level, which
        lowering makes for maxima of spikes."""
        node = self.model.by_name.get(population.origin)
        return population.neuron.fires and (node is None or node.is_neuron)

    @property
    def encoder_outputs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(i.encoder_output for i in self.network.injections))

    @property
    def encoder(self) -> Graph:
        return self.model.select(self.encoder_outputs)


def save(program: Program, path: str | Path) -> None:
    """Write a program file, whole or not at all; the same program gives the same bytes.

    Raises:
        DeployError: the file cannot be written.
    """
    arrays = ArrayStore()
    write(Path(path), _documents(program, arrays), arrays)


def _documents(program: Program, arrays: ArrayStore) -> dict[str, Any]:
    documents = {
        "graph.json": graph_record(program.model, arrays),
        "network.json": network_record(program.network, arrays),
        "layout.json": layout_record(program.layout, arrays),
        "target.toml": program.target.text,
        "golden.json": _golden_record(program.golden, arrays),
        "manifest.json": {"schema": SCHEMA, "name": program.name, "facts": program.facts.as_json()},
    }
    assert set(documents) == set(DOCUMENTS)
    return documents


def load(path: str | Path) -> Program:
    """Read a program file; its arrays are read-only.

    Raises:
        ProgramError: the file is missing, truncated, altered, of another schema, or its documents
            do not fit together.
    """
    with SealedFile(Path(path)) as sealed:
        manifest = sealed.document("manifest.json")
        schema = manifest.get("schema") if isinstance(manifest, dict) else None
        if schema != SCHEMA:
            raise ProgramError(
                f"{path} has schema {schema!r}; this release reads {SCHEMA}: install the release"
                " that wrote it, or compile again"
            )
        sealed.only(DOCUMENTS)
        try:
            program = _read(sealed.document, sealed.text, _fetching(sealed), str(path))
        except (DeployError, MemoryError):
            raise
        except Mismatch as error:
            raise sealed.damaged(str(error)) from None
        except Exception as error:  # documents of another form fail in as many ways as there are
            raise sealed.damaged(f"its documents have another form ({one_line(error)})") from None
    return replace(program, model=with_blocks(program.model))


def check_own(program: Program) -> None:
    """Read what `save` would write, with the checks of `load`, before it is written.

    Raises:
        AssertionError: the loader would refuse it, which is a fault of ours.
    """
    arrays, again = _KeptArrays(), _KeptArrays()
    documents, asked = _documents(program, arrays), ["manifest.json"]

    def document(name: str) -> Any:
        asked.append(name)
        return json.loads(json_bytes(name, documents[name]))

    try:
        read = _read(document, documents.__getitem__, arrays.kept.__getitem__, program.name)
    except MemoryError:
        raise
    except Exception as error:
        why = str(error) if isinstance(error, Mismatch) else one_line(error)
        said = f"{asked[-1]} of the new program cannot be read back: {why}"
        raise AssertionError(said) from error
    for name, found in _documents(read, again).items():
        same = json_bytes(name, found) == json_bytes(name, documents[name])
        assert same, f"{name} of the new program is not what is read back"


class _KeptArrays(ArrayStore):
    """Arrays by their reference, as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str | None, np.ndarray | None] = {None: None}

    def put(self, array: np.ndarray | None) -> str | None:
        reference = super().put(array)
        self.members.clear()  # only its name is wanted
        self.kept[reference] = array
        return reference


def _fetching(sealed: SealedFile) -> Fetch:
    fetched: dict[str, np.ndarray] = {}

    def fetch(reference: str | None) -> Any:
        if reference is None:
            return None
        if reference not in fetched:
            fetched[reference] = sealed.array(reference)
        return fetched[reference]

    return fetch


def _read(
    document: Callable[[str], Any], text: Callable[[str], str], fetch: Fetch, origin: str
) -> Program:
    """A program from its documents, each part checked as it is read.

    Raises:
        Mismatch: parts that do not fit together: a seal proves nothing about who wrote the file.
    """
    manifest = document("manifest.json")
    facts = read_facts(manifest["facts"])
    check_graph(model := read_graph(document("graph.json"), fetch))
    check_network(network := read_network(document("network.json"), fetch))
    for injection in network.injections:
        require(injection.encoder_output in model.by_name, f"no node {injection.encoder_output!r}")
    check_layout(layout := read_layout(document("layout.json"), fetch), network)
    target = Target.from_text(text("target.toml"), origin=origin)
    golden = _read_golden(document("golden.json"), fetch)
    if golden is not None:
        _check_golden(golden, model, network)
    return Program(str(manifest["name"]), model, network, layout, target, golden, facts)


def _golden_record(golden: Golden | None, arrays: ArrayStore) -> dict[str, Any] | None:
    if golden is None:
        return None
    return {
        "x": arrays.put(golden.x),
        "outputs": arrays.put(golden.outputs),
        "injected": {str(key): arrays.put(value) for key, value in golden.injected.items()},
        "spikes": {key: arrays.put(value) for key, value in golden.spikes.items()},
    }


def _read_golden(record: dict[str, Any] | None, fetch: Any) -> Golden | None:
    if record is None:
        return None
    return Golden(
        x=fetch(record["x"]),
        injected={int(key): fetch(value) for key, value in record["injected"].items()},
        spikes={key: fetch(value) for key, value in record["spikes"].items()},
        outputs=fetch(record["outputs"]),
    )


def _check_golden(golden: Golden, model: Graph, network: Network) -> None:
    require(golden.x.shape[1:] == model.input.shape[1:], "golden inputs: wrong shape")
    injections = set(range(len(network.injections)))
    require(set(golden.injected) == injections, "golden: other injections")
    require(set(golden.spikes) <= set(network.by_name), "golden: unknown populations")
    require(golden.outputs.ndim == 2, "golden outputs: wrong shape")
