"""`fit`: cores, chips, what binds and what would help, from the structure alone."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.mapping.advice import thinner
from snndeploy.network import Network, Projection, Readout
from snndeploy.pipeline import load_graph
from snndeploy.pipeline.fit import fit, fit_spec, fit_text
from snndeploy.target import Target
from snndeploy.verdict import judge
from snndeploy.verdict.structure import structure

pytestmark = pytest.mark.torch
LOIHI2, BRIEF = Target.load("loihi2"), Target.load("loihi2-brief")


def small_network(channels=64):
    kernel = Conv(np.zeros((channels, channels, 3, 3), dtype=np.int8), padding=(1, 1))
    first = Conv(np.zeros((channels, 16, 3, 3), dtype=np.int8), padding=(1, 1))
    last = Dense(np.zeros((10, channels, 1, 1), dtype=np.int8), (32, 32))
    shape = (channels, 32, 32)
    populations = (
        make_population("image", (16, 32, 32), "input"),
        make_population("one", shape, depth=1),
        make_population("two", shape, depth=2),
        make_population("answer", (10, 1, 1), "integrator", depth=3),
    )
    projections = (
        Projection("a", "image", "one", first),
        Projection("b", "one", "two", kernel),
        Projection("c", "two", "answer", last),
    )
    readout = Readout("answer", "membrane")
    return Network(4, populations, projections, readout=readout)


def test_a_shipped_model_on_several_targets():
    """The structure has the cores and chips of the compiled program's tightest mapping."""
    found = fit_spec("gac-digits", ["loihi2", "loihi1"])
    assert [one.target for one in found] == ["loihi2", "loihi1"]
    assert all(one.fits and one.chips == 1 for one in found)
    assert found[0].neurons == 14602 and found[0].cores == 5
    assert found[0].binding.startswith("neurons: 3,146 of 4,095")
    text = fit_text(found)
    assert "loihi2: fits on 5 cores of 1 chip (1,152 available); 14,602 neurons" in text
    for name in ("neuron groups", "synapse memory bytes", "input axons", "core memory bytes"):
        assert f"\n  {name} " in text
    record = found[1].as_json()
    assert record["target"] == "loihi1" and record["use"]["input_axons"][1] <= 1


def test_the_structure_is_that_of_the_lowered_network():
    _, graph = load_graph("gac-digits")
    (real,) = judge(graph, LOIHI2, shortcuts="compose").networks
    made = structure(real, LOIHI2)
    assert [p.name for p in made.populations] == [p.name for p in real.populations]
    assert made.depth > 0
    for projection in made.projections:
        weight = projection.connection.weight
        assert weight.strides == (0, 0, 0, 0)  # one byte, whatever its shape
        source, target = made.by_name[projection.source], made.by_name[projection.target]
        assert projection.connection.output_shape(source.shape) == target.shape


def test_what_does_not_fit_says_what_would():
    network = small_network()
    board = replace(BRIEF, max_chips=1, cores_per_chip=12)
    found = fit(network, board)
    assert not found.fits and found.cores is None
    assert "needs 17 loihi2-brief cores; 1 chip has 12" in found.binding
    kinds = {suggestion.kind: suggestion for suggestion in found.suggestions}
    share = kinds["channels"].value
    assert fit(thinner(network, share), board).fits
    assert not fit(thinner(network, share + 1 / 16), board).fits
    assert "bits" not in kinds  # neurons bind: narrower weights do not help
    assert fit(network, Target.load(kinds["target"].value)).fits
    assert "would fit with" in fit_text([found])


def test_narrower_weights_are_offered_where_memory_binds():
    layer = Dense(np.zeros((4000, 4000, 1, 1), dtype=np.int8))
    populations = (
        make_population("in", (4000, 1, 1), "input"),
        make_population("out", (4000, 1, 1), depth=1),
    )
    network = Network(1, populations, (Projection("p", "in", "out", layer),))
    board = replace(LOIHI2, max_chips=1, cores_per_chip=400)
    found = fit(network, board)
    assert not found.fits and "bytes of core memory" in found.binding
    (bits,) = [s.value for s in found.suggestions if s.kind == "bits"]
    assert bits == 6  # 10 targets of 18 bits and a header are 3 words; 4,000 lists and axons
    assert fit(network, replace(board, bits_per_synapse=bits)).fits
    assert not fit(network, replace(board, bits_per_synapse=bits + 1)).fits


def test_a_chip_that_is_not_compiled_for_leaves_the_others_their_answer():
    refused, answered = fit_spec("gac-digits", ["truenorth", "loihi2"])
    assert not refused.fits and answered.fits
    assert refused.binding == (
        "no program is compiled for truenorth: its synapses are binary, its leak is additive and"
        " each neuron reaches one core; snndeploy computes Loihi's neuron only"
    )


@pytest.mark.slow
@pytest.mark.parametrize("target", ["hala_point", "loihi1"])
def test_networks_as_large_as_sew_resnet34_take_seconds(target):
    fit_spec("gac-digits", [target])  # imports
    start = time.process_time()
    (found,) = fit_spec("ms-resnet34", [target])
    assert time.process_time() - start < 20  # 8 to 11 s on a busy machine
    assert found.fits and found.neurons > 3_000_000
