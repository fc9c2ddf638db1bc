"""Graph, Network and Layout as JSON values with references to arrays, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any, get_type_hints

import numpy as np

from snndeploy.connections import Connection, listed
from snndeploy.files.archive import ArrayStore
from snndeploy.graph import Graph, Node, Signal
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import (
    Attention,
    Injection,
    Network,
    Population,
    Projection,
    Readout,
    Reduced,
)
from snndeploy.neurons import NEURONS, Neuron
from snndeploy.program.consistency import Mismatch

Fetch = Callable[[str | None], Any]


def graph_record(graph: Graph, arrays: ArrayStore) -> dict[str, Any]:
    return {
        "name": graph.name,
        "timesteps": graph.timesteps,
        "outputs": list(graph.outputs),
        "nodes": [_node_record(node, arrays) for node in graph.nodes],
    }


def _node_record(node: Node, arrays: ArrayStore) -> dict[str, Any]:
    inner = {"body": node.body, "feedback": node.feedback}
    held = {key: graph_record(g, arrays) for key, g in inner.items() if g is not None}
    return held | {
        "name": node.name,
        "op": node.op,
        "inputs": list(node.inputs),
        "attributes": dict(node.attributes),
        "parameters": {key: arrays.put(value) for key, value in node.parameters.items()},
        "axes": [[list(atom) for atom in dimension] for dimension in node.axes],
        "module": node.module,
        "signal": asdict(node.signal) if node.signal else None,
        "side": node.side,
        "why": node.why,
    }


def read_graph(record: dict[str, Any], fetch: Fetch) -> Graph:
    nodes = []
    for entry in record["nodes"]:
        axes = tuple(tuple((str(k), int(v)) for k, v in dim) for dim in entry["axes"])
        nodes.append(
            Node(
                name=entry["name"],
                op=entry["op"],
                inputs=tuple(entry["inputs"]),
                attributes=entry["attributes"],
                parameters={key: fetch(ref) for key, ref in entry["parameters"].items()},
                axes=axes,
                module=entry["module"],
                signal=Signal(**entry["signal"]) if entry["signal"] else None,
                side=entry["side"],
                why=entry["why"],
                body=read_graph(entry["body"], fetch) if "body" in entry else None,
                feedback=read_graph(entry["feedback"], fetch) if "feedback" in entry else None,
            )
        )
    outputs = tuple(record["outputs"])
    return Graph(tuple(nodes), outputs, int(record["timesteps"]), record["name"])


def network_record(network: Network, arrays: ArrayStore) -> dict[str, Any]:
    connections: list[Connection] = []
    for projection in network.projections:
        if not any(projection.connection is known for known in connections):
            connections.append(projection.connection)
    index = {id(connection): place for place, connection in enumerate(connections)}
    return {
        "timesteps": network.timesteps,
        "populations": [
            {
                **_plain(p, "neuron", "bias", "attention"),
                "neuron": {"kind": p.neuron.name, **_plain(p.neuron)},
                "bias": arrays.put(p.bias),
                "attention": [_attention_record(a, arrays) for a in p.attention],
            }
            for p in network.populations
        ],
        "connections": [_connection_record(c, arrays) for c in connections],
        "projections": [
            {
                **_plain(p, "connection", "axonal_delay"),
                "connection": index[id(p.connection)],
                "axonal_delay": arrays.put(p.axonal_delay),
            }
            for p in network.projections
        ],
        "injections": [
            {**_plain(i, "offset"), "offset": arrays.put(i.offset)} for i in network.injections
        ],
        "readout": network.readout and _readout_record(network.readout, arrays),
        "heads": [_readout_record(head, arrays) for head in network.heads],
        "notes": list(network.notes),
        "reduced": [
            {**_plain(entry, "place"), "place": arrays.put(entry.place)}
            for entry in network.reduced
        ],
    }


def _read_neuron(entry: dict[str, Any]) -> Neuron:
    """Every field must be there, and none besides."""
    values = dict(entry)
    name = values.pop("kind")
    if name not in NEURONS:
        raise Mismatch(f"a population has kind {name!r}")
    kind = NEURONS[name]
    types = get_type_hints(kind)
    known = [field.name for field in fields(kind)]
    if set(values) != set(known):
        raise Mismatch(f"a {name} has other registers than {', '.join(known)}")
    return kind(**{k: v if types[k] is int else types[k](v) for k, v in values.items()})


def _readout_record(readout: Readout, arrays: ArrayStore) -> dict[str, Any]:
    finish = None if readout.finish is None else graph_record(readout.finish, arrays)
    return {
        **_plain(readout, "offset", "weights", "finish"),
        "offset": arrays.put(readout.offset),
        "weights": arrays.put(readout.weights),
        "finish": finish,
    }


def _read_readout(entry: dict[str, Any], fetch: Fetch) -> Readout:
    finish = None if entry["finish"] is None else read_graph(entry["finish"], fetch)
    held = {key: fetch(entry[key]) for key in ("offset", "weights")}
    return Readout(**{**entry, **held, "steps": tuple(entry["steps"]), "finish": finish})


def _attention_record(attention: Attention, arrays: ArrayStore) -> dict[str, Any]:
    return {**_plain(attention, "graph"), "graph": graph_record(attention.graph, arrays)}


def _read_attention(entry: dict[str, Any], fetch: Fetch) -> Attention:
    return Attention(**{**entry, "graph": read_graph(entry["graph"], fetch)})


def _plain(value: Any, *without: str) -> dict[str, Any]:
    """The fields of a dataclass that JSON can hold."""
    names = [field.name for field in fields(value) if field.name not in without]
    kept = {name: getattr(value, name) for name in names}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in kept.items()}


def _connection_record(connection: Connection, arrays: ArrayStore) -> dict[str, Any]:
    assert listed(connection.kind) is type(connection), f"{connection.kind!r} is another class"
    undeclared = {f.name for f in fields(connection)} - {"weight", *connection.fields}
    assert not undeclared, f"connection {connection.kind!r} does not declare {undeclared}"
    values = {key: getattr(connection, key) for key in connection.fields}
    plain = {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}
    return {"kind": connection.kind, **plain, "weight": arrays.put(connection.weight)}


def read_network(record: dict[str, Any], fetch: Fetch) -> Network:
    connections = [_read_connection(entry, fetch) for entry in record["connections"]]
    readout = record["readout"]
    return Network(
        timesteps=int(record["timesteps"]),
        populations=tuple(
            Population(
                **{
                    **e,
                    "shape": tuple(e["shape"]),
                    "neuron": _read_neuron(e["neuron"]),
                    "bias": fetch(e["bias"]),
                    "attention": tuple(_read_attention(a, fetch) for a in e.get("attention", ())),
                }
            )
            for e in record["populations"]
        ),
        projections=tuple(
            Projection(
                **{
                    **e,
                    "connection": connections[e["connection"]],
                    "axonal_delay": fetch(e["axonal_delay"]),
                }
            )
            for e in record["projections"]
        ),
        injections=tuple(
            Injection(**{**e, "offset": fetch(e["offset"])}) for e in record["injections"]
        ),
        readout=readout and _read_readout(readout, fetch),
        heads=tuple(_read_readout(head, fetch) for head in record["heads"]),
        notes=tuple(record["notes"]),
        reduced=tuple(
            Reduced(**{**e, "shape": tuple(e["shape"]), "place": fetch(e["place"])})
            for e in record.get("reduced", ())
        ),
    )


def _read_connection(entry: dict[str, Any], fetch: Fetch) -> Connection:
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in entry.items()
        if key not in ("kind", "weight")
    }
    return listed(entry["kind"])(fetch(entry["weight"]), **values)


def layout_record(layout: Layout, arrays: ArrayStore) -> dict[str, Any]:
    boxes = [[*t.channels, *t.rows, *t.columns, t.core] for t in layout.tiles]
    names = list(dict.fromkeys(tile.population for tile in layout.tiles))
    owner = [names.index(tile.population) for tile in layout.tiles]
    shares = [tile.share or (0, 0, 0) for tile in layout.tiles]
    held: dict[str, Any] = {}
    if np.any(shares):
        held["shares"] = arrays.put(np.array(shares, dtype=np.int32))
    if any(tile.encoding for tile in layout.tiles):
        held["encodings"] = [tile.encoding for tile in layout.tiles]
    return held | {
        "populations": names,
        "tiles": arrays.put(np.array(boxes, dtype=np.int32).reshape(-1, 7)),
        "tile_population": arrays.put(np.array(owner, dtype=np.int32)),
        "positions": arrays.put(layout.positions),
        "mesh": list(layout.mesh),
        "board": list(layout.board),
        "use": {key: arrays.put(value) for key, value in layout.use.items()},
        "limits": dict(layout.limits),
        "binding": layout.binding,
        "notes": list(layout.notes),
    }


def read_layout(record: dict[str, Any], fetch: Fetch) -> Layout:
    names = record["populations"]
    owners, boxes = fetch(record["tile_population"]).tolist(), fetch(record["tiles"]).tolist()
    shares = fetch(record["shares"]).tolist() if "shares" in record else [[0, 0, 0]] * len(boxes)
    encodings = record.get("encodings", [None] * len(boxes))
    tiles = tuple(
        Tile(
            names[owner], (box[0], box[1]), (box[2], box[3]), (box[4], box[5]), box[6],
            tuple(share) if any(share) else None, encoding,
        )
        for owner, box, share, encoding in zip(owners, boxes, shares, encodings, strict=True)
    )  # fmt: skip
    return Layout(
        tiles=tiles,
        positions=fetch(record["positions"]),
        mesh=tuple(record["mesh"]),
        board=tuple(record["board"]),
        use={key: fetch(ref) for key, ref in record["use"].items()},
        limits=record["limits"],
        binding=record["binding"],
        notes=tuple(record["notes"]),
    )
