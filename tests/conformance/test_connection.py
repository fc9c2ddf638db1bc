"""A connection is one file and one line: a toy one is handled right everywhere, or refused by name.

`CHECKS` compare every part of a declaration with a plain list of its synapses.  Conv and Dense
pass them as well, and a declaration with any part missing or wrong does not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import brute_force
import numpy as np
import pytest
from comparison import compare
from local_connection import Local, taps_of_local
from network_builder import Builder, Features
from populations import make_population
from program_builder import FACTS
from random_networks import Case, RandomChooser, random_injected
from traffic_runs import count, random_spikes

from snndeploy import connections
from snndeploy.backends.lava.bundle import write_bundle
from snndeploy.backends.netx.export import export_netx
from snndeploy.backends.sanafe.export import export_sanafe
from snndeploy.connections import CONNECTIONS, Connection, Conv, Dense, Transposed
from snndeploy.connections.algebra import (
    NotComposable,
    compose_conv,
    compose_dense,
    identity,
    is_identity,
    scale_outputs,
    sum_of,
)
from snndeploy.engines.convolution import FORMS
from snndeploy.engines.engine import engine_name
from snndeploy.engines.functional import run_functional
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import ProgramError, UnsupportedError
from snndeploy.graph import Graph, Node, Signal
from snndeploy.mapping import place
from snndeploy.mapping.advice import thinner
from snndeploy.mapping.memory import core_use, synapse_bits
from snndeploy.mapping.parts import Part
from snndeploy.network import Injection, Network, Projection, Readout
from snndeploy.program import Program, load, save
from snndeploy.program.consistency import Mismatch
from snndeploy.program.consistency_network import check_network
from snndeploy.quantize.kernels import worst_case
from snndeploy.quantize.membrane_error import current_error
from snndeploy.reduce import bounds
from snndeploy.target import Target
from snndeploy.target.lists import weight_lists
from snndeploy.timing.cycle_walk import SpikeRecorder
from snndeploy.traffic.counter import PER_CORE
from snndeploy.verify.chain import verify

pytestmark = pytest.mark.torch

LOIHI1 = Target.load("loihi1")
SMALL = replace(LOIHI1, neurons_per_core=12)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The one line, and the list of synapses that the checks compare with."""
    monkeypatch.setattr(connections, "CONNECTIONS", (*CONNECTIONS, Local))
    monkeypatch.setitem(brute_force.TAPS, Local, taps_of_local)


def weights(*shape, seed=0):
    mantissas = np.random.default_rng(seed).integers(-9, 10, shape)
    return np.where(mantissas == 0, 1, mantissas).astype(np.int8)


