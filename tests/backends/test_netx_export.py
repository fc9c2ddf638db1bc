"""Export to `.net`: what is written, what is refused, and NetX itself running it."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from populations import altered, make_population
from program_builder import program_of

from snndeploy.backends.netx.backend import BACKEND as NETX
from snndeploy.backends.netx.export import export_netx
from snndeploy.backends.netx.narrow import narrowed
from snndeploy.backends.table import require
from snndeploy.connections import Conv, Dense
from snndeploy.engines.engine import run_network
from snndeploy.errors import DeployError, UnsupportedError
from snndeploy.frontend.netx.reader import load_netx
from snndeploy.network import Injection, Network, Projection, Readout
from snndeploy.pipeline import compile
from snndeploy.simulator.run import encode

STEPS = 12


def weights(seed, *shape, step=2):
    return (np.random.default_rng(seed).integers(-60, 60, shape) * step).astype(np.int16)


def link(number, connection, **options):
    """The projection into population `number` from the one before it."""
    return Projection(f"w{number}", f"p{number - 1}", f"p{number}", connection, **options)


def sequence(*populations, projections, mode="spikes", readout=None):
    named = tuple(replace(p, name=f"p{i}", depth=i) for i, p in enumerate(populations))
    injection = Injection("p0", "encoder", mode, exponent=6 if mode == "bias" else 0)
    readout = readout or Readout(named[-1].name, "count")
    return Network(STEPS, named, tuple(projections), (injection,), readout)


def lif(*shape, **options):
    return make_population("", shape, **{"threshold": 100, "membrane_decay": 300, **options})


def source(*shape, **options):
    return make_population("", shape, kind="input", **options)


def biases(seed, count):
    return np.random.default_rng(seed).integers(-20, 20, count).astype(np.int32)


def plane_chain():
    """Bias input, strided and grouped convolutions, CUBA, biases, delays, integrator."""
    delays = np.random.default_rng(7).integers(0, 4, 20)
    return sequence(
        lif(2, 7, 6, threshold=50, bias=np.array([3, 3], dtype=np.int32), bias_exponent=6),
        lif(3, 4, 6, bias=biases(1, 3), bias_exponent=6),
        lif(6, 3, 3, current_decay=3000),
        lif(20, 1, 1, threshold=200, bias=biases(2, 20), bias_exponent=7),
        make_population("", (5, 1, 1), kind="integrator"),
        projections=(
            link(1, Conv(weights(3, 3, 2, 3, 3), stride=(2, 1), padding=(1, 1))),
            link(2, Conv(weights(4, 6, 1, 2, 2), stride=(1, 2), groups=3)),
            link(3, Dense(weights(5, 20, 6, 3, 3))),
            link(4, Dense(weights(6, 5, 20, 1, 1)), axonal_delay=delays),
        ),
        mode="bias",
        readout=Readout("p4", "membrane"),
    )


def delayed_dense():
    """As many targets as sources, where a vector of delays would be read the wrong way round."""
    rng = np.random.default_rng(3)
    return sequence(
        source(12, 1, 1),
        lif(12, 1, 1, bias=biases(1, 12), bias_exponent=6),
        lif(6, 1, 1),
        projections=(
            link(1, Dense(weights(1, 12, 12, 1, 1)), axonal_delay=rng.integers(0, 5, 12)),
            link(2, Dense(weights(2, 6, 12, 1, 1)), delay=1, axonal_delay=rng.integers(0, 5, 12)),
        ),
    )


def recurrent():
    back = Projection("r", "p1", "p1", Dense(weights(3, 12, 12, 1, 1)))
    return sequence(
        source(12, 1, 1), lif(12, 1, 1), lif(6, 1, 1),
        projections=(
            link(1, Dense(weights(1, 12, 12, 1, 1))), back, link(2, Dense(weights(2, 6, 12, 1, 1)))
        ),
    )  # fmt: skip


def wide_dense():
    """Exponents put dense weights beyond NetX's 8 bits: written as convolutions."""
    return sequence(
        source(12, 1, 1), lif(12, 1, 1, threshold=900), lif(6, 1, 1),
        projections=(
            link(1, Dense(weights(1, 12, 12, 1, 1)), exponent=3),
            link(2, Dense(weights(2, 6, 12, 1, 1, step=1))),
        ),
    )  # fmt: skip


