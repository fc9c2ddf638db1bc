"""Program: everything that a compiled network needs, in one sealed file (`*.snnp`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.errors import DeployError, ProgramError, one_line
from snndeploy.files.archive import ArrayStore, SealedFile, write
from snndeploy.graph import Graph
from snndeploy.layout.layout import Layout
from snndeploy.network import Network, Population
from snndeploy.program.consistency import (
    Mismatch,
    check_facts,
    check_graph,
    check_layout,
    require,
)
from snndeploy.program.consistency_network import check_network
from snndeploy.program.records import (
    graph_record,
    layout_record,
    network_record,
    read_graph,
    read_layout,
    read_network,
)
from snndeploy.target import Target

SCHEMA = "snndeploy.program/1"
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
    part up to `encoder_outputs` is what the host runs.  facts: plain JSON for the report (model,
    audit, quantization, costs, notes)."""

    name: str
    model: Graph
    network: Network
    layout: Layout
    target: Target
    golden: Golden | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_float_model(self) -> bool:
        """False for a network that was imported as integers: there is nothing to compare with."""
        return bool(self.model.neurons())

    def fires_as_neurons(self, population: Population) -> bool:
        """Do its spikes count as neurons' of the model?  Not those of a pool or of a level, which
        lowering makes for maxima of spikes."""
        node = self.model.by_name.get(population.origin)
        return population.kind == "lif" and (node is None or node.op == "neuron")

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
    documents = {
        "graph.json": graph_record(program.model, arrays),
        "network.json": network_record(program.network, arrays),
        "layout.json": layout_record(program.layout, arrays),
        "target.toml": program.target.text,
        "golden.json": _golden_record(program.golden, arrays),
        "manifest.json": {"schema": SCHEMA, "name": program.name, "facts": dict(program.facts)},
    }
    assert set(documents) == set(DOCUMENTS)
    write(Path(path), documents, arrays)


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
            program = _read(sealed, manifest)
            _check(program)
        except (DeployError, MemoryError):
            raise
        except Mismatch as error:
            raise sealed.damaged(str(error)) from None
        except Exception as error:  # documents of another form fail in as many ways as there are
            raise sealed.damaged(f"its documents have another form ({one_line(error)})") from None
    return program


def _read(sealed: SealedFile, manifest: dict[str, Any]) -> Program:
    fetched: dict[str, np.ndarray] = {}

    def fetch(reference: str | None) -> Any:
        if reference is None:
            return None
        if reference not in fetched:
            fetched[reference] = sealed.array(reference)
        return fetched[reference]

    return Program(
        name=str(manifest["name"]),
        model=read_graph(sealed.document("graph.json"), fetch),
        network=read_network(sealed.document("network.json"), fetch),
        layout=read_layout(sealed.document("layout.json"), fetch),
        target=Target.from_text(sealed.text("target.toml"), origin=str(sealed.path)),
        golden=_read_golden(sealed.document("golden.json"), fetch),
        facts=manifest["facts"],
    )


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


def _check(program: Program) -> None:
    """Refuse parts that do not fit together: a seal proves nothing about who wrote the file."""
    check_graph(program.model)
    check_network(program.network)
    check_layout(program.layout, program.network)
    check_facts(program.facts)
    nodes, injections = program.model.by_name, program.network.injections
    for injection in injections:
        require(injection.encoder_output in nodes, f"no node {injection.encoder_output!r}")
    golden = program.golden
    if golden is not None:
        populations = program.network.by_name
        require(golden.x.shape[1:] == program.model.input.shape[1:], "golden inputs: wrong shape")
        require(set(golden.injected) == set(range(len(injections))), "golden: other injections")
        require(set(golden.spikes) <= set(populations), "golden: unknown populations")
        require(golden.outputs.ndim == 2, "golden outputs: wrong shape")
