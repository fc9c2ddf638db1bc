"""The whole walk: the float model against its own module, the chip against the report."""

import importlib.util

import numpy as np
import pytest

from snndeploy import pipeline
from snndeploy.analysis import Settings, analyze_chip, analyze_model, as_json, maps, sums
from snndeploy.data import load_data
from snndeploy.errors import DataError
from snndeploy.program import load
from snndeploy.report import summarize
from snndeploy.shelf import models_folder
from snndeploy.simulator.run import simulate

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def program(made):
    return load(made / "net.snnp")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(3).normal(0, 8, (30, 1, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    """A shipped network of event frames, mapped the quick way."""
    return pipeline.compile("lif-snn-3-small", mapping="naive")


@pytest.fixture(scope="module")
def events():
    return load_data(models_folder() / "data" / "mnist_events_test.npz").take(20)


def module_currents(made, x):
    """What the tiny model's own neurons are given, (samples, T, C, H, W), by module."""
    import torch
    from safetensors.torch import load_file

    spec = importlib.util.spec_from_file_location("tiny_copy", made / "tiny_model.py")
    tiny = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tiny)
    net = tiny.net()
    net.load_state_dict(load_file(made / "net.safetensors"))
    seen = {}
    for name in ("spike1", "spike2"):
        keep = lambda m, args, out, name=name: seen.update({name: args[0]})  # noqa: E731
        getattr(net, name).register_forward_hook(keep)
    with torch.no_grad():
        net(torch.from_numpy(x))
    return {name: value.transpose(0, 1).numpy() for name, value in seen.items()}


def fire(current, threshold=1.0, decay=0.5):
    u, carried = np.empty_like(current), 0
    for step in range(current.shape[1]):
        u[:, step] = carried + current[:, step]
        carried = decay * u[:, step] * (u[:, step] < threshold)
    return u, u >= threshold


def test_the_float_model_is_the_users_module(made, program, x):
    found = analyze_model(program.model, x, Settings(bin_width=0.25, batch=7))
    assert [layer.name for layer in found.layers] == ["spike1", "spike2"]
    total, neurons = 0, 0
    for name, current in module_currents(made, x).items():
        u, s = fire(current)
        total, neurons = total + s.sum(), neurons + s[0, 0].size
        assert 0 < s.mean() < 1, "a test of silence"
        rates, membranes = found.rates[name], found.membranes[name]
        np.testing.assert_array_equal(rates.counts, s.sum(axis=0))
        bars, _ = np.histogram(u, membranes.edges)
        assert np.abs(membranes.histogram.sum(axis=(0, 1)) - bars).sum() <= 4, "floats at an edge"
        np.testing.assert_allclose(membranes.variance(by_step=True), u.var(axis=(0, 3, 4)), 1e-4)
        error = np.square(u - s).mean(axis=(0, 3, 4))
        np.testing.assert_allclose(membranes.quantization_error(by_step=True), error, 1e-4)
    document = as_json(found)
    rate = document["network"]["all_layers"]["nasar_spikes_per_neuron_step"]
    assert rate == pytest.approx(total / (len(x) * 2 * neurons), rel=1e-12)


def test_the_chips_rate_is_the_reports(trained, events):
    report = summarize(trained, simulate(trained, events.inputs()), events.y)
    document = as_json(analyze_chip(trained, events.inputs()), events.name)
    network = document["network"]["chip_only"]
    assert network["nasar_spikes_per_neuron_step"] == pytest.approx(report["spikes"]["rate"], 1e-12)
    assert network["spikes_per_sample"] == pytest.approx(report["spikes"]["total_per_sample"])
    reported = {entry["name"]: entry["rate"] for entry in report["spikes"]["layers"]}
    for layer in document["layers"]:
        rate = layer["lasar_spikes_per_neuron_step"]
        assert rate == pytest.approx(reported[layer["name"]], rel=1e-12) and rate > 0
    identity = network["nasar_from_lasar_spikes_per_neuron_step"]
    assert identity == pytest.approx(network["nasar_spikes_per_neuron_step"], rel=1e-12)
    assert [layer["kind"] for layer in document["layers"]] == ["conv"] * 3 + ["fc"] * 2
    conv = document["network"]["conv_only"]
    assert conv["neurons"] == 16 * 14 * 14 + 32 * 7 * 7 + 32 * 3 * 3


def test_the_chip_is_near_the_model(trained, events):
    """Membranes of both are in the same units."""
    chip = analyze_chip(trained, events.inputs())
    model = analyze_model(trained.model, events.inputs())
    for name, integers in chip.membranes.items():
        floats = model.membranes[name]
        assert integers.threshold == pytest.approx(floats.threshold, rel=0.01)
        assert integers.layer_variance == pytest.approx(floats.layer_variance, rel=0.05)
        error = integers.layer_quantization_error
        assert error == pytest.approx(floats.layer_quantization_error, rel=0.05)


@pytest.mark.parametrize("batch", [1, 7, 30])
def test_chunks_change_nothing(program, x, batch):
    whole, parts = (analyze_chip(program, x, Settings(batch=size)) for size in (13, batch))
    for name in whole.rates:
        np.testing.assert_array_equal(whole.rates[name].counts, parts.rates[name].counts)
    assert whole.spikes_spread == parts.spikes_spread
    for name, membranes in whole.membranes.items():
        other = parts.membranes[name]
        np.testing.assert_array_equal(membranes.histogram, other.histogram)
        np.testing.assert_allclose(membranes.variance(), other.variance(), rtol=1e-12)
    for one, other in zip(whole.periods, parts.periods, strict=True):
        assert (one.counts.tolist(), one.later, one.never) == (
            other.counts.tolist(), other.later, other.never,
        )  # fmt: skip


def test_spread_is_the_standard_deviation(program, x):
    counts = [
        analyze_chip(program, x[i : i + 1]).rates.values() for i in range(len(x))
    ]  # fmt: skip
    each = [sum(rates.spikes_per_sample for rates in layers) for layers in counts]
    assert analyze_chip(program, x).spikes_spread == pytest.approx(np.std(each), rel=1e-9)


def test_periods_of_a_direct_code(made, program, x):
    """The stem is the same at every step, so its neurons have a T_p: counted by their spikes."""
    found = analyze_chip(program, x)
    (periods,) = found.periods
    _, s = fire(np.repeat(module_currents(made, x)["spike1"][:, :1], 2, axis=1))
    first = np.where(s.any(axis=1), s.argmax(axis=1) + 1, 0)
    assert periods.coding.scheme == "direct"
    assert periods.counts.tolist() == [(first == 1).sum(), (first == 2).sum()]
    assert periods.later + periods.never == (first == 0).sum()
    assert periods.total == first.size
    assert periods.disagreeing == 0
    (entry,) = as_json(found)["coding"]
    shown = periods.counts
    duration = (shown[0] + 2 * shown[1]) / shown.sum()
    assert entry["dynamics_duration_mean_steps"] == pytest.approx(duration)


@pytest.mark.parametrize("scheme", ["gac", "direct", "ms"])
def test_schemes_of_the_shipped_encoders(scheme):
    _, graph = pipeline.load_graph(f"{scheme}-digits")
    data = load_data(models_folder() / "data" / "mnist_test.npz").take(4)
    (entry,) = as_json(analyze_model(graph, data.inputs()))["coding"]
    assert entry["scheme"] == scheme
    periods = entry["firing_period"]
    counted = sum(periods["count_by_steps"].values())
    counted += periods["count_longer_than_window"] + periods["count_never"]
    assert counted == periods["neurons_times_samples"] == 4 * 16 * 14 * 14
    assert periods["count_unlike_first_spike"] == 0
    if scheme == "ms":
        assert entry["dynamics_duration_mean_steps"] == 1
    if scheme == "gac":
        expected = [4, 4, 3, 4]  # floor(4 / T_d) * T_d
        counts = list(periods["count_by_steps"].values())
        mean = np.dot(expected, counts) / sum(counts)
        assert entry["dynamics_duration_mean_steps"] == pytest.approx(mean)


def test_attention_in_the_membrane_loop_is_analysed_as_a_model():
    _, graph = pipeline.load_graph("lif-snn-3-small-tcsa")
    data = load_data(models_folder() / "data" / "mnist_events_test.npz").take(4)
    found = analyze_model(graph, data.inputs())
    for layer in found.layers:
        membranes, rates = found.membranes[layer.name], found.rates[layer.name]
        at_or_above = membranes.histogram[:, :, -membranes.low :].sum() if membranes.low < 0 else 0
        assert at_or_above == rates.counts.sum() > 0, "what fires is what reaches V_th"


def test_chosen_layers_only(program, x):
    found = analyze_chip(program, x, Settings(layers=("spike2",)))
    assert found.detailed == ("spike2",) and list(found.membranes) == ["spike2"]
    everything = analyze_chip(program, x)
    for name, rates in everything.rates.items():
        assert found.rates[name].lasar == rates.lasar
        np.testing.assert_array_equal(found.rates[name].c_sfr, rates.c_sfr)
    assert sorted(maps(found)) == [
        "layer001_membrane_edges", "layer001_membrane_histogram", "layer001_n_sfr",
    ]  # fmt: skip
    first, second = as_json(found)["layers"]
    assert "membranes" not in first and "membranes" in second


def test_an_unknown_layer(program, x):
    with pytest.raises(DataError) as error:
        analyze_chip(program, x, Settings(layers=("spike3",)))
    assert str(error.value) == "no spiking layer 'spike3', did you mean 'spike1' or 'spike2'?"
    with pytest.raises(DataError) as error:
        analyze_chip(program, x, Settings(layers=("zzz",)))
    assert str(error.value) == "no spiking layer 'zzz'; there are spike1, spike2"


def test_maps_that_do_not_fit(program, x, monkeypatch):
    monkeypatch.setattr(sums, "LARGEST_MAPS", 200)
    found = analyze_chip(program, x)
    size = "2 steps x 128 neurons are 256 counts; at most 200 are kept"
    said = f"maps, membranes and patterns are absent: {size}; choose layers with --layer"
    assert found.notes[0] == said
    assert not found.membranes and "membranes" not in as_json(found)["layers"][0]
    assert analyze_chip(program, x, Settings(layers=("spike1",))).detailed == ("spike1",)
    with pytest.raises(DataError) as error:
        analyze_chip(program, x, Settings(layers=("spike1", "spike2")))
    assert str(error.value) == (
        f"maps of the chosen layers do not fit: {size}; choose fewer --layer"
    )
