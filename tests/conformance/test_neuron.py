"""A neuron is one declaration and one line: two that only this test knows go all the way.

Everything that has to do with neurons either handles them right or refuses them by name, and a
declaration that leaves anything out is refused itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_neurons
from tampering import edit_json

from snndeploy import neurons
from snndeploy.analysis.layers import layers_of_chip
from snndeploy.analysis.runs import ChipRun
from snndeploy.backends.backend import Backend
from snndeploy.backends.table import BACKENDS
from snndeploy.connections import Dense
from snndeploy.engines.functional import run_functional
from snndeploy.engines.reference import run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import ModelError, ProgramError, UnsupportedError
from snndeploy.mapping.memory import state_bytes
from snndeploy.network import Injection, Network, Population, Projection
from snndeploy.neurons import (
    NEURONS,
    Input,
    Lif,
    Neuron,
    Reset,
    declaration_faults,
    equation_of,
    listed,
    no_overflows,
)
from snndeploy.pipeline import compile, load_graph
from snndeploy.program import Program, load, save
from snndeploy.reduce.reduce import reduce
from snndeploy.target import Target
from snndeploy.verify import compare, verify

pytestmark = pytest.mark.torch

MODELS = Path(__file__).with_name("toy_models.py")
OF_INTEGERS = [backend for backend in BACKENDS if backend.allowed is not None]
TOYS = {"bounded": toy_neurons.Bounded, "refractory": toy_neurons.Refractory}
CHIP, OTHER_CHIP = Target.load("hybrid45nm"), Target.load("loihi2")


@pytest.fixture(scope="module", autouse=True)
def the_line_in_the_list() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, kind in listed(*TOYS.values()).items():
            patch.setitem(neurons.NEURONS, name, kind)
        yield


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return (np.random.default_rng(0).random((24, 10, 12)) < 0.4).astype(np.float32)


@pytest.fixture(scope="module", params=sorted(TOYS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def program(kind: str, x: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Program:
    data = tmp_path_factory.mktemp(kind) / "data.npz"
    np.savez(data, x=x, y=np.zeros(len(x), dtype=np.int64))
    return compile(f"{MODELS}:{kind}", target=CHIP, random_weights=True, calibration=data)


def toys(program: Program) -> list[Population]:
    return [p for p in program.network.populations if p.neuron.name in TOYS]


def spikes_in(x: np.ndarray) -> dict[int, np.ndarray]:
    return {0: x[..., None, None].astype(np.int32)}


# from the module to the program


def test_traced_with_all_that_it_states(kind: str):
    _, graph = load_graph(f"{MODELS}:{kind}", random_weights=True)
    first, second = (equation_of(node.attributes) for node in graph.neurons())
    assert first == second and type(first) is TOYS[kind].trained
    stated = {"bounded": {"floor": -0.25}, "refractory": {"pause": 2.0}}[kind]
    expected = {"threshold": 1.0, "fires_at": "ge", "decay": 0.75, **stated}
    assert dataclasses.asdict(first) == expected


def test_a_module_that_does_something_else_is_found_out():
    with pytest.raises(ModelError, match=r"does not do what it states .*floor -0\.5"):
        load_graph(f"{MODELS}:misstated", random_weights=True)


def test_compiled_where_the_chip_has_it(kind: str, program: Program):
    assert [type(p.neuron) for p in toys(program)] == [TOYS[kind], TOYS[kind]]
    for population in toys(program):
        registers, unit = dataclasses.asdict(population.neuron), population.scale
        assert registers["threshold"] == round(1 / unit) - 1
        assert registers["membrane_decay"] == 1024
        own = {"depth": round(0.25 / unit)} if kind == "bounded" else {"pause": 2}
        assert {key: registers[key] for key in own} == own


def test_refused_by_name_where_it_has_not(kind: str):
    with pytest.raises(
        UnsupportedError, match=f"loihi2 has no {kind} neurons; use Lif$"
    ) as refusal:
        compile(f"{MODELS}:{kind}", target=OTHER_CHIP, random_weights=True)
    assert refusal.value.reason == f"{kind} neuron"


# what it computes


def by_hand(kind: str, neuron: Any, w: np.ndarray) -> np.ndarray:
    """Spikes on what the membrane takes in, (samples, steps, neurons), by the equation alone."""
    fired = np.zeros_like(w)
    for sample, place in np.ndindex(w.shape[0], w.shape[2]):
        v = waiting = 0
        for step, now in enumerate(w[sample, :, place].tolist()):
            v = (abs(v) * (4096 - neuron.membrane_decay) >> 12) * (1 if v > 0 else -1) + now
            if kind == "bounded":
                v = max(v, -neuron.depth * 64)
                spike = v > neuron.threshold * 64
                v -= neuron.amount * 64 * spike
            else:
                spike = v > neuron.threshold * 64 and not waiting
                waiting = neuron.pause if spike else max(waiting - 1, 0)
                v = 0 if spike else v
            fired[sample, step, place] = spike
    return fired


def test_the_reference_is_the_equation(kind: str, program: Program, x: np.ndarray):
    activity = run_reference(program.network, spikes_in(x[:6]))
    for population in toys(program):
        (wire,) = program.network.incoming(population.name)
        weight = wire.connection.weight[:, :, 0, 0].astype(np.int64) << wire.exponent
        sent = activity.spikes[wire.source][:6, :, :, 0, 0].astype(np.int64)
        w = (sent @ weight.T << 6) + population.own_bias[:, 0, 0]
        found = activity.spikes[population.name][..., 0, 0]
        np.testing.assert_array_equal(found, by_hand(kind, population.neuron, w))
        assert 0 < found.mean() < 0.6


@pytest.mark.parametrize("run", [run_functional, run_stepwise])
def test_both_engines_equal_the_reference(program: Program, x: np.ndarray, run: Any):
    names = [p.name for p in program.network.populations if p.neuron.has_membrane]
    slow = run_reference(program.network, spikes_in(x))
    marked: dict[str, np.ndarray] = {}
    fast = run(program.network, spikes_in(x), names, names,
               lambda p, spikes, updated: marked.update({p.name: updated}))  # fmt: skip
    for name in names:
        np.testing.assert_array_equal(fast.spikes[name], slow.spikes[name])
        np.testing.assert_array_equal(fast.membranes[name], slow.membranes[name])
        assert marked[name].any()
        held = np.zeros_like(slow.membranes[name])
        held[:, 1:] = slow.membranes[name][:, :-1]
        assert marked[name][held != 0].all()
    np.testing.assert_array_equal(fast.outputs, slow.outputs)
    for name, counts in slow.overflows.items():
        np.testing.assert_array_equal(fast.overflows[name], counts)


def test_its_state_takes_room(kind: str, program: Program):
    bits = CHIP.membrane_bits + (6 if kind == "refractory" else 0)
    for population in toys(program):
        assert state_bytes(program.network, population, CHIP) == -(-bits // 8)


def test_nothing_is_proved_of_it(program: Program):
    reduced = reduce(program.network, CHIP)
    assert [p.shape for p in reduced.network.populations] == [
        p.shape for p in program.network.populations
    ]


def test_membranes_before_the_reset(program: Program, x: np.ndarray):
    """The analysis sees U: it is above the threshold wherever a neuron fired."""
    layers = layers_of_chip(program)
    assert [layer.key for layer in layers] == [p.name for p in toys(program)]
    seen = []

    def sink(layer: Any, step: int, fired: np.ndarray, distance: np.ndarray | None) -> None:
        assert distance is not None
        assert (distance[fired] > 0).all()
        seen.append(int(fired.sum()))

    ChipRun(program, layers, [layer.key for layer in layers]).batch(x, sink)
    assert sum(seen) == sum(
        int(run_reference(program.network, spikes_in(x)).spikes[p.name].sum())
        for p in toys(program)
    )


# the program file


def test_saved_and_loaded(program: Program, x: np.ndarray, tmp_path: Path):
    path = tmp_path / "toy.snnp"
    save(program, path)
    again = load(path)
    assert [p.neuron for p in again.network.populations] == [
        p.neuron for p in program.network.populations
    ]
    assert [node.attributes for node in again.model.nodes] == [
        node.attributes for node in program.model.nodes
    ]


def test_no_register_of_a_record_is_assumed_or_ignored(program: Program, tmp_path: Path):
    for name, edit in (
        ("missing", lambda neuron: neuron.pop("threshold")),
        ("more", lambda neuron: neuron.update(colour=3)),
        ("wide", lambda neuron: neuron.update(membrane_decay=4097)),
        ("other", lambda neuron: neuron.update(kind="toy")),
    ):
        path = tmp_path / f"{name}.snnp"
        save(program, path)
        edit_json(path, "network.json", lambda d, edit=edit: edit(d["populations"][1]["neuron"]))
        with pytest.raises(ProgramError):
            load(path)


# verify


def test_verified(program: Program, x: np.ndarray):
    found, *_ = verify(program, x)
    assert found.passed
    first = found.links[-1].first
    assert first is not None and first.found_above is not None
    assert first.expected_membrane is not None and first.found_membrane is not None
    assert first.cause == "weight rounding"


@pytest.mark.parametrize("at", range(4))
def test_every_register_that_is_off_is_named(kind: str, program: Program, x: np.ndarray, at: int):
    """In the program against the float model, and in another side's spikes."""
    population = toys(program)[0]
    fields = dataclasses.fields(population.neuron)
    if at >= len(fields):
        return
    key = fields[at].name
    words = fields[at].metadata["words"] or key
    off = replace(population.neuron, **{key: getattr(population.neuron, key) + 1})
    network = with_neuron(program.network, population.name, off)
    links = verify(replace(program, network=network), x[:2])[0].links
    (finding,) = links[0].findings
    assert finding.population == population.name
    assert finding.detail == f"register {getattr(off, key)}, expected {getattr(off, key) - 1}"
    assert finding.cause == ("'>' instead of '>='" if key == "threshold" else words)
    ours, theirs, injected = dense_pair(population.neuron, off)
    expected, found = (run_reference(n, injected).spikes for n in (theirs, ours))
    first = compare("other -> ours", ours, expected, found, injected, ours="found").first
    assert first is not None and first.cause.startswith(f"{words}: the other side's")