def wide_without_leak():
    """Exponents that a chip cannot hold, where dividing them out loses nothing."""
    return sequence(
        source(12, 1, 1), lif(12, 1, 1, threshold=901, membrane_decay=0), lif(6, 1, 1),
        projections=(
            link(1, Dense(weights(1, 12, 12, 1, 1)), exponent=3),
            link(2, Dense(weights(2, 6, 12, 1, 1))),
        ),
    )  # fmt: skip


def graded_and_pooled():
    return sequence(
        source(2, 4, 4, payload_bound=9), lif(3, 4, 4, threshold=900), lif(6, 1, 1),
        projections=(
            link(1, Conv(weights(1, 3, 2, 3, 3), padding=(1, 1), dilation=(1, 1))),
            link(2, Dense(weights(2, 6, 3, 2, 2), pool=(2, 2))),
        ),
    )  # fmt: skip


def graded_wide():
    """Odd weights beyond 127 on a dense layer behind a plane: also a convolution."""
    return sequence(
        source(2, 3, 4, payload_bound=9), lif(9, 1, 1, threshold=900), lif(4, 1, 1),
        projections=(
            link(1, Dense(weights(1, 9, 2, 3, 4, step=5))),
            link(2, Dense(weights(2, 4, 9, 1, 1))),
        ),
    )  # fmt: skip


CHAINS = [
    plane_chain, delayed_dense, recurrent, wide_dense, wide_without_leak, graded_and_pooled,
    graded_wide,
]  # fmt: skip


def host_values(network, samples=1):
    rng = np.random.default_rng(9)
    first = network.populations[0]
    if network.injections[0].mode == "bias":
        return rng.integers(0, 60, (samples, *first.shape)).astype(np.int32)
    payloads = rng.integers(1, first.neuron.payload_bound + 1, (samples, STEPS, *first.shape))
    return np.where(rng.random(payloads.shape) < 0.5, payloads, 0).astype(np.int32)


def fields(path):
    with h5py.File(path) as file:
        return {
            name: [
                {key: layer[key][()].tolist() for key in layer if key not in ("neuron", "weight")}
                for layer in (file[f"layer/{i}"] for i in range(len(file["layer"])))
            ]
            for name in ("layer",)
        }["layer"]


@pytest.mark.parametrize("chain", CHAINS)
def test_reading_back_what_was_written(chain, tmp_path):
    """Our own import computes the same integers; dense layers may have become convolutions."""
    network = chain()
    export_netx(network, tmp_path / "a.net")
    back = load_netx(
        tmp_path / "a.net", input_payload_bound=network.populations[0].neuron.payload_bound
    )
    values = host_values(network, samples=3)
    ours = run_network(network, {0: values}, network.by_name)
    theirs = run_network(back, {0: values}, back.by_name)
    for mine, read in zip(network.populations, back.populations, strict=True):
        assert np.array_equal(ours.spikes[mine.name], theirs.spikes[read.name]), mine.name
    assert np.array_equal(ours.outputs, theirs.outputs)
    assert sum(counts.sum() for counts in ours.spike_counts.values()) > 0


@pytest.mark.lava
@pytest.mark.parametrize("chain", CHAINS)
def test_netx_computes_the_same(chain, tmp_path):
    """lava-dl 0.6.0's own loader on Lava 0.10.0: every population, every step, spike for spike."""
    from netx_environment import aligned_spikes, job_of, run_netx

    network = chain()
    export_netx(network, tmp_path / "a.net")
    values = host_values(network)
    ours = run_network(network, {0: values}, network.by_name, record_membranes=[_last(network)])
    kinds = [layer["type"] for layer in fields(tmp_path / "a.net")]
    flat = kinds[1] in ([b"dense"], [b"dense_rec"], [b"flatten"])
    result = run_netx(tmp_path / "a.net", tmp_path, **job_of(network, values[0], flat))
    for name, theirs in aligned_spikes(network, result).items():
        assert np.array_equal(ours.spikes[name][0], theirs), name
    assert sum(ours.spike_counts[p.name].sum() for p in network.populations[1:]) > 0
    final = result["final_v"].reshape(-1)
    assert np.array_equal(ours.membranes[_last(network)][0, -1].reshape(-1), final)