def local(kind=Local, outputs=4, source=(3, 7, 6), kernel=(3, 2), stride=2, seed=0):
    rows, columns = ((s - k) // stride + 1 for s, k in zip(source[1:], kernel, strict=True))
    return kind(weights(outputs, source[0], *kernel, rows, columns, seed=seed), stride)


SAMPLES = {
    "local": (local(), (3, 7, 6)),
    "local 1x1": (local(outputs=1, source=(1, 3, 4), kernel=(1, 1), stride=1), (1, 3, 4)),
    "conv": (Conv(weights(4, 3, 3, 2), (2, 1), (1, 0), (1, 2)), (3, 7, 6)),
    "grouped": (Conv(weights(6, 2, 3, 3), padding=(1, 1), groups=3), (6, 5, 4)),
    "identity": (identity(3).with_weight(weights(3, 1, 1, 1)), (3, 4, 3)),
    "dense": (Dense(weights(5, 3, 4, 2)), (3, 4, 2)),
    "transposed": (Transposed(weights(4, 3, 3, 4), (2, 3), (1, 0), (1, 2)), (3, 4, 3)),
    "grouped transposed": (Transposed(weights(6, 2, 2, 2), (2, 2), groups=3), (6, 3, 4)),
    "transposed 1x1": (Transposed(weights(3, 1, 1, 1), groups=3), (3, 4, 3)),
    "pooled": (Dense(weights(5, 3, 3, 2), (2, 2)), (3, 7, 5)),
}


class Listed:
    """A connection beside a plain list of its synapses."""

    def __init__(self, connection: Connection, source):
        self.connection, self.source = connection, source
        kind = next(k for k in brute_force.TAPS if isinstance(connection, k))
        self.target = SHAPES[kind](connection, source)
        self.taps = list(brute_force.TAPS[kind](connection, source, self.target))

    def by_target(self, values):
        """Values of the weight's shape, added up at each target neuron."""
        total = np.zeros(self.target, dtype=values.dtype)
        for _, target, slot in self.taps:
            total[target] += values[slot]
        return total


def windows(size, kernel, stride=1, padding=0, dilation=1):
    return len(range(0, size + 2 * padding - dilation * (kernel - 1), stride))


SHAPES = {
    Conv: lambda c, s: (len(c.weight), *(windows(s[1 + a], c.weight.shape[2 + a], c.stride[a],
                                                 c.padding[a], c.dilation[a]) for a in (0, 1))),
    Dense: lambda c, s: (len(c.weight), 1, 1),
    Transposed: lambda c, s: (len(c.weight), *(
        range(c.weight.shape[2 + a] + c.extra[a], 10**6, c.stride[a])[s[1 + a] - 1]
        - 2 * c.padding[a] for a in (0, 1))),
    Local: lambda c, s: (len(c.weight), *(windows(s[1 + a], c.weight.shape[2 + a], c.stride)
                                          for a in (0, 1))),
}  # fmt: skip


# --- every part of a declaration ----------------------------------------------------------------


def check_shape(listed):
    connection, source = listed.connection, listed.source
    assert connection.output_shape(source) == listed.target
    assert connection.has_plane is (type(connection) is not Dense and max(listed.target[1:]) > 1)
    assert connection.fault(source) == ""
    other = (source[0] + 1, *source[1:])
    assert str(other[0]) in connection.fault(other)


def check_sums(listed):
    rng = np.random.default_rng(1)
    payload = rng.integers(-50, 99, (2, *listed.source))
    connection = listed.connection
    expected = np.zeros((2, *listed.target), dtype=np.int64)
    for source, target, slot in listed.taps:
        expected[(slice(None), *target)] += (
            payload[(slice(None), *source)] * connection.weight[slot]
        )
    found = connection.sums(payload.astype(np.int32))
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)
    real = connection.weight.astype(np.float32)
    other = connection.with_weight(np.zeros_like(connection.weight))
    np.testing.assert_array_equal(
        other.real_sums(payload.astype(np.float32), real).ravel(), expected.ravel()
    )
    assert connection.multiplications(listed.source) >= connection.weight.size
    error = current_error(other, other.weight, connection.weight, payload[:, None])
    assert error == pytest.approx(np.mean(np.square(expected.astype(float))))


def check_reach(listed):
    connection, source = listed.connection, listed.source
    pairs = Counter(pre for pre, _, _ in listed.taps)
    assert connection.synapses(source) == len(listed.taps)
    fan_out = connection.fan_out(source)
    assert all(pairs[neuron] == fan_out[neuron[1:]] for neuron in np.ndindex(source))
    assert connection.fan_in == max(Counter(post for _, post, _ in listed.taps).values())
    rng = np.random.default_rng(2)
    for _ in range(20):
        box = [sorted(rng.choice(size + 1, 2, replace=False).tolist()) for size in listed.target]
        inside = Counter(
            pre for pre, post, _ in listed.taps
            if all(low <= at < high for at, (low, high) in zip(post, box, strict=True))
        )  # fmt: skip
        channel = connection.channel_reach(source[0], tuple(box[0]))
        rows, columns = (connection.axis_reach(source, a, tuple(box[1 + a])) for a in (0, 1))
        found = channel[:, None, None] * np.multiply.outer(rows, columns)
        for neuron in np.ndindex(source):
            assert found[neuron] == inside[neuron]