def with_neuron(network: Network, name: str, neuron: Neuron) -> Network:
    populations = (replace(p, neuron=neuron) if p.name == name else p for p in network.populations)
    return replace(network, populations=tuple(populations))


def dense_pair(ours: Neuron, theirs: Neuron) -> tuple[Network, Network, dict[int, np.ndarray]]:
    """Two networks that differ in a neuron, on enough events that any register shows."""
    rng, threshold = np.random.default_rng(3), vars(ours)["threshold"]
    weight = rng.integers(-99, 100, (40, 9, 1, 1)).astype(np.int8)
    exponent = max(0, int(threshold).bit_length() - 7)
    bias = rng.integers(-(64 << exponent), 64 << exponent, 40).astype(np.int32)
    source = Population("input", (9, 1, 1), Input())
    wire = Projection("wire", "input", "out", Dense(weight), exponent)
    injections = (Injection("input", "x", "spikes"),)
    both = [
        Network(24, (source, Population("out", (40, 1, 1), neuron, bias=bias, depth=1)), (wire,),
                injections)
        for neuron in (ours, theirs)
    ]  # fmt: skip
    shape = (120, 24, 9, 1, 1)
    return both[0], both[1], {0: rng.integers(0, 2, shape).astype(np.int32)}


# the backends