def stored_weights(path):
    with h5py.File(path) as file:
        layers = [file[f"layer/{i}"] for i in range(len(file["layer"]))]
        return [layer["weight"][()].astype(int) for layer in layers[1:] if "weight" in layer]


def test_exact_narrowing(tmp_path):
    assert export_netx(wide_without_leak(), tmp_path / "a.net") == ()
    first, second = stored_weights(tmp_path / "a.net")
    assert np.array_equal(first.reshape(12, 12), 2 * weights(1, 12, 12))  # 2^2 is divided out
    assert np.array_equal(second.reshape(6, 12), weights(2, 6, 12))
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/1/neuron/vThMant"][()] == 901 // 4


def narrowed_chain():
    """Leaks and biases of other units: narrowed only where rounding is asked for."""
    bias = np.random.default_rng(4).integers(-300, 300, 12).astype(np.int32)
    return sequence(
        source(12, 1, 1),
        lif(12, 1, 1, threshold=900, membrane_decay=2048, bias=bias, bias_exponent=4),
        lif(6, 1, 1, threshold=500, membrane_decay=1024),
        projections=(
            link(1, Dense(weights(1, 12, 12, 1, 1, step=1)), exponent=3),
            link(2, Dense(weights(2, 6, 12, 1, 1)), exponent=2),
        ),
    )  # fmt: skip


def test_narrowing_that_rounds_is_said(tmp_path):
    network = narrowed_chain()
    notes = export_netx(network, tmp_path / "a.net", round_biases=True)
    assert notes == (
        "p1: held in units of 2^1, so that weights fit 8 bits: its leak and threshold round, not"
        " bit-exact",
        "p2: held in units of 2^1, so that weights fit 8 bits: its leak and threshold round, not"
        " bit-exact",
    )
    for weight in stored_weights(tmp_path / "a.net"):
        assert weight.min() >= -256 and weight.max() <= 255
    made, _ = narrowed(network, True)
    back = load_netx(tmp_path / "a.net")
    values = host_values(network, samples=8)
    ours = run_network(made, {0: values}, made.by_name)
    theirs = run_network(back, {0: values}, back.by_name)
    before = run_network(network, {0: values}, network.by_name)
    for mine, read in zip(made.populations, back.populations, strict=True):
        assert np.array_equal(ours.spikes[mine.name], theirs.spikes[read.name]), mine.name
    assert np.mean(ours.spikes["p1"] == before.spikes["p1"]) > 0.97


@pytest.mark.lava
def test_netx_computes_what_was_narrowed(tmp_path):
    from netx_environment import aligned_spikes, job_of, run_netx

    network = narrowed_chain()
    export_netx(network, tmp_path / "a.net", round_biases=True)
    made, _ = narrowed(network, True)
    values = host_values(network)
    ours = run_network(made, {0: values}, made.by_name)
    result = run_netx(tmp_path / "a.net", tmp_path, **job_of(made, values[0], True))
    for name, theirs in aligned_spikes(made, result).items():
        assert np.array_equal(ours.spikes[name][0], theirs), name
    assert sum(ours.spike_counts[p.name].sum() for p in made.populations[1:]) > 0


@pytest.mark.lava
@pytest.mark.torch
@pytest.mark.parametrize("name, rounds", [("lif-snn-3-small", True), ("leak-free-digits", False)])
def test_netx_computes_the_shipped_networks(name, rounds, tmp_path):
    """Weights of 8 bits, and every spike of the first sample; without a leak, the program's own."""
    from netx_environment import aligned_spikes, job_of, run_netx

    program = compile(name, target="loihi2")
    made, _ = narrowed(program.network, rounds)
    export_netx(program.network, tmp_path / "a.net", round_biases=rounds)
    for weight in stored_weights(tmp_path / "a.net"):
        assert weight.min() >= -256 and weight.max() <= 255
    injected, _ = encode(program, program.golden.x[:1])
    sending = [p.name for p in made.populations if p.neuron.fires]
    ours = run_network(made, injected, sending)
    flat = "leak-free" in name
    result = run_netx(tmp_path / "a.net", tmp_path, **job_of(made, injected[0][0], flat))
    for population, theirs in aligned_spikes(made, result).items():
        assert theirs.any() and np.array_equal(ours.spikes[population][0], theirs), population
    if not rounds:
        before = run_network(program.network, injected, sending)
        assert all(np.array_equal(ours.spikes[p], before.spikes[p]) for p in sending)


