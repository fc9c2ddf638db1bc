"""Every engine equals the reference, bit for bit, on random networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from comparison import assert_same, compare, everything
from hypothesis import HealthCheck, given, settings
from populations import make_population
from random_networks import Case, Features, networks, random_injected, random_network

from snndeploy.connections import Conv
from snndeploy.engines import convolution, onednn
from snndeploy.engines.activity import Activity
from snndeploy.engines.engine import engine_name, run_network
from snndeploy.engines.functional import batch_size, run_functional
from snndeploy.engines.reference import ReferenceChip, host_values, run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import DataError
from snndeploy.network import Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Programmed

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two threads on a busy machine make tiny convolutions up to 25 times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def check_property(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, suppress_health_check=slow)


# --- random networks ---


@check_property(300)
@given(networks())
def test_layers_equal_reference(case: Case):
    assert engine_name(case.network) == "layers"
    compare(case, run_functional)


@check_property(80)
@given(networks(Features(current_decay=True, axonal_delays=True, negative_exponents=True)))
def test_layers_with_currents_and_axonal_delays_equal_reference(case: Case):
    compare(case, run_functional)


@check_property(60)
@given(networks(Features(overflow=True, current_decay=True)))
def test_overflows_equal_reference(case: Case):
    compare(case, run_functional)


@check_property(80)
@given(networks(Features(recurrent=True, current_decay=True, axonal_delays=True)))
def test_steps_equal_reference(case: Case):
    compare(case, run_stepwise)


@check_property(60)
@given(networks(Features(programmed=True, current_decay=True, axonal_delays=True)))
def test_layers_of_neuron_programs_equal_reference(case: Case):
    compare(case, run_functional)


@check_property(40)
@given(networks(Features(programmed=True, recurrent=True, axonal_delays=True)))
def test_steps_of_neuron_programs_equal_reference(case: Case):
    compare(case, run_stepwise)


@check_property(40)
@given(networks(Features(programmed=True, overflow=True)))
def test_overflows_of_neuron_programs_equal_reference(case: Case):
    compare(case, run_functional)


def test_random_neuron_programs_take_every_form():
    """What the three properties above draw: every form, firing, and several spikes a step."""
    fired: Counter[str] = Counter()
    for seed in range(60):
        network = random_network(seed, Features(programmed=True))
        activity = run_reference(network, random_injected(network, seed))
        for population in network.populations:
            neuron, spikes = population.neuron, activity.spikes[population.name]
            if isinstance(neuron, Programmed) and spikes.any():
                waits = neuron.refractory_input.value if neuron.refractory else "no waiting"
                fired.update((neuron.reset.value, waits))
                fired["several"] += spikes.max() > 1
                fired["below"] += activity.membranes[population.name].min() < 0
    assert set(fired) == {
        "hard", "soft", "soft_after", "none", "integrated", "dropped", "no waiting", "several",
        "below",
    }  # fmt: skip
    assert min(fired.values()) >= 5, fired


def test_random_networks_are_not_trivial():
    """The properties above would hold for silent networks too: ours fire, wrap and saturate."""
    fired = warned = 0
    words: set[str] = set()
    for seed in range(40):
        network = random_network(seed, Features(overflow=seed % 2 == 1))
        activity = run_network(network, random_injected(network, seed))
        counts = [activity.spike_counts[p.name].sum() for p in network.populations]
        fired += sum(count > 0 for count in counts[1:-1]) * 2 > len(counts) - 2
        warned += bool(activity.warnings)
        words.update(
            word for w in activity.warnings for word in ("wrapped", "saturated") if word in w
        )
    assert fired >= 20
    assert warned >= 10
    assert words == {"wrapped", "saturated"}


def test_float_kernels_equal_the_byte_kernel(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onednn, "largest_byte", lambda: 0)
    for seed in range(1000, 1030):
        network = random_network(seed)
        compare(Case(network, random_injected(network, seed), 2), run_functional)


def test_event_kernel_equals_reference(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(convolution, "EVENT_RATE", 2.0)
    monkeypatch.setattr(convolution, "EVENT_RATE_AMX", 2.0)
    monkeypatch.setattr(convolution, "EVENT_OUTPUTS", 1)
    calls = []
    original = convolution.gather_sums
    monkeypatch.setattr(
        convolution, "gather_sums", lambda *given: (calls.append(given), original(*given))
    )
    for seed in range(2000, 2060):
        network = random_network(seed)
        compare(Case(network, random_injected(network, seed), 2), run_functional)
    assert len(calls) > 60


# --- observers, recording, batches ---


def observed(
    run: Callable[..., Activity], network: Network, injected: dict[int, np.ndarray]
) -> list[tuple[str, np.ndarray, np.ndarray | None]]:
    seen: list[tuple[str, np.ndarray, np.ndarray | None]] = []

    def observer(population: Population, spikes: np.ndarray, updated: np.ndarray | None) -> None:
        seen.append((population.name, spikes.copy(), None if updated is None else updated.copy()))

    run(network, injected, observer=observer)
    return seen


def expected_updates(network: Network, injected: dict[int, np.ndarray]) -> dict[str, np.ndarray]:
    """Per lif and integrator (samples, T, C, H, W): u, bias, or v before the step is not zero."""
    chip = ReferenceChip(network, samples=2)
    updates: dict[str, list[np.ndarray]] = {name: [] for name in everything(network)[1]}
    for chip_step in range(1, network.chip_steps + 1):
        before = {name: chip.state[name].get("v") for name in chip.state}
        chip.step(host_values(network, injected, chip_step))
        for name, steps in updates.items():
            tau = chip.aligned_step(network.by_name[name])
            if tau is None:
                continue
            bias = network.by_name[name].own_bias + np.zeros_like(before[name])
            for index, injection in enumerate(network.injections):
                if injection.target == name and injection.mode == "bias":
                    bias = bias + (injected[index].astype(np.int64) << injection.exponent)
            active = (chip.state[name]["u"] != 0) | (bias != 0)
            steps.append(active if tau == 0 else active | (before[name] != 0))
    return {name: np.stack(steps, axis=1) for name, steps in updates.items()}


@pytest.mark.parametrize("run", [run_functional, run_stepwise])
def test_observer_sees_every_population_in_order(run: Callable[..., Activity]):
    for seed in range(30):
        network = random_network(seed, Features(current_decay=seed % 2 == 0))
        injected = random_injected(network, seed)
        expected, updates = run_reference(network, injected), expected_updates(network, injected)
        seen = observed(run, network, injected)
        assert [name for name, _, _ in seen] == [p.name for p in network.populations]
        for name, spikes, updated in seen:
            np.testing.assert_array_equal(spikes, expected.spikes[name])
            if name in updates:
                np.testing.assert_array_equal(updated, updates[name], err_msg=name)
            elif network.by_name[name].neuron.name == "relay":
                assert updated is not None
                assert updated[spikes != 0].all()
            else:
                assert updated is None


def test_engines_agree_on_updated_neurons():
    for seed in range(20):
        network = random_network(seed, Features(current_decay=True, axonal_delays=True))
        injected = random_injected(network, seed)
        layers, steps = (observed(run, network, injected) for run in (run_functional, run_stepwise))
        for (name, _, first), (_, _, second) in zip(layers, steps, strict=True):
            np.testing.assert_array_equal(first, second, err_msg=name)


def test_batch_size_bounds_the_working_set():
    shape = (64, 112, 112)
    network = Network(
        6,
        tuple(make_population(f"p{i}", shape, depth=i) for i in range(4)),
        tuple(
            Projection(f"c{i}", f"p{i}", f"p{i + 1}", Conv(np.ones((64, 64, 1, 1), np.int32)))
            for i in range(3)
        ),
    )
    assert batch_size(network, 100) == 2
    assert batch_size(replace(network, timesteps=1000), 100) == 1


@pytest.mark.parametrize(
    ("record", "membranes", "message"),
    [
        (["poplation0"], [], "no population 'poplation0' to record, did you mean 'population0'?"),
        ([], ["input"], "population 'input' has no membrane to record"),
    ],
)
def test_recording_what_does_not_exist(record: list[str], membranes: list[str], message: str):
    network = random_network(1, Features(injections=("spikes",), populations=1))
    with pytest.raises(DataError) as error:
        run_functional(network, random_injected(network, 1), record, membranes)
    assert str(error.value) == message


# --- sharing ---


def test_shared_connections_are_summed_once(monkeypatch: pytest.MonkeyPatch):
    shape = (3, 5, 5)
    shared = Conv(np.arange(-40, 41, dtype=np.int32).reshape(3, 3, 3, 3), padding=(1, 1))
    network = Network(
        3,
        (
            make_population("input", shape, "input"),
            make_population("first", shape, threshold=30, depth=1),
            make_population("second", shape, threshold=50, depth=1),
        ),
        (
            Projection("a", "input", "first", shared),
            Projection("b", "input", "second", shared, exponent=2),
        ),
        (Injection("input", "x", "spikes"),),
    )
    calls = []
    original = convolution.Synapses.__call__

    def counting(self: convolution.Synapses, *arguments: object) -> np.ndarray:
        calls.append(self)
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(convolution.Synapses, "__call__", counting)
    compare(Case(network, random_injected(network, 5), 2), run_functional)
    assert len(calls) == 1


def test_network_without_injections():
    network = Network(
        3,
        (make_population("alone", (2, 1, 1), threshold=1, bias=np.array([1, 3]), bias_exponent=5),),
        (),
        readout=Readout("alone", "count"),
    )
    expected = run_reference(network, {}, samples=2)
    assert_same(expected, run_functional(network, {}, *everything(network), samples=2))
    assert expected.outputs.tolist() == [[1, 3], [1, 3]]