@pytest.mark.parametrize("backend", OF_INTEGERS, ids=lambda backend: backend.name)
def test_refused_by_name_by_every_backend(backend: Backend, kind: str, program: Program):
    names = [population.name for population in toys(program)]
    found = backend.allowed.refusals(program.network)
    assert [(error.reason, error.node) for error in found if error.reason == kind] == [
        (kind, names[0])
    ]
    assert f"{backend.allowed.title} has no {kind}" in str(found[0])


# the declarations


@pytest.mark.parametrize("kind", [*NEURONS.values(), *TOYS.values()])
def test_no_field_is_dead(kind: type[Neuron]):
    """Every register changes what the plain step does."""
    rng = np.random.default_rng(5)
    for field in dataclasses.fields(kind):
        assert any(differs(kind, field, rng) for _ in range(40)), field.name


def differs(kind: type[Neuron], field: dataclasses.Field[Any], rng: np.random.Generator) -> bool:
    neuron = kind(**{f.name: drawn(f, rng) for f in dataclasses.fields(kind)})
    other = replace(neuron, **{field.name: drawn(field, rng)})
    a = rng.integers(-4000, 4000, (30, 50))
    return not all(map(np.array_equal, trail(neuron, a), trail(other, a)))


def drawn(field: dataclasses.Field[Any], rng: np.random.Generator) -> Any:
    if isinstance(field.default, Enum):
        members = list(type(field.default))
        return members[int(rng.integers(len(members)))]
    low, high = field.metadata["bounds"]
    return int(rng.integers(max(low, -4000), min(high, 4096) + 1))