def _last(network):
    return network.populations[-1].name


# --- what is written ----------------------------------------------------------------------------


def test_layers_and_notes(tmp_path):
    notes = export_netx(plane_chain(), tmp_path / "a.net")
    assert notes == (
        "p0: set net.in_layer.neuron.bias_mant.init to rint(x * 1) + 3, in (W, H, C) order",
    )
    written = fields(tmp_path / "a.net")
    assert [layer["type"] for layer in written] == [
        [b"input"], [b"conv"], [b"conv"], [b"flatten"], [b"dense"], [b"dense"]
    ]  # fmt: skip
    assert written[0]["shape"] == [2, 7, 6]
    assert (written[1]["stride"], written[1]["padding"]) == ([2, 1], [1, 1])
    assert len(written[5]["delay"]) == 20
    assert written[4]["bias"] == [2 * b for b in biases(2, 20).tolist()]  # exponent 7 -> 6


def test_notes_of_wide_weights_and_graded_inputs(tmp_path):
    assert export_netx(wide_dense(), tmp_path / "a.net") == (
        "p1: weights beyond the chip's 8 bits: simulation only",
    )
    assert export_netx(graded_and_pooled(), tmp_path / "b.net") == (
        "p0: load with input_message_bits=5, it sends integers",
    )


def test_input_bias_of_another_exponent(tmp_path):
    network = plane_chain()
    first = replace(network.populations[0], bias=None)
    network = replace(
        network,
        populations=(first, *network.populations[1:]),
        injections=(replace(network.injections[0], exponent=4, multiplier=2.5),),
    )
    assert export_netx(network, tmp_path / "a.net") == (
        "p0: set net.in_layer.neuron.bias_exp.init to 4",
        "p0: set net.in_layer.neuron.bias_mant.init to rint(x * 2.5), in (W, H, C) order",
    )


def test_input_with_an_offset(tmp_path):
    network = plane_chain()
    injection = replace(network.injections[0], offset=np.ones((2, 7, 6)), multiplier=3.0)
    assert export_netx(replace(network, injections=(injection,)), tmp_path / "a.net") == (
        "p0: set net.in_layer.neuron.bias_mant.init to rint((x + the injection's offset) * 3) + 3, "
        "in (W, H, C) order",
    )
    assert fields(tmp_path / "a.net")[0]["bias"] == [3.0]


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.net", "b.net"):
        export_netx(plane_chain(), tmp_path / name)
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()


def test_rounded_biases(tmp_path):
    network = plane_chain()
    layer = replace(network.populations[1], bias=np.array([3, 4, 5], np.int32), bias_exponent=4)
    network = replace_population(network, layer)
    assert refusal(network) == (
        "population 'p1': has biases that are not multiples of 64 (off by up to 16); a .net file "
        "stores biases with exponent 6. round_biases=True rounds them, and the results may differ"
    )
    notes = export_netx(network, tmp_path / "a.net", round_biases=True)
    assert notes[1] == "p1: biases rounded by up to 16 (64 is one threshold unit): not bit-exact"
    assert fields(tmp_path / "a.net")[1]["bias"] == [1.0, 1.0, 1.0]


# --- refusals -----------------------------------------------------------------------------------


def replace_population(network, changed):
    populations = tuple(changed if p.name == changed.name else p for p in network.populations)
    return replace(network, populations=populations)


def refusal(network, tmp_path=None):
    with pytest.raises(UnsupportedError) as caught:
        export_netx(network, "/nonexistent/a.net")
    return str(caught.value)


def changed(number, **options):
    network = plane_chain()
    return replace_population(network, altered(network.populations[number], **options))


def test_residual_networks_are_refused():
    network = plane_chain()
    shortcut = Projection("s", "p1", "p3", Dense(weights(1, 20, 3, 4, 6)), delay=1)
    assert refusal(replace(network, projections=(*network.projections, shortcut))) == (
        "population 'p1': feeds 'p2', 'p3'; a .net file holds one straight chain of layers, no "
        "residual or branching paths"
    )


