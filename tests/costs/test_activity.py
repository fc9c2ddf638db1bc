"""Rates: given ones are checked, measured ones equal what the model's own layers see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from traced import graph_of, loaded, network_of

from snndeploy.costs import from_table, measure, nasar, uniform
from snndeploy.errors import DataError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

MODELS = Path(__file__).resolve().parents[2] / "models"
SMALL = "lif-snn-3-small"
TABLE = {"spike1": 0.2, "spike2": 0.15, "spike3": 0.1, "spike4": 0.05, "spike5": 0.02}
NAMES = "spike1, spike2, spike3, spike4, spike5"


def refusal(table):
    with pytest.raises(DataError) as refused:
        from_table(network_of(SMALL).neurons, table, "rates.json")
    return str(refused.value)


def test_a_table_names_every_layer_of_neurons():
    neurons = network_of(SMALL).neurons
    found = from_table(neurons, {**TABLE, "input": 0.1}, "rates.json")
    assert found.input_rate == 0.1
    assert [found.rates[layer.name] for layer in neurons] == list(TABLE.values())
    by_node = {layer.name: TABLE[layer.label] for layer in neurons}
    assert from_table(neurons, by_node, "rates.json").rates == found.rates
    assert from_table(neurons, TABLE, "rates.json").input_rate is None


def test_tables_that_are_refused():
    assert refusal([1]) == "rates.json: rates are an object of names and numbers"
    assert refusal({**TABLE, "spike6": 0.1}) == (
        "rates.json: 'spike6' is no layer of neurons, did you mean 'spike1' or 'spike2'? (they"
        f" are {NAMES})"
    )
    assert refusal({"spike1": 0.1}) == "rates.json: no rate for spike2, spike3, spike4, spike5"
    assert refusal({**TABLE, "spike1": 1.5}) == (
        "rates.json: the rate of 'spike1' is 1.5; rates are 0 to 1"
    )
    assert refusal({**TABLE, "spike1": float("nan")}) == (
        "rates.json: the rate of 'spike1' is nan; rates are 0 to 1"
    )
    assert refusal({**TABLE, "spike1": True}) == (
        "rates.json: the rate of 'spike1' is True, not a number"
    )


def test_one_rate_for_all():
    neurons = network_of(SMALL).neurons
    found = uniform(neurons, 0.25, None)
    assert nasar({layer.name: layer.neurons for layer in neurons}, found.rates) == 0.25
    assert found.source == "0.25 for every neuron, given"


def seen_by_the_model(spec, x):
    """Spikes a neuron and step by module; events a step by layer, by a convolution of ones."""
    module = loaded(spec).module
    rates, events, handles = {}, {}, []

    def spiking(name):
        return lambda _m, _i, output: rates.update({name: float((output != 0).double().mean())})

    def reading(name):
        def hook(layer, inputs, _output):
            values = (inputs[0] != 0).double()
            ones = torch.ones_like(layer.weight, dtype=torch.float64)
            if values.dim() == 4:
                met = torch.nn.functional.conv2d(
                    values, ones, stride=layer.stride, padding=layer.padding
                )
            else:
                met = torch.nn.functional.linear(values, ones)
            events[name] = float(met.sum()) / len(x) / module.timesteps

        return hook

    for name, layer in module.named_modules():
        if hasattr(layer, "neuron_parameters"):
            handles.append(layer.register_forward_hook(spiking(name)))
        elif isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            handles.append(layer.register_forward_hook(reading(name)))
    with torch.no_grad():
        answer = module(torch.from_numpy(x)).numpy()
    for handle in handles:
        handle.remove()
    return rates, events, answer


def event_frames(samples):
    generator = np.random.default_rng(3)
    return np.minimum(generator.poisson(0.3, (samples, 8, 2, 28, 28)), 3).astype(np.float32)


def test_measured_rates_and_events_are_those_of_the_model():
    x = event_frames(5)
    rates, events, answer = seen_by_the_model(SMALL, x)
    labels = answer.argmax(axis=1)
    labels[0] = (labels[0] + 1) % 10
    seen = []
    found = measure(graph_of(SMALL), x, labels, "noise", progress=lambda *at: seen.append(at))
    network = network_of(SMALL)
    assert {n.label: found.rates[n.name] for n in network.neurons} == pytest.approx(rates)
    by_layer = {
        layer.name: count for layer, count in zip(network.layers, found.events, strict=True)
    }
    assert by_layer == pytest.approx(events)
    assert found.accuracy == pytest.approx(0.8)
    assert (found.samples, seen[-1]) == (5, (5, 5))
    pooled = torch.nn.functional.max_pool2d(torch.from_numpy(x).flatten(0, 1), 2)
    assert found.input_rate == pytest.approx(float((pooled != 0).double().mean()))
    assert found.source == "measured on 5 samples of noise (float model)"


def test_chunks_add_up(monkeypatch):
    x = event_frames(5)
    whole = measure(graph_of(SMALL), x)
    monkeypatch.setattr("snndeploy.costs.activity.CHUNK_VALUES", 1)
    parts = measure(graph_of(SMALL), x)
    assert parts.rates == pytest.approx(whole.rates)
    assert parts.events == pytest.approx(whole.events)
    assert parts.input_rate == pytest.approx(whole.input_rate)
    assert whole.accuracy is None


def test_a_readout_of_averages_counts_the_spikes_in_them():
    """direct-digits: the classifier reads means over pixels and steps of the last neurons."""
    spec = "direct-digits"
    x = np.random.default_rng(1).random((3, 1, 28, 28), dtype=np.float32)
    found = measure(graph_of(spec), x)
    network = network_of(spec)
    last = network.neurons[-1]
    (classifier,) = [
        count
        for layer, count in zip(network.layers, found.events, strict=True)
        if layer.role == "readout"
    ]
    assert classifier == pytest.approx(10 * found.rates[last.name] * last.neurons, rel=1e-5)
    stem, *_ = found.events
    assert stem is None  # real values: every one is multiplied
    shortcuts = [
        count
        for layer, count in zip(network.layers, found.events, strict=True)
        if layer.role == "shortcut"
    ]
    assert shortcuts == [None, None]
    assert found.input_rate == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name, record", [
    ("lif-snn-3-small", "lif_snn_3_small"), ("lif-snn-3-small-tcsa", "tcsa_snn_3_small"),
    ("lif-snn-3-small-asa", "asa_snn_3_small"),
])  # fmt: skip
def test_shipped_networks_fire_as_their_training_recorded(name, record, monkeypatch):
    """Rates, NASAR and accuracy on all held-back digits, measured by train.py in the model."""
    monkeypatch.syspath_prepend(str(MODELS))
    from saccade import event_frames as frames_of

    from snndeploy.costs import neuron_layers
    from snndeploy.pipeline import inspect, load_graph

    facts = json.loads((MODELS / "weights" / f"{record}.json").read_text())
    with np.load(MODELS / "data" / "mnist_test.npz") as digits:
        x, y = frames_of(digits["x"], 8).astype(np.float32), digits["y"]
    graph = inspect(load_graph(name)[1])[0]
    found = measure(graph, x, y)
    neurons = neuron_layers(graph)
    measured = {layer.label: found.rates[layer.name] for layer in neurons}
    assert measured == pytest.approx(facts["layer_rates"], abs=2e-5)
    counts = {layer.name: layer.neurons for layer in neurons}
    assert nasar(counts, found.rates) == pytest.approx(facts["nasar"], abs=2e-5)
    assert found.accuracy == pytest.approx(facts["accuracy"], abs=0.0011)