def trail(neuron: Neuron, a: np.ndarray) -> list[np.ndarray]:
    zero, starts = np.zeros_like(a[0]), neuron.starts
    state = {key: zero + starts.get(key, 0) for key in ("u", *neuron.state)}
    counts, seen = no_overflows(), []
    for now in a:
        stepped = neuron.step(state, now, 0, 1 << 20, counts)
        state = stepped.state
        seen += [stepped.payload, counts.copy(), *(state[key] for key in neuron.state)]
    return seen


PARTS = {
    toy_neurons.Bounded: (
        "name", "trained", "state", "attention", "fires", "payload_bound", "fires_above",
        "state_bits", "take_in", "real",
    ),
    toy_neurons.BoundedFire: (
        "kind", "rest", "charged", "after", "refusals", "registers", "__str__",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "part"), [(owner, part) for owner, parts in PARTS.items() for part in parts]
)
def test_a_declaration_that_leaves_a_part_out(owner: type, part: str):
    """The list refuses it, naming the part; without an equation no model can be trained with it."""
    if owner is toy_neurons.Bounded:
        kind = rebuilt(toy_neurons.Bounded, part)
    else:
        kind = rebuilt(toy_neurons.Bounded)
        kind.trained = rebuilt(toy_neurons.BoundedFire, part)
    if part == "trained":
        assert listed(kind)["bounded"].trained is None
        return
    with pytest.raises(TypeError, match=part):
        listed(kind)


def rebuilt(owner: type, without: str = "") -> Any:
    """The same class, written again without one of its parts."""
    annotations = dict(owner.__annotations__)
    fields = {f.name: f for f in dataclasses.fields(owner) if f.name in annotations}
    body = {
        key: value
        for key, value in vars(owner).items()
        if key not in MADE_BY_PYTHON and not key.startswith("__dataclass") and key != without
    }
    for key, field in fields.items():
        if field.default is not dataclasses.MISSING:
            body[key] = dataclasses.field(default=field.default, metadata=dict(field.metadata))
    made = type(owner.__name__, owner.__bases__, {**body, "__annotations__": annotations})
    return dataclasses.dataclass(frozen=True)(made)


MADE_BY_PYTHON = {
    "__dict__", "__weakref__", "__abstractmethods__", "_abc_impl", "__init__", "__repr__",
    "__eq__", "__hash__", "__setattr__", "__delattr__", "__match_args__",
}  # fmt: skip


def test_what_a_kind_may_not_do():
    @dataclasses.dataclass(frozen=True)
    class Slower(Lif):
        name = "slower"
        pause: int = 0

    assert declaration_faults(Slower) == [
        "it is a Lif",
        "pause is no register within bounds, and no choice",
    ]


@pytest.mark.parametrize("backend", OF_INTEGERS, ids=lambda backend: backend.name)
def test_a_new_register_of_a_known_kind_is_refused_by_the_backends(backend: Backend):
    """What a backend says of a LIF it says of the registers that it knows."""
    known = {
        **backend.allowed.neurons,
        "lif": ("membrane_decay", "current_decay", "threshold", "reset"),
    }
    population = Population("p", (1, 1, 1), Lif(reset=Reset.HARD))
    network = Network(1, (population,), ())
    assert backend.allowed.refusals(network) == ()
    (refusal,) = replace(backend.allowed, neurons=known).refusals(network)
    assert str(refusal) == f"p: it has a reset amount, which {backend.allowed.title} does not know"