def test_two_inputs_are_refused():
    network = plane_chain()
    other = make_population("other", (2, 1, 1), kind="input")
    extra = Projection("o", "other", "p3", Dense(weights(1, 20, 2, 1, 1)), delay=2)
    network = replace(
        network,
        populations=(other, *network.populations),
        projections=(*network.projections, extra),
    )
    assert refusal(network) == (
        "the network has 2 inputs ('other', 'p0'); a .net file holds one straight chain of layers, "
        "no residual or branching paths"
    )


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (changed(1, reset="soft", reset_amount=9),
         "'p1': resets by subtraction; NetX's neurons reset to zero"),
        (changed(2, depth=4),
         "'p2': sits at depth 4 behind depth 1; NetX resets each layer one step after the one "
         "before it"),
        (changed(1, threshold=200000),
         "'p1': has threshold 200000; the register holds 0 to 131071"),
        (changed(1, kind="programmed"),
         "'p1': runs a neuron program; NetX's neurons are the fixed LIF, with a hard reset to zero "
         "and nothing else"),
        (changed(1, kind="relay"), "'p1': is a relay of graded values; NetX has none"),
        (changed(1, bias=np.int32([40000, 0, 0])),
         "'p1': has bias mantissa 40000; Lava wraps above 32767"),
        (changed(0, bias=np.int32([1, 2])),
         "'p0': is the input and has different biases; the format holds one number there. Add them "
         "to the injected values"),
    ],
)  # fmt: skip
def test_refused_populations(network, message):
    assert refusal(network) == f"population {message}"


@pytest.mark.parametrize("kind", ["programmed", "relay"])
def test_a_kind_that_the_format_lacks_is_refused_by_the_command_too(kind):
    """There the numbers are looked at as well, which no layer of such a kind has."""
    with pytest.raises(UnsupportedError, match=r"^population 'p1': (runs a neuron|is a relay)"):
        require(NETX, program_of(changed(1, kind=kind), {}))


def test_graded_injections_are_refused():
    network = plane_chain()
    injection = replace(network.injections[0], mode="graded")
    assert refusal(replace(network, injections=(injection,))) == (
        "population 'p0': receives graded injections at every step; NetX drives a spiking input "
        "layer by its bias only. Use an encoder output that is constant over time"
    )
    later = Injection("p2", "encoder", "bias")
    assert refusal(replace(network, injections=(*network.injections, later))) == (
        "population 'p2': receives values from the host; only the first layer may"
    )


def test_delays_that_netx_ignores_or_clips():
    network = plane_chain()
    late = replace(network.projections[1], axonal_delay=np.ones(72, dtype=int))
    projections = (network.projections[0], late, *network.projections[2:])
    assert refusal(replace(network, projections=projections)) == (
        "population 'p2': has delayed inputs on a convolution, which NetX ignores"
    )
    late = replace(network.projections[3], delay=63)
    assert refusal(replace(network, projections=(*network.projections[:3], late))) == (
        "population 'p4': has inputs delayed by 66; NetX stops at 62"
    )


def test_weight_exponents():
    network = plane_chain()
    first = replace(network.projections[0], exponent=-2)
    assert refusal(replace(network, projections=(first, *network.projections[1:]))) == (
        "population 'p1': has weight exponent -2, which rounds the sum of its inputs; a .net file "
        "stores weights without one"
    )


def test_wide_recurrent_weights_are_refused():
    network = recurrent()
    wide = replace(network.projections[2], exponent=4)
    assert refusal(replace(network, projections=(*network.projections[:2], wide))) == (
        "population 'p1': is recurrent in a network with dense weights beyond NetX's 8 bits "
        "(-256..255); only convolutions could hold those"
    )


def test_weights_in_two_projections_are_refused():
    network = plane_chain()
    low = replace(network.projections[1], name="low")
    projections = (*network.projections[:2], low, *network.projections[2:])
    assert refusal(replace(network, projections=projections)) == (
        "population 'p2': holds weights in two projections, a .net file one weight a synapse; "
        "compile with --weights single"
    )


def test_a_folder_that_is_not_there():
    with pytest.raises(DeployError) as caught:
        export_netx(plane_chain(), "/nonexistent/a.net")
    assert str(caught.value).startswith("cannot write /nonexistent/a.net: No such file")