def check_taps(listed):
    """Synapses of a box, weight by weight: all of them, and those that are not zero."""
    rng = np.random.default_rng(4)
    weight = listed.connection.weight * (rng.random(listed.connection.weight.shape) < 0.6)
    connection, source = listed.connection.with_weight(weight), listed.source
    for zeros in (True, False):
        box = [sorted(rng.choice(size + 1, 2, replace=False).tolist()) for size in listed.target]
        inside = Counter(
            pre for pre, post, slot in listed.taps
            if all(low <= at < high for at, (low, high) in zip(post, box, strict=True))
            and (zeros or weight[slot])
        )  # fmt: skip
        counted = connection.counted_taps(source[0], tuple(box[0]), zeros=zeros)
        found = Counter()
        for row, y, below in zip(*connection.taps(source, 0), strict=True):
            for column, x, across in zip(*connection.taps(source, 1), strict=True):
                if box[1][0] <= below < box[1][1] and box[2][0] <= across < box[2][1]:
                    for channel in range(source[0]):
                        found[channel, y, x] += counted[channel, row, column]
        assert +found == inside


def check_memory(listed):
    connection, source = listed.connection, listed.source
    places = defaultdict(set)
    for pre, _, slot in listed.taps:
        places[slot].add(pre[1:])
    repeats = any(len(found) > 1 for found in places.values())
    assert connection.shared_by_position is repeats
    everyone = {len(set(posts)) for posts in _targets(listed).values()}
    assert connection.sparse is (everyone != {int(np.prod(listed.target))})
    part = Part("target", 0, (tuple((0, size) for size in listed.target),))
    alone = Counter(pre for pre, _, _ in listed.taps)
    lists = weight_lists(LOIHI1)
    each = [lists.list_bits(alone[n], None, sparse=connection.sparse) for n in np.ndindex(source)]
    unshared = replace(LOIHI1, shared_convolution=False)
    assert synapse_bits(connection, source, part, unshared) == sum(each)
    if repeats:
        assert np.prod(connection.shared_lists) == connection.weight[0, 0].size
    elif connection.shared_lists is None:
        assert synapse_bits(connection, source, part, LOIHI1) == sum(each)
    else:
        stored = np.prod(connection.shared_lists) * np.prod(connection.weight.shape[:2])
        assert stored == len(listed.taps) == len(places)


def _targets(listed):
    """Targets of each source neuron that has some, by the group that it feeds."""
    found = defaultdict(list)
    for pre, post, _ in listed.taps:
        found[pre].append(post)
    return found


def check_bounds(listed):
    connection, source = listed.connection, listed.source
    weight = connection.weight.astype(np.int64)
    for values in (np.maximum(weight, 0), np.abs(weight)):
        most = listed.by_target(values).max(axis=(1, 2))
        np.testing.assert_array_equal(connection.neuron_sums(values), most)
    assert worst_case([(connection, 2, 3)]) == listed.by_target(np.abs(weight)).max() * 3 << 2
    network = one_projection(connection, source, listed.target)
    found = bounds.sums(network, network.populations[1], {})
    np.testing.assert_array_equal(found.high, listed.by_target(np.maximum(weight, 0)))
    np.testing.assert_array_equal(found.low, listed.by_target(np.minimum(weight, 0)))


