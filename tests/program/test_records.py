"""Graphs as records: what a program file keeps of attention in a membrane loop."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from snndeploy.files.archive import ArrayStore
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.graph import to_text
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.program.records import graph_record, read_graph

pytestmark = pytest.mark.torch


def again(graph):
    """The graph through JSON and array members."""
    store = ArrayStore()
    record = json.loads(json.dumps(graph_record(graph, store)))
    arrays = {
        name.rpartition("/")[2].partition(".")[0]: np.load(io.BytesIO(data), allow_pickle=False)
        for name, data in store.members.items()
    }
    return read_graph(record, lambda reference: None if reference is None else arrays[reference])


def test_a_graph_with_attention_in_the_loop_round_trips():
    loaded = load("lif-snn-3-small-tcsa", random_weights=True)
    graph = partition(infer_signals(trace(loaded.module, loaded.example, verify=False)))
    found = again(graph)
    assert to_text(found) == to_text(graph)
    bodies = [(old.body, new.body) for old, new in zip(graph.nodes, found.nodes, strict=True)]
    assert sum(old is not None for old, _ in bodies) == 3
    for old, new in bodies:
        assert (old is None) == (new is None)
        assert old is None or to_text(new) == to_text(old)
    assert [n.why for n in found.nodes] == [n.why for n in graph.nodes]
    x = loaded.example.numpy()
    ours, theirs = (evaluate(g, x)[g.outputs[0]] for g in (graph, found))
    assert np.array_equal(ours, theirs)