def check_channels(listed):
    """Parts of a connection, and other weights in its geometry."""
    connection, source = listed.connection, listed.source
    payload = np.random.default_rng(3).integers(0, 2, (2, *source))
    if connection.groups == 1:
        into, out = np.arange(source[0])[::2], np.arange(listed.target[0])[1:]
    else:  # whole groups
        into = np.arange(source[0] // connection.groups, source[0])
        out = np.arange(listed.target[0] // connection.groups, listed.target[0])
    silenced = np.zeros_like(payload)
    silenced[:, into] = payload[:, into]
    if len(out):
        found = connection.kept(into, out).sums(payload[:, into])
        np.testing.assert_array_equal(found, connection.sums(silenced)[:, out])
    factor = np.arange(listed.target[0]) + 2
    scaled = scale_outputs(connection, factor)
    np.testing.assert_array_equal(
        scaled.sums(payload), connection.sums(payload) * factor[:, None, None]
    )
    double = sum_of(connection, connection)
    assert double is not None
    np.testing.assert_array_equal(double.sums(payload), 2 * connection.sums(payload))
    network = thinner(one_projection(connection, source, listed.target), 0.5)
    assert network.projections[0].connection.output_shape(source) == network.populations[1].shape
    assert network.projections[0].connection.fault(source) == ""


def check_places(listed):
    in_place = {(pre, post) for pre, post, _ in listed.taps}
    same = listed.source == listed.target
    same = same and in_place == {(n, n) for n in np.ndindex(listed.source)}
    assert listed.connection.one_to_one(listed.source[0]) is same
    ones = listed.connection.with_weight(np.ones_like(listed.connection.weight))
    assert is_identity(ones) is same


CHECKS = (
    check_shape, check_sums, check_reach, check_taps, check_memory, check_bounds, check_channels,
    check_places,
)  # fmt: skip


def one_projection(connection, source, target):
    populations = (
        make_population("input", source, "input"),
        make_population("target", target, threshold=9, depth=1),
        make_population("readout", (2, 1, 1), "integrator", depth=2),
    )
    answer = Dense(np.ones((2, *target), dtype=np.int8))
    return Network(
        4, populations,
        (Projection("in", "input", "target", connection),
         Projection("out", "target", "readout", answer)),
        (Injection("input", "x", "spikes", minimum=0, maximum=1),), Readout("readout", "membrane"),
    )  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_declaration_agrees_with_its_synapses(name, check):
    check(Listed(*SAMPLES[name]))


def test_every_listed_connection_is_checked():
    assert {type(connection) for connection, _ in SAMPLES.values()} == {*CONNECTIONS, Local}


PARTS = sorted(Connection.__abstractmethods__)


@pytest.mark.parametrize("part", [*PARTS, "kind", "fields"])
def test_a_declaration_without_a_part_is_refused(part):
    """Python names it, when the class is defined or first used."""
    said = {key: value for key, value in vars(Local).items() if key != part}
    said = {k: v for k, v in said.items() if k not in ("__dict__", "__weakref__", "__init__")}
    with pytest.raises(TypeError, match=rf"Lacking.*\b{part}\b"):
        type(Connection)("Lacking", (Connection,), said)(np.zeros((1,) * 6), 1)


WRONG = {
    "output_shape": lambda self, source: (len(self.weight), *source[1:]),
    "fault": lambda self, source: "",
    "sums": lambda self, payload: np.abs(Local.sums(self, payload)),
    "real_sums": lambda self, payload, weight: self.sums(payload).astype(np.float32),
    "multiplications": lambda self, source: 0,
    "with_weight": lambda self, weight, groups=None: self,
    "groups": 3,
    "axis_table": lambda self, source, axis: np.minimum(Local.axis_table(self, source, axis), 1),
    "taps": lambda self, source, axis: [a[:-1] for a in Local.taps(self, source, axis)],
    "tap_weight": property(lambda self: Local.tap_weight.fget(self)[:, ::-1]),
    "shared_by_position": True,
    "shared_lists": (1, 6),
    "sparse": False,
    "has_plane": False,
    "one_to_one": lambda self, channels: True,
    "neuron_sums": lambda self, values: values.sum(axis=(1, 2, 3, 4, 5)),
    "tap_sums": lambda self, source, taps: taps.max(axis=(1, 2)),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_wrong_part_is_found(part):
    wrong = type("Wrong", (Local,), {part: WRONG[part]})
    failed = []
    for check in CHECKS:
        try:
            check(Listed(local(wrong), (3, 7, 6)))
        except (AssertionError, ValueError, IndexError) as error:
            failed.append(error)
    assert failed


# --- engines ------------------------------------------------------------------------------------


class LocalBuilder(Builder):
    """Random networks in which convolutions are local."""

    def conv(self, source):
        kernel = [self.choose.integer(1, min(3, size)) for size in source[1:]]
        stride = self.choose.integer(1, 2)
        out = [(s - k) // stride + 1 for s, k in zip(source[1:], kernel, strict=True)]
        outputs = self.choose.integer(1, 4)
        return Local(self.weights(outputs, source[0], *kernel, *out), stride)


def case_of(seed, **features):
    rng = np.random.default_rng(seed)
    network = LocalBuilder(RandomChooser(rng), rng, Features(pools=False, **features)).network()
    return Case(network, random_injected(network, rng, 2), 2)


@cache
def cases(**features):
    found = [case_of(seed, **features) for seed in range(40)]
    return [case for case in found if any(is_local(p) for p in case.network.projections)]


def is_local(projection):
    return type(projection.connection) is Local


@pytest.mark.parametrize("engine", [run_functional, run_stepwise])
def test_both_engines_equal_the_reference(engine):
    """Without a kernel of its own, by the reference sum."""
    assert Local not in FORMS
    tried = [*cases(negative_exponents=True), *cases(overflow=True, current_decay=True)]
    assert len(tried) > 40
    for case in tried:
        compare(case, engine)


def test_recurrent_networks_equal_the_reference():
    tried = [
        c for c in cases(recurrent=True, axonal_delays=True) if engine_name(c.network) == "steps"
    ]
    assert len(tried) > 10
    for case in tried:
        compare(case, run_stepwise)


# --- mapping and traffic ------------------------------------------------------------------------


def test_mapping_keeps_its_limits_and_traffic_equals_the_enumeration():
    spread = 0
    for index, case in enumerate(cases(populations=3, timesteps=3)[:12]):
        network, rng = case.network, np.random.default_rng(index)
        layout = place(network, SMALL, mode="tiles")
        assert layout.limits["neurons"] == 12
        spread += layout.cores > 3
        for name, limit in layout.limits.items():
            assert layout.use[name].max() <= limit
        found = core_use(network, layout.tiles, layout.cores, SMALL)
        for name, values in found.items():
            np.testing.assert_array_equal(layout.use[name], values)
        spikes, updated = random_spikes(network, rng, 2)
        counter = count(network, layout, spikes, updated, case.injected, [2])
        expected = brute_force.enumerate_traffic(network, layout, spikes, updated, case.injected)
        traffic = counter.result()
        for name in PER_CORE:
            array = getattr(traffic, name)
            counted = {tuple(at): int(array[tuple(at)]) for at in np.argwhere(array).tolist()}
            assert counted == {at: n for at, n in expected[name].items() if n}, name
    assert spread > 4


# --- the program --------------------------------------------------------------------------------


def program_of(connection=None):
    source = (3, 7, 6)
    connection = connection or local()
    network = one_projection(connection, source, connection.output_shape(source))
    axes = ((("batch", 1),), (("time", 4),), *((("feature", size),) for size in source))
    node = Node("x", "input", attributes={"signal": "integer"}, axes=axes, signal=Signal("integer"))
    layout = place(network, SMALL, mode="tiles")
    return Program("toy", Graph((node,), ("x",), 4, "toy"), network, layout, LOIHI1, None, FACTS)


def inputs():
    return np.random.default_rng(0).integers(0, 2, (3, 4, 3, 7, 6)).astype(np.float32)


def test_a_program_is_saved_loaded_and_verified(tmp_path):
    program = program_of()
    save(program, tmp_path / "toy.snnp")
    again = load(tmp_path / "toy.snnp")
    before, after = (p.network.projections[0].connection for p in (program, again))
    assert type(after) is Local and after.stride == before.stride
    np.testing.assert_array_equal(after.weight, before.weight)
    save(again, tmp_path / "again.snnp")
    assert (tmp_path / "again.snnp").read_bytes() == (tmp_path / "toy.snnp").read_bytes()
    found, spikes, _, _ = verify(again, inputs())
    assert found.passed and spikes["target"].any()
    assert [link.name for link in found.links] == ["reference step -> simulator"]


def test_a_connection_outside_the_list_is_neither_written_nor_read(tmp_path, monkeypatch):
    program = program_of()
    save(program, tmp_path / "toy.snnp")
    monkeypatch.setattr(connections, "CONNECTIONS", CONNECTIONS)
    with pytest.raises(ProgramError, match="connection 'local' is unknown; there are conv, dense"):
        load(tmp_path / "toy.snnp")
    with pytest.raises(ValueError, match="connection 'local' is unknown"):
        save(program, tmp_path / "other.snnp")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stride": 0}, "projection 'in': stride is 0, not a whole number in 1..268435456"),
        ({"stride": True}, "projection 'in': stride is True, not a whole number in 1..268435456"),
        ({"stride": 1}, "projection 'in' reads (3, 3, 3), its source has (3, 5, 5)"),
        ({"weight": np.zeros((4, 3, 2, 2))}, "projection 'in': weight: no integers"),
        ({"weight": np.zeros((4, 3, 2, 2), np.int8)},
         "projection 'in' has a weight that has not six dimensions"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused(change, message):
    network = program_of().network
    wrong = replace(network.projections[0], connection=replace(local(), **change))
    with pytest.raises(Mismatch) as refusal:
        check_network(replace(network, projections=(wrong, network.projections[1])))
    assert str(refusal.value) == message


# --- who cannot say it --------------------------------------------------------------------------


def test_lava_refuses_it_by_name(tmp_path):
    network = program_of().network
    with pytest.raises(UnsupportedError) as refusal:
        write_bundle(network, {}, {}, None, tmp_path / "bundle")
    assert str(refusal.value) == (
        "in cannot be deployed to Lava: connection 'local' has no Lava process; use 'conv' or"
        " 'dense', or the simulator"
    )
    assert not (tmp_path / "bundle").exists()


def test_a_net_file_refuses_it_by_name(tmp_path):
    with pytest.raises(UnsupportedError) as refusal:
        export_netx(program_of().network, tmp_path / "toy.net")
    assert str(refusal.value) == (
        "projection 'in': is connection 'local'; a .net file holds 'conv' and 'dense'"
    )
    assert not (tmp_path / "toy.net").exists()


def test_sanafe_refuses_it_by_name(tmp_path):
    program = program_of()
    recorder = SpikeRecorder(program.network)
    with pytest.raises(UnsupportedError) as refusal:
        export_sanafe(
            program.network, program.layout, program.target, tmp_path / "sanafe", recorder
        )
    assert str(refusal.value) == (
        "in cannot be exported to SANA-FE: connection 'local' has no list of its synapses; use"
        " 'conv' or 'dense', or --timing cycle"
    )


@pytest.mark.parametrize(
    ("compose", "message"),
    [
        (lambda inner: compose_conv(Conv(weights(2, 4, 1, 1)), inner, (3, 7, 6)),
         "a convolution behind connection 'local'"),
        (lambda inner: compose_dense(np.ones((2, 4, 3, 3)), inner, (3, 7, 6)),
         "a dense layer behind connection 'local'"),
    ],
)  # fmt: skip
def test_what_has_no_common_kernel_is_refused_by_name(compose, message):
    with pytest.raises(NotComposable) as refusal:
        compose(local())
    assert str(refusal.value) == message
